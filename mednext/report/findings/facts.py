"""The small result files behind the findings, and what every section asks of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mednext.audit.schema import CellRow
from mednext.config import Profile, load_datasets
from mednext.layout import CODE, audit_cells, results_root
from mednext.report.scale import scale_of
from mednext.report.wording import Estimate, estimate
from mednext.results import (
    HEADLINE,
    SCORE,
    CodeRow,
    ComparisonRow,
    CurveRow,
    DatasetRow,
    DifferenceRow,
    LeakageRow,
    MetricRow,
    OverlapRow,
    PlanRow,
    R,
    RankRow,
    RunRecord,
    SignalRow,
    read_rows,
    unconditional,
)
from mednext.results.conditions import ConditionRow
from mednext.results.contrasts import ContrastRow
from mednext.results.orders import CeilingRow, OrderRow
from mednext.results.protocols import SharedRow
from mednext.results.subgroups import SubgroupRow

Runs = Sequence[tuple[str, RunRecord]]
LAFFN = {
    "sars_cov2_ct": ("mednext", "mednext_nc", "mednext_sem_sdffn", "resnet18"),
    "acdc": ("medunext", "medunext_nc", "medunext_sem_sdffn"),
}
"""Data set -> the methods that ask what LAFFN contributes there, most with several seeds."""


class Results:
    """The small files of one profile."""

    def __init__(self, profile: Profile, runs: Runs) -> None:
        self.profile, self.runs, self.root = profile, runs, results_root(profile.profile)
        self.metrics = unconditional(self._rows("metrics.csv", MetricRow))
        self.tests = [r for r in self._rows("comparisons.csv", ComparisonRow) if HEADLINE.holds(r)]
        self.ranking = [r for r in self._rows("ranking.csv", RankRow) if HEADLINE.holds(r)]
        self.orders = self._rows("orders.csv", OrderRow)
        self.shared = self._rows("shared.csv", SharedRow)
        self.ceilings = self._rows("ceiling.csv", CeilingRow)
        self.curves = self._rows("curves.csv", CurveRow)
        self.differences = self._rows("differences.csv", DifferenceRow)
        self.datasets = self._rows("datasets.csv", DatasetRow)
        self.leakage = self._rows("leakage.csv", LeakageRow)
        self.train_overlap = self._rows("train_overlap.csv", OverlapRow)
        self.subgroups = self._rows("subgroups.csv", SubgroupRow)
        self.conditions = self._rows("conditions.csv", ConditionRow)
        self.contrasts = self._rows("contrasts.csv", ContrastRow)
        self.signal = self._rows("signal.csv", SignalRow)
        self.plan = self._rows("plan_paper.csv", PlanRow)
        self.code = self._rows(CODE, CodeRow)
        self.audit = read_rows(audit_cells(), CellRow)

    def _rows(self, name: str, model: type[R]) -> list[R]:
        file: Path = self.root / name
        return read_rows(file, model) if file.is_file() else []

    def stand_in(self, dataset: str) -> str | None:
        """What the data really are, if they only stand in for the data set."""
        rows = [row for row in self.datasets if row.dataset == dataset]
        return next((row.stand_in for row in rows if row.stand_in), None)

    def named(self, dataset: str) -> str:
        """The name of a data set, and whether other data stand in for it."""
        name = load_datasets()[dataset].name
        return f"{name} (STAND-IN)" if self.stand_in(dataset) else name

    def pair(self, dataset: str, protocol: str, a: str, b: str) -> list[DifferenceRow]:
        """The differences of two methods, in either order, by seed."""
        return [
            row
            for row in self.differences
            if (row.dataset, row.protocol) == (dataset, protocol)
            and {row.method_a, row.method_b} == {a, b}
        ]

    def estimate(self, dataset: str, protocol: str, a: str, b: str, seed: int) -> Estimate | None:
        """``a`` minus ``b`` in one seed; None if it has not been measured."""
        rows = [row for row in self.pair(dataset, protocol, a, b) if row.seed == seed]
        return estimate(rows[0], rows[0].method_a != a) if rows else None


def unique(values: Iterable[object]) -> list[str]:
    """Each text once, sorted."""
    return sorted({str(value) for value in values})


def sample(dataset: str, cases: int, groups: int, kind: str = "") -> str:
    """What was tested: ``20 patients``, ``372 images of 220 groups``; ``kind`` stands before it."""
    unit = "patients" if load_datasets()[dataset].task == "segmentation" else "images"
    return f"{cases} {kind}{unit}" + (f" of {groups} groups" if groups < cases else "")


def caption(results: Results, dataset: str, protocol: str, seeds: Sequence[int]) -> str:
    """The scale in one line, for the head of a table."""
    scale = scale_of(results.profile, dataset, protocol)
    rows = [r for r in results.differences if (r.dataset, r.protocol) == (dataset, protocol)]
    test = sorted({(r.n_cases, r.n_groups) for r in rows})
    kind = "PHANTOM (synthetic) data; " if scale.phantom else ""
    if stand_in := results.stand_in(dataset):
        kind = f"STAND-IN data ({stand_in}), not the data set itself; "
    sizes = (sample(dataset, n, g, "test ") for n, g in test)
    tested = f"{' or '.join(sizes)}; " if test else ""
    made = f"{scale.words('img_size')} px, epochs {scale.words('epochs')}, {scale.precision}"
    return (
        f"{kind}{load_datasets()[dataset].name}, protocol `{protocol}`, {made}, {tested}"
        f"seed {', '.join(map(str, seeds))}; not comparable with printed values"
    )


def headlines(results: Results, dataset: str, protocol: str, method: str) -> dict[int, MetricRow]:
    """Seed -> accuracy or mean Dice of its last weights; only what has been measured."""
    view = replace(HEADLINE, protocol=protocol)
    wanted = (dataset, method, SCORE[load_datasets()[dataset].task])
    return {
        r.seed: r
        for r in results.metrics
        if (r.dataset, r.method, r.metric) == wanted
        and view.holds(r)
        and view.judges(r)
        and r.value is not None
    }


def headline(results: Results, dataset: str, protocol: str, method: str) -> MetricRow | None:
    """The same of the profile's first seed; None if it has not been measured."""
    return headlines(results, dataset, protocol, method).get(results.profile.seeds[0])


def interval_words(row: MetricRow) -> str:
    """A score in percent with its 95 % interval, its cases and, where these are fewer, groups."""
    value = 100 * (row.value or 0.0)
    if row.ci_low is None or row.ci_high is None:
        return f"{value:.1f}"
    interval = f"{value:.1f} [{100 * row.ci_low:.1f}, {100 * row.ci_high:.1f}]"
    cases, groups = row.n_cases, row.n_groups
    grouped = cases is not None and groups is not None and groups < cases
    return f"{interval} (n = {cases}{f' of {groups} groups' if grouped else ''})"
