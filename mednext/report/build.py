"""Put printed and reproduced values side by side and judge each pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev

from scipy.stats import t

from mednext.config import (
    DatasetRun,
    Profile,
    load_datasets,
    load_methods,
    load_recipes,
    method_slug,
)
from mednext.errors import UserError
from mednext.report.spec import Column, TableSpec, reported
from mednext.results import CostRow, DatasetRow, Metric, MetricRow

PAPER_SIZE = 224
MIN_SEEDS = 3
HALF_WIDTH_POINTS = 1.0


@dataclass(frozen=True)
class View:
    """Which of the results a table shows; the headline is the default."""

    protocol: str = "paper"
    selection: str = "last"
    orientation: str = "non_disease"
    policy: str = "transunet"

    @property
    def suffix(self) -> str:
        """What is added to the file's name: nothing for the headline."""
        changed = [v for k, v in vars(self).items() if v != getattr(View, k)]
        return "".join(f".{value}" for value in changed)


@dataclass(frozen=True)
class Cell:
    """One pair; values in the printed unit."""

    printed: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    verdict: str | None = None


@dataclass(frozen=True)
class Line:
    """One method."""

    slug: str
    name: str
    ours: bool
    cells: dict[str, Cell]
    status: str
    reason: str | None


@dataclass(frozen=True)
class Table:
    """One table in one view."""

    number: str
    spec: TableSpec
    view: View
    lines: list[Line]
    source: str
    scale_note: str | None
    """How this differs from the paper's scale; None if it does not."""
    setting: str | None
    """Image size, epochs, amount of data; None if the data set is not part of the profile."""

    @property
    def phantom(self) -> bool:
        """Made from synthetic data?"""
        return self.source == "phantom"


def scale_difference(run: DatasetRun, task: str) -> str | None:
    """How a run differs from the paper's scale; None if it does not."""
    recipe = load_recipes()[task]
    parts = []
    if run.source == "phantom":
        parts.append("synthetic data")
    if run.img_size != PAPER_SIZE:
        parts.append(f"{run.img_size} px instead of {PAPER_SIZE}")
    for name in ("epochs", "batch_size"):
        setting = getattr(recipe, name)
        if getattr(run, name) != setting.value:
            label = name.replace("_", " ")
            assumed = "" if setting.status == "stated" else " (assumed; the paper is silent)"
            parts.append(f"{label} {getattr(run, name)} instead of {setting.value}{assumed}")
    if run.limit is not None:
        limit = run.limit
        parts.append(f"limited to {limit.train} train / {limit.val} val / {limit.test} test")
    return "; ".join(parts) or None


def data_difference(rows: Sequence[DatasetRow], protocol: str) -> str | None:
    """How the counts of one data set and protocol differ from Table 1; None if they do not.

    Protocol ``paper`` is compared side by side; the others move items between the sides on
    purpose, so there only the total counts.
    """
    if not rows:
        return "the amount of data is not known"
    parts = [f"stand-in data: {rows[0].stand_in}"] if rows[0].stand_in else []
    for row in rows:
        ours = (row.train, row.val, row.test)
        printed = (row.printed_train or 0, row.printed_val or 0, row.printed_test or 0)
        if (ours != printed) if protocol == "paper" else (sum(ours) != sum(printed)):
            counts = " / ".join(map(str, ours)) + " instead of " + " / ".join(map(str, printed))
            parts.append(f"{row.klass or 'patients'} {counts} train / val / test")
    return "; ".join(parts) or None


def describe(run: DatasetRun, seeds: int, rows: Sequence[DatasetRow]) -> str:
    """Source, image size, epochs and amount of data of a profile's runs, in words."""
    text = (
        f"Source {run.source}; {run.img_size} px, epochs {run.epochs}, "
        f"batch size {run.batch_size}, seeds {seeds}"
    )
    if rows:
        sides = (sum(getattr(row, side) for row in rows) for side in ("train", "val", "test"))
        counts = " / ".join(str(count) for count in sides)
        text += f"; {counts} {rows[0].unit} for train / val / test"
    return text


def judge(
    printed: float,
    value: float,
    low: float | None,
    high: float | None,
    seeds: int,
    unit: float,
) -> str:
    """Verdict of a reproduced value at the paper's scale (design: 3 seeds, half-width 1 point).

    ``unit`` is one percentage point in the printed unit. Without an interval nothing is decided.
    """
    if low is None or high is None or seeds < MIN_SEEDS:
        return "inconclusive"
    if (high - low) / 2 > HALF_WIDTH_POINTS * unit:
        return "inconclusive"
    if low <= printed <= high:
        return "reproduced"
    return "higher" if value > printed else "lower"


