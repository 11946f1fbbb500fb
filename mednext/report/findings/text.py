"""The template, filled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mednext.config import Profile, load_datasets
from mednext.config.names import with_names
from mednext.report.findings.conditions import conditions
from mednext.report.findings.costs import costs
from mednext.report.findings.facts import Results, Runs, unique
from mednext.report.findings.laffn import laffn
from mednext.report.findings.orders import order
from mednext.report.findings.overlap import overlaps, train_overlap
from mednext.report.findings.printed import printed
from mednext.report.findings.protocols import protocols
from mednext.report.findings.scores import scores
from mednext.report.findings.second_wave import second_wave
from mednext.report.findings.signal import signals
from mednext.report.findings.subgroups import subgroups
from mednext.report.scale import data_difference, scale_difference, scale_of
from mednext.report.spec import column_name, load_tables, row_name
from mednext.report.wording import ALPHA
from mednext.templates import markdown_templates


class Texts(NamedTuple):
    """What ``make findings`` writes for readers."""

    report: str
    """``FINDINGS.md``."""
    summary: str
    """The main results, for the README."""


def findings_texts(profile: Profile, runs: Runs, links: Mapping[str, str]) -> Texts:
    """The whole report and its summary, in Markdown.

    Args:
        profile: the runs are of.
        runs: name and record of each finished run.
        links: from the summary to ``report`` and ``figures``, the folder of the charts.
    """
    results = Results(profile, runs)
    environment = markdown_templates("mednext.report", "templates/findings")
    environment.filters["points"] = lambda value: "–" if value is None else f"{value:.1f}"
    environment.filters["named"] = with_names
    environment.globals |= {"row_name": row_name, "column_name": column_name}
    facts = _facts(results) | {"links": links}
    return Texts(
        *(environment.get_template(f"{n}.md.j2").render(facts) for n in ("findings", "summary"))
    )


def _facts(results: Results) -> dict[str, Any]:
    profile, runs = results.profile, results.runs
    return {
        "profile": profile,
        "phantom": any(run.source == "phantom" for run in profile.datasets.values()),
        "finished": len(runs),
        "alpha": ALPHA,
        "hashes": unique(record.code_hash for _, record in runs),
        "carried": {
            status: sum(row.status == status for row in results.code)
            for status in unique(row.status for row in results.code)
        },
        "without_first_losses": sum(not record.first_losses for _, record in runs),
        "machines": unique(record.machine.get("cpu", record.device) for _, record in runs),
        "scales": [_scale(results, dataset) for dataset in profile.datasets],
        "planned": sum(len(run.cells(profile.seeds)) for run in profile.datasets.values()),
        "absent": [s.name for slug, s in load_datasets().items() if slug not in profile.datasets],
        "second_wave": second_wave(results),
        "orders": [found for n in load_tables() if (found := order(results, n)) is not None],
        "scores": [found for n in load_tables() if (found := scores(results, n)) is not None],
        "overlaps": overlaps(results),
        "train_overlap": train_overlap(results),
        "subgroups": subgroups(results),
        "conditions": conditions(results),
        "protocols": protocols(results),
        "laffn": laffn(results),
        "signals": signals(results),
        "printed": printed(results.audit),
        "costs": costs(results.plan),
    }


def _scale(results: Results, dataset: str) -> dict[str, Any]:
    """What one data set was run with, and how much of it is there."""
    run = results.profile.datasets[dataset]
    spec = load_datasets()[dataset]
    names = {f"{dataset}/{p}/{m}/seed{s}" for p, m, s in run.cells(results.profile.seeds)}
    there = [(name, record) for name, record in results.runs if name in names]
    sizes = {(r.n_train, r.n_val, r.n_test) for name, r in there if f"{dataset}/paper/" in name}
    rows = [r for r in results.datasets if (r.dataset, r.protocol) == (dataset, "paper")]
    # A limit of the profile is named already, and what stands in has its own sentence.
    scale = scale_of(results.profile, dataset)
    named = scale.limited or results.stand_in(dataset)
    data = None if named or not rows else data_difference(rows, "paper")
    return {
        "name": spec.name,
        "source": scale.words("source"),
        "px": scale.words("img_size"),
        "epochs": scale.words("epochs"),
        "sizes": " or ".join(" / ".join(map(str, size)) for size in sorted(sizes)),
        "unit": "slices, test: the same" if spec.task == "segmentation" else "images",
        "seeds": ", ".join(str(s) for s in sorted({int(n.split("/seed")[1]) for n, _ in there})),
        "finished": len(there),
        "planned": len(names),
        "failed": sum(record.status != "ok" for _, record in there),
        "stand_in": results.stand_in(dataset),
        "differs": "; ".join(part for part in (scale_difference(scale, spec.task), data) if part),
    }
