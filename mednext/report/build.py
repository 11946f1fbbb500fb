"""Put printed and reproduced values side by side and judge each pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

from mednext.config import DatasetRun, Profile, load_datasets, load_methods, method_slug
from mednext.errors import UserError
from mednext.report.audit import NOTHING, Findings
from mednext.report.model import Cell, Line, Table
from mednext.report.scale import data_difference, describe, scale_difference, scale_of
from mednext.report.spec import Column, TableSpec, reported
from mednext.report.verdicts import (
    Judged,
    judge,
    load_rules,
    ours_of,
    over_seeds,
    printed_error,
)
from mednext.results import CostRow, DatasetRow, Metric, MetricRow, View


def build(
    number: str,
    spec: TableSpec,
    view: View,
    profile: Profile,
    metrics: Sequence[MetricRow],
    costs: Sequence[CostRow],
    datasets: Sequence[DatasetRow] = (),
    findings: Findings = NOTHING,
) -> Table:
    """One table: every printed row, and ours where there is one.

    Raises:
        UserError: a result comes from another source than the profile's.
    """
    assert spec.dataset is not None  # Table 1 has several, and is built elsewhere
    task = load_datasets()[spec.dataset].task
    run = profile.datasets.get(spec.dataset)
    scale = setting = None
    mine: list[MetricRow] = []
    if run is not None:
        counts = [d for d in datasets if (d.dataset, d.protocol) == (spec.dataset, view.protocol)]
        made = scale_of(profile, spec.dataset, view.protocol)
        both = (scale_difference(made, task), data_difference(counts, view.protocol))
        # A phantom has its own counts by design: its banner says enough.
        parts = both[:1] if run.source == "phantom" else both
        scale = "; ".join(part for part in parts if part) or None
        setting = describe(made, _seeds(run, profile, view.protocol), counts)
        mine = [
            m
            for m in metrics
            if m.dataset == spec.dataset and view.holds(m) and m.method in run.methods
        ]
        _same_source(mine, run, profile)
    cost_of = {c.method: c for c in costs if c.verdict_params is not None}
    lines = []
    for row in reported(spec).to_dict(orient="records"):
        slug = _method(spec.slug_prefix + str(row["slug"]))
        found = [m for m in mine if m.method == slug]
        status, reason = _status(slug, spec, view, profile, found)
        cells = {
            column.name: replace(
                _cell(column, row, spec, cost_of.get(slug), found, view, scale),
                findings=findings.of(number, str(row["slug"]), column.name),
            )
            for column in spec.columns
        }
        lines.append(
            Line(
                slug,
                str(row["method"]),
                row.get("is_ours") == "1",
                cells,
                status,
                reason,
                run.source if run else "none",
                findings.of(number, str(row["slug"]), None),
            )
        )
    return Table(number, spec, view, lines, scale, setting)


def _method(name: str) -> str:
    """The registered slug behind a name (or alias) of the printed tables; the name, if none."""
    try:
        return method_slug(name)
    except UserError:
        return name


def _seeds(run: DatasetRun, profile: Profile, protocol: str) -> str:
    """How many seeds the methods of one protocol have: one number, or the least and the most."""
    counts = Counter(method for p, method, _ in run.cells(profile.seeds) if p == protocol)
    ends = sorted(set(counts.values()))
    return f"{ends[0]} to {ends[-1]}" if len(ends) > 1 else str(ends[0] if ends else 0)


def _same_source(rows: Sequence[MetricRow], run: DatasetRun, profile: Profile) -> None:
    """Synthetic and real results must never be taken for one another."""
    for row in rows:
        if row.source != run.source:
            raise UserError(
                f"a result of '{row.dataset}' comes from another source than the profile's",
                file=f"metrics.csv of profile '{profile.profile}'",
                found=f"source {row.source} for {row.method}",
                expected=f"source {run.source}",
                remedy="run the workflow again, so that the metrics are collected anew",
            )


def _status(
    slug: str, spec: TableSpec, view: View, profile: Profile, found: Sequence[MetricRow]
) -> tuple[str, str | None]:
    if slug not in load_methods():
        return "not run", "the method is not in this version of the suite"
    run = profile.datasets.get(str(spec.dataset))
    if run is None or slug not in run.methods:
        return "not run", f"not part of profile '{profile.profile}'"
    if (view.protocol, slug) not in {(p, m) for p, m, _ in run.cells(profile.seeds)}:
        return "not run", f"profile '{profile.profile}' does not run it under '{view.protocol}'"
    if not found:
        return "pending", "no result yet"
    bad = next((m for m in found if m.status != "ok"), None)
    return (bad.status, bad.reason) if bad else ("ok", None)


def _cell(
    column: Column,
    row: Mapping[Hashable, Any],
    spec: TableSpec,
    cost: CostRow | None,
    found: Sequence[MetricRow],
    view: View,
    scale: str | None,
) -> Cell:
    printed = str(row[column.name])
    if column.text:
        return Cell(printed)
    if column.cost is not None:
        if cost is None:
            return Cell(printed)
        if column.cost == "params":
            return Cell(printed, cost.params / 1e6, verdict=cost.verdict_params)
        return Cell(printed, cost.gmacs_torch, verdict=cost.verdict_gmacs)
    rows = [m for m in found if m.metric == column.metric and view.judges(m, column.target)]
    known = [m for m in rows if m.value is not None]
    if not known:
        return Cell(printed)
    value, low, high = over_seeds(known)
    low = None if low is None else low * column.scale
    high = None if high is None else high * column.scale
    value *= column.scale
    judged = Judged("not comparable")
    if scale is None and printed:
        rules, ours, metric = load_rules(), ours_of(known), known[0].metric
        assert metric is not None
        there = float(printed) / column.scale
        trials = printed_trials(metric, spec, row, view.orientation)
        error = printed_error(there, metric, ours, trials) if ours else 0.0
        judged = judge(there, error, ours, rules.margin(metric), rules.min_seeds)
    other = [m.value for m in found if m.metric == column.beside and view.judges(m, column.target)]
    shown = [v for v in other if v is not None] if column.beside else []
    aside = f"{mean(shown):.{column.digits}f} mm" if shown else None
    return Cell(
        printed,
        value,
        low,
        high,
        known[0].n_cases,
        judged.verdict,
        needs=judged.needs,
        aside=aside,
    )


def printed_trials(
    metric: Metric, spec: TableSpec, row: Mapping[Hashable, Any], orientation: str
) -> int | None:
    """Test cases behind a printed share, from Table 1's test size and the row's nearest whole
    matrix; None for what is no share of cases.
    """
    classes = load_datasets()[str(spec.dataset)].classes
    sizes = {c.disease: c.paper_split[2] for c in classes if c.paper_split is not None}
    if metric is Metric.ACCURACY and sizes:
        return sum(sizes.values())
    positives = sizes.get(orientation == "disease")
    if positives is None:
        return None
    texts = {c.metric: str(row[c.name]) for c in spec.columns if c.metric is not None}
    recall, precision = (
        float(text) / 100 if (text := texts.get(m)) else 1.0
        for m in (Metric.RECALL, Metric.PRECISION)
    )
    hits = max(1, round(recall * positives))
    called = max(hits, round(hits / precision)) if precision else positives
    # Of F1: it loses half of what each error takes of the hits, which stand on both sides.
    return {Metric.RECALL: positives, Metric.PRECISION: called, Metric.F1: 2 * hits}.get(metric)