def build(
    number: str,
    spec: TableSpec,
    view: View,
    profile: Profile,
    metrics: Sequence[MetricRow],
    costs: Sequence[CostRow],
    datasets: Sequence[DatasetRow] = (),
) -> Table:
    """One table: every printed row, and ours where there is one.

    Raises:
        UserError: a result comes from another source than the profile's.
    """
    task = load_datasets()[spec.dataset].task
    run = profile.datasets.get(spec.dataset)
    scale = setting = None
    mine: list[MetricRow] = []
    if run is not None:
        counts = [d for d in datasets if (d.dataset, d.protocol) == (spec.dataset, view.protocol)]
        both = (scale_difference(run, task), data_difference(counts, view.protocol))
        # A phantom has its own counts by design: its banner says enough.
        parts = both[:1] if run.source == "phantom" else both
        scale = "; ".join(part for part in parts if part) or None
        setting = describe(run, len(profile.seeds), counts)
        mine = [
            m
            for m in metrics
            if (m.dataset, m.protocol, m.selection) == (spec.dataset, view.protocol, view.selection)
            and m.method in run.methods
        ]
        _same_source(mine, run, profile)
    cost_of = {c.method: c for c in costs if c.verdict_params is not None}
    lines = []
    for row in reported(spec).to_dict(orient="records"):
        slug = _method(spec.slug_prefix + str(row["slug"]))
        found = [m for m in mine if m.method == slug]
        status, reason = _status(slug, spec, profile, found)
        cells = {
            column.name: _cell(column, str(row[column.name]), cost_of.get(slug), found, view, scale)
            for column in spec.columns
        }
        lines.append(
            Line(slug, str(row["method"]), row.get("is_ours") == "1", cells, status, reason)
        )
    source = run.source if run else "none"
    return Table(number, spec, view, lines, source, scale, setting)


def _method(name: str) -> str:
    """The registered slug behind a name (or alias) of the printed tables; the name, if none."""
    try:
        return method_slug(name)
    except UserError:
        return name


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
    slug: str, spec: TableSpec, profile: Profile, found: Sequence[MetricRow]
) -> tuple[str, str | None]:
    if slug not in load_methods():
        return "not run", "the method is not in this version of the suite"
    run = profile.datasets.get(spec.dataset)
    if run is None or slug not in run.methods:
        return "not run", f"not part of profile '{profile.profile}'"
    if not found:
        return "pending", "no result yet"
    bad = next((m for m in found if m.status != "ok"), None)
    return (bad.status, bad.reason) if bad else ("ok", None)


def _cell(
    column: Column,
    printed: str,
    cost: CostRow | None,
    found: Sequence[MetricRow],
    view: View,
    scale: str | None,
) -> Cell:
    if column.text:
        return Cell(printed)
    if column.cost is not None:
        if cost is None:
            return Cell(printed)
        if column.cost == "params":
            return Cell(printed, cost.params / 1e6, verdict=cost.verdict_params)
        return Cell(printed, cost.gmacs_torch, verdict=cost.verdict_gmacs)
    rows = [m for m in found if m.metric == column.metric and _shown(m, column, view)]
    known = [m for m in rows if m.value is not None]
    if not known:
        return Cell(printed)
    value, low, high = over_seeds(known)
    low = None if low is None else low * column.scale
    high = None if high is None else high * column.scale
    value *= column.scale
    verdict = "not comparable"
    if scale is None and printed:
        verdict = judge(float(printed), value, low, high, len(known), column.scale / 100)
    return Cell(printed, value, low, high, known[0].n_cases, verdict)


def over_seeds(rows: Sequence[MetricRow]) -> tuple[float, float | None, float | None]:
    """Mean over seeds and its interval, in the unit of ``metrics.csv``.

    Two uncertainties, added as squares: the test cases, which all seeds share (the mean half-width
    of the intervals), and the seeds (Student's interval of their mean). One seed shows nothing of
    the latter: its interval is that of the test cases alone.
    """
    values = [row.value for row in rows if row.value is not None]
    count = len(values)
    mean = sum(values) / count
    known = [
        (row.value - row.ci_low, row.ci_high - row.value)
        for row in rows
        if row.value is not None and row.ci_low is not None and row.ci_high is not None
    ]
    if len(known) < count:
        return mean, None, None
    below, above = (sum(halves) / count for halves in zip(*known, strict=True))
    seeds = 0.0
    if count > 1:
        seeds = float(t.ppf(0.975, count - 1)) * stdev(values) / math.sqrt(count)
    low = mean - math.hypot(below, seeds)
    high = mean + math.hypot(above, seeds)
    if str(rows[0].metric).startswith("hd95"):
        return mean, low, high
    least = -1.0 if rows[0].metric == Metric.MCC else 0.0
    return mean, max(least, low), min(1.0, high)


def _shown(row: MetricRow, column: Column, view: View) -> bool:
    if row.task == "classification":
        return row.target == view.orientation
    return row.target == column.target and row.policy == view.policy
