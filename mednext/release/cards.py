"""Data cards and model cards in Markdown, from ``benchmarks/*.yaml`` and the printed tables."""

from __future__ import annotations

from pathlib import Path

from mednext.config import DatasetSpec, MethodSpec, load_datasets, load_downloads, load_methods
from mednext.files import write_text
from mednext.templates import markdown_cell

WRITTEN = "Written by `make cards` from `benchmarks/`; do not edit."
CLINICAL = (
    "**Not for clinical use.** Networks trained here are instruments for comparing methods. They "
    "are no medical device; those tried on images from elsewhere did badly (`results/FINDINGS.md`, "
    "*Under other conditions*); none was validated clinically, and none must take part in a "
    "diagnosis."
)
SKEW = {
    "sars_cov2_ct": "Images carry no patient number: slices of one scan lie in several subsets "
    "under the protocol `paper`, which may flatter every method. *Normal* is the article's name "
    "of the folder `non-COVID`: patients without COVID-19, some of whom have other lung diseases.",
    "monkeypox_msld": "Photographs were collected from the web; skin colour, age and camera are "
    "not documented, some persons are children. 14 augmented copies of each photograph lie in "
    "several subsets under the protocol `paper`.",
    "large_covid_ct": "Joined from seven sources of different hospitals and devices: a network may "
    "learn the source instead of the disease.",
    "synapse": "30 patients of one hospital, portal venous phase.",
    "acdc": "100 patients of one hospital, five diagnostic groups of equal size, which do not "
    "reflect their prevalence.",
}
"""What each data set makes easy or hides."""


def write_cards(folder: Path) -> None:
    """Write ``data_cards.md`` and ``model_cards.md`` below ``folder``."""
    write_text(folder / "data_cards.md", data_cards())
    write_text(folder / "model_cards.md", model_cards())


def data_cards() -> str:
    """One section per data set: content, licence, terms, what it must not be used for."""
    parts = ["# Data cards", "", WRITTEN, ""]
    parts += [
        "None of the data is part of this repository. The suite downloads or reads them and never "
        "passes them on; images of patients are not committed.",
        "",
        CLINICAL,
        "",
    ]
    for slug, spec in load_datasets().items():
        parts += _data_card(slug, spec)
    parts += [
        "## Phantoms",
        "",
        "Synthetic stand-ins of all five sets, drawn by `mednext/datasets/phantom` in their "
        "layouts. They contain no patient, prove only that each stage works, and are labelled in "
        "every table, figure and page.",
        "",
    ]
    return "\n".join(parts)


def _data_card(slug: str, spec: DatasetSpec) -> list[str]:
    source = load_downloads()[slug]
    if spec.task == "classification":
        counts = [f"{c.expected} {c.name}" for c in spec.classes]
        split = [" / ".join(map(str, c.paper_split or ())) for c in spec.classes]
        content = f"{', '.join(counts)} images"
        subsets = f"{'; '.join(split)} (train / val / test of each class)"
    else:
        cases = spec.paper_split_cases or ()
        content = f"{sum(cases)} patients; labels {', '.join(c.name for c in spec.classes[1:])}"
        subsets = f"{' / '.join(map(str, cases))} patients (train / val / test)"
    rows = {
        "Name here": f"`{slug}`",
        "Content": content,
        "Split of the article": subsets,
        "Source": spec.url,
        "Reference": spec.reference,
        "Licence": spec.licence,
        "Terms": source.terms,
        "Credentials": source.credentials_how
        if source.credentials == "none"
        else f"{source.credentials}: {source.credentials_how}",
        "Intended use": f"research on {spec.task} of medical images, non-commercial",
        "Not for": "diagnosis, identification of persons, training of products",
        "Known skew": SKEW[slug],
    }
    if spec.count_note:
        rows["Counts"] = spec.count_note
    return [f"## {spec.name}", "", *_table(rows), ""]


def model_cards() -> str:
    """One section per registered method: origin, assumptions, use."""
    parts = ["# Model cards", "", WRITTEN, "", CLINICAL, ""]
    parts += [
        "All methods are trained from random weights by the recipes in `benchmarks/recipes.yaml`; "
        "their results, with intervals, stand in `results/<profile>/tables`, their costs in "
        "`cost.csv`. Inputs are single 2D images or slices of the size they were trained at; "
        "anything else (other organs, devices, phases, sizes) is outside of what was measured. A "
        "score is not calibrated: see `ece` and `brier` in `metrics.csv`.",
        "",
    ]
    for slug, spec in load_methods().items():
        parts += _model_card(slug, spec)
    return "\n".join(parts)


def _model_card(slug: str, spec: MethodSpec) -> list[str]:
    printed = ", ".join(f"Table {n} as {name}" for n, name in spec.printed.items())
    rows = {
        "Task": spec.task,
        "In the article": printed or "not printed: a variant of this project",
        "Code": spec.source,
        "Citation": f"{spec.citation} {spec.url}".strip(),
        "Assumed": spec.assumed,
        "Intended use": "comparison under equal conditions; not for clinical use",
    }
    if spec.cost_note:
        rows["Costs"] = spec.cost_note
    return [f"## `{slug}`", "", *_table(rows), ""]


def _table(rows: dict[str, str]) -> list[str]:
    cells = {name: markdown_cell(" ".join(text.split())) for name, text in rows.items()}
    return ["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in cells.items())]
