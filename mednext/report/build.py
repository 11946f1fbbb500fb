"""Put printed and reproduced values side by side and judge each pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mednext.config import DatasetRun, Profile, load_datasets, load_methods, load_recipes
from mednext.report.spec import Column, TableSpec, reported
from mednext.results import CostRow, MetricRow

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
    notes: list[str] = field(default_factory=list)

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
        if getattr(run, name) != setting.value and setting.status == "stated":
            label = name.replace("_", " ")
            parts.append(f"{label} {getattr(run, name)} instead of {setting.value}")
    if run.limit is not None:
        limit = run.limit
        parts.append(f"limited to {limit.train} train / {limit.val} val / {limit.test} test")
    return "; ".join(parts) or None


def judge(printed: float, value: float, low: float, high: float, seeds: int, unit: float) -> str:
    """Verdict of a reproduced value at the paper's scale (design: 3 seeds, half-width 1 point).

    ``unit`` is one percentage point in the printed unit.
    """
    if seeds < MIN_SEEDS or (high - low) / 2 > HALF_WIDTH_POINTS * unit:
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
) -> Table:
    """One table: every printed row, and ours where there is one."""
    task = load_datasets()[spec.dataset].task
    run = profile.datasets.get(spec.dataset)
    scale = scale_difference(run, task) if run else None
    mine = [
        m
        for m in metrics
        if m.dataset == spec.dataset
        and m.protocol == view.protocol
        and m.selection == view.selection
    ]
    cost_of = {c.method: c for c in costs if c.verdict_params is not None}
    lines = []
    for row in reported(spec).to_dict(orient="records"):
        slug = str(row["slug"])
        found = [m for m in mine if m.method == slug]
        status, reason = _status(slug, spec, profile, found)
        cells = {
            column.name: _cell(column, str(row[column.name]), cost_of.get(slug), found, view, scale)
            for column in spec.columns
        }
        lines.append(Line(slug, str(row["method"]), row["is_ours"] == "1", cells, status, reason))
    source = run.source if run else "none"
    return Table(number, spec, view, lines, source, scale)


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
    count = len(known)
    value = sum(m.value or 0.0 for m in known) / count * column.scale
    # The mean over seeds of the intervals: each covers the sampling of the test cases.
    lows = [m.value if m.ci_low is None else m.ci_low for m in known]
    highs = [m.value if m.ci_high is None else m.ci_high for m in known]
    low = sum(v or 0.0 for v in lows) / count * column.scale
    high = sum(v or 0.0 for v in highs) / count * column.scale
    verdict = "not comparable"
    if scale is None and printed:
        verdict = judge(float(printed), value, low, high, count, column.scale / 100)
    return Cell(printed, value, low, high, known[0].n_cases, verdict)


def _shown(row: MetricRow, column: Column, view: View) -> bool:
    if row.task == "classification":
        return row.target == view.orientation
    return row.target == column.target and row.policy == view.policy
