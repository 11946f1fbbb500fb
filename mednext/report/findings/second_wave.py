"""What the runs say to the questions that were asked before they were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mednext.config import load_datasets, load_profile
from mednext.config.names import display_name
from mednext.config.questions import Part, load_questions
from mednext.layout import reference_root
from mednext.report.findings.facts import Results, sample, unique
from mednext.report.findings.learning import learning_speed
from mednext.report.findings.limits import BRIEF, LIMITS
from mednext.report.findings.subgroups import subgroups
from mednext.report.findings.under import behind
from mednext.report.scale import scale_of
from mednext.report.wording import Estimate
from mednext.results import HEADLINE, RunRecord, read_rows, read_run
from mednext.results.contrasts import ContrastRow, PlannedRow

Key = tuple[str, str, str, str, str | None]
LONGER = "C"
"""The part that trains the methods of the first wave for longer."""
EQUAL = 1.0
"""Points: an interval within them says *equal*, as the protocol has it."""


def second_wave(results: Results) -> dict[str, Any] | None:
    """Each part with what was asked, how much of it is there, and what it says; None without any
    run of it.
    """
    if not results.contrasts:
        return None
    planned = reference_root("wave2") / "planned.csv"
    can_show = {_key(row): row.detectable for row in read_rows(planned, PlannedRow)}
    parts = load_questions().parts
    asked = [_part(results, name, part, can_show) for name, part in parts.items()]
    trained = {p.profile: name for name, p in parts.items() if not _evaluated_only(p)}
    for part, asked_part in zip(parts.values(), asked, strict=True):
        asked_part["weights_of"] = trained[part.profile] if _evaluated_only(part) else None
    return {
        "answered": any(x["primary"] and x["done"] for part in asked for x in part["lines"]),
        "parts": [part for part in asked if part["begun"]],
        "missing": [part for part in asked if not part["begun"]],
        "served": [section for name in elsewhere(parts.values()) for section in _served(name)],
    }


def _evaluated_only(part: Part) -> bool:
    return any(contrast.under for contrast in part.contrasts)


def elsewhere(parts: Iterable[Part]) -> list[str]:
    """The profiles whose weights are looked at beyond their own contrasts (part F)."""
    return list(dict.fromkeys(p.profile for p in parts if _evaluated_only(p)))


def _served(name: str) -> list[dict[str, Any]]:
    """Who is served worse by the weights of a profile, trained without overlap."""
    of_profile = Results(load_profile(Path("config") / f"{name}.yaml"), ())
    return subgroups(of_profile, without=("overlap_in",))


def _key(row: ContrastRow | PlannedRow) -> Key:
    return row.part, row.dataset, row.a, row.b, row.condition


def _part(
    results: Results,
    name: str,
    part: Part,
    can_show: Mapping[Key, float],
) -> dict[str, Any]:
    profile = load_profile(Path("config") / f"{part.profile}.yaml")
    folder = reference_root(part.profile)
    records = _records(folder)
    scales = [scale_of(profile, dataset) for dataset in profile.datasets]
    rows = [row for row in results.contrasts if row.part == name]
    lines = [_line(row, can_show[_key(row)]) for row in rows]
    deciding = [row for row in rows if row.selection == HEADLINE.selection]
    finished = sum(record.status == "ok" for record in records)
    # What is evaluated elsewhere has its runs from another part.
    return {
        "begun": any(row.status == "ok" for row in rows) if _evaluated_only(part) else finished > 0,
        "name": name,
        "question": part.question,
        "limits": LIMITS.get(name),
        "brief": BRIEF.get(name),
        "behind": [
            said
            for contrast in part.contrasts
            if (said := behind(folder, contrast, load_datasets()[contrast.dataset].task))
            is not None
        ],
        "finished": finished,
        "failed": sum(record.status != "ok" for record in records),
        "cells": sum(len(run.cells(profile.seeds)) for run in profile.datasets.values()),
        "hours": sum((r.wall_seconds or 0) * r.threads for r in records) / 3600,
        "machines": unique(record.machine.get("cpu", record.device) for record in records),
        "scale": ", ".join(
            f"{'/'.join(unique(scale.words(word) for scale in scales))}{unit}"
            for word, unit in (("img_size", " px"), ("epochs", " epochs"))
        ),
        "learning": learning_speed(results, deciding, folder) if name == LONGER else None,
        "lines": [line for line in lines if line["decides"]],
        "beside": [line for line in lines if not line["decides"]],
    }


def _records(folder: Path) -> list[RunRecord]:
    return [read_run(file) for file in sorted(folder.glob("runs/*/*/*/seed*/run.json"))]


def _line(row: ContrastRow, can_show: float) -> dict[str, Any]:
    return {
        "decides": row.selection == HEADLINE.selection,
        "selection": row.selection,
        "name": load_datasets()[row.dataset].name,
        "contrast": _contrast(row),
        "primary": row.primary,
        "done": row.status == "ok",
        "a": None if row.value_a is None else 100 * row.value_a,
        "b": None if row.value_b is None else 100 * row.value_b,
        "words": words(row),
        "p": row.p_holm if row.primary else None,
        "p_overlapping": row.p_overlapping,
        "most_frequent": None if row.most_frequent is None else 100 * row.most_frequent,
        "seeds": row.seeds,
        "trainings": row.trainings,
        "cases": row.n_cases,
        "groups": row.n_groups,
        "sample": sample(row.dataset, row.n_cases or 0, row.n_groups or 0),
        "can_show": 100 * can_show,
    }


def _contrast(row: ContrastRow) -> str:
    """``MedNeXt − ResNet18``, or of one method what its two protocols are; with the condition of
    both.
    """
    kind, _, detail = (row.condition or "").partition(": ")
    under = {"": "", "external": f" on {detail}", "shifted": " on corrupted images (mean)"}[kind]
    (a, _, protocol), (b, _, other) = row.a.partition("/"), row.b.partition("/")
    if (protocol, other) == ("overlap_in", "overlap_out"):
        return f"{display_name(a)}, with − without train images that overlap with test{under}"
    if protocol:
        return f"{display_name(a)}: `{protocol}` − `{other}`{under}"
    return f"{display_name(a)} − {display_name(b)}{under}"


def words(row: ContrastRow) -> str:
    """*higher* or *lower* where the corrected p-value is small, *equal* where the interval lies
    within a point, else *inconclusive*; of what is not primary, or of other weights than those that
    decide, the interval alone.
    """
    if row.status != "ok" or row.difference is None:
        return f"pending: {row.reason}"
    low, high = (None if v is None else 100 * v for v in (row.ci_low, row.ci_high))
    found = Estimate(100 * row.difference, low, high, row.p_holm)
    if not row.primary or row.selection != HEADLINE.selection:
        return f"no verdict: {found.interval}"
    within = low is not None and high is not None and low > -EQUAL and high < EQUAL
    if within and not found.told:
        return f"equal within a point: {found.interval}"
    return found.words
