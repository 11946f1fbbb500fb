"""``FINDINGS.md``: a template filled with numbers from the small result files; none is typed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mednext.audit.schema import CellRow
from mednext.config import Profile, load_datasets
from mednext.layout import audit_cells, results_root
from mednext.report.scale import scale_difference
from mednext.report.spec import load_tables, reported
from mednext.report.wording import ALPHA, Estimate, detectable, detectable_over_seeds, estimate
from mednext.results import (
    ComparisonRow,
    DatasetRow,
    DifferenceRow,
    MetricRow,
    PlanRow,
    R,
    RankRow,
    RunRecord,
    read_rows,
)

Runs = Sequence[tuple[str, RunRecord]]
SCORE = {"classification": "accuracy_pct", "segmentation": "dsc_pct"}
TEST = {"classification": "mcnemar", "segmentation": "wilcoxon"}
OURS = {"classification": "mednext", "segmentation": "medunext"}
LAFFN = ("mednext", "mednext_nc", "mednext_sem_sdffn", "resnet18")
LAFFN_PAIRS = (
    ("mednext", "mednext_sem_sdffn", "LAFFN as printed, against no LAFFN"),
    ("mednext_nc", "mednext_sem_sdffn", "LAFFN normalised, against no LAFFN"),
    ("mednext_nc", "mednext", "LAFFN normalised, against as printed"),
    ("mednext", "resnet18", "MedNeXt as printed, against ResNet18"),
)
LAFFN_SET = "sars_cov2_ct"
IMPOSSIBLE = ("off", "no fit", "one cell off")


class Results:
    """The small files of one profile."""

    def __init__(self, profile: Profile, runs: Runs) -> None:
        self.profile, self.runs, self.root = profile, runs, results_root(profile.profile)
        self.metrics = self._rows("metrics.csv", MetricRow)
        self.tests = [r for r in self._rows("comparisons.csv", ComparisonRow) if _head(r)]
        self.ranking = [r for r in self._rows("ranking.csv", RankRow) if _head(r)]
        self.differences = self._rows("differences.csv", DifferenceRow)
        self.datasets = self._rows("datasets.csv", DatasetRow)
        self.plan = self._rows("plan_paper.csv", PlanRow)
        self.audit = read_rows(audit_cells(), CellRow)

    def _rows(self, name: str, model: type[R]) -> list[R]:
        file: Path = self.root / name
        return read_rows(file, model) if file.is_file() else []

    def pair(self, dataset: str, protocol: str, a: str, b: str) -> list[DifferenceRow]:
        """The differences of two methods, in either order, by seed."""
        return [
            row
            for row in self.differences
            if (row.dataset, row.protocol) == (dataset, protocol)
            and {row.method_a, row.method_b} == {a, b}
        ]

    def estimate(
        self, dataset: str, protocol: str, a: str, b: str, seed: int | None = None
    ) -> Estimate | None:
        """``a`` minus ``b``; None if it has not been measured."""
        rows = self.pair(dataset, protocol, a, b)
        rows = [row for row in rows if seed is None or row.seed == seed]
        return estimate(rows, rows[0].method_a != a) if rows else None


def _head(row: ComparisonRow | RankRow) -> bool:
    return (row.protocol, row.selection) == ("paper", "last")


def findings_text(profile: Profile, runs: Runs) -> str:
    """The whole report in Markdown."""
    results = Results(profile, runs)
    environment = Environment(
        loader=PackageLoader("mednext.report", "templates/findings"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  Markdown, from committed facts
    )
    environment.filters["points"] = lambda value: "–" if value is None else f"{value:.1f}"
    return environment.get_template("findings.md.j2").render(
        profile=profile,
        phantom=any(run.source == "phantom" for run in profile.datasets.values()),
        finished=len(runs),
        alpha=ALPHA,
        hashes=_unique(record.code_hash for _, record in runs),
        machines=_unique(record.machine.get("cpu", record.device) for _, record in runs),
        scales=[_scale(results, dataset) for dataset in profile.datasets],
        planned=sum(len(run.cells(profile.seeds)) for run in profile.datasets.values()),
        absent=[s.name for slug, s in load_datasets().items() if slug not in profile.datasets],
        orders=[order for n in load_tables() if (order := _order(results, n)) is not None],
        protocols=_protocols(results),
        laffn=_laffn(results),
        laffn_pairs=[_laffn_pair(results, *pair) for pair in LAFFN_PAIRS],
        impossible=_impossible(results.audit),
        impossible_counts=Counter(
            (row.table, row.rule) for row in results.audit if _cannot_be(row)
        ).items(),
        costs=_costs(results.plan),
    )


def _unique(values: Any) -> list[str]:
    return sorted({str(value) for value in values})


def _scale(results: Results, dataset: str) -> dict[str, Any]:
    """What one data set was run with, and how much of it is there."""
    run = results.profile.datasets[dataset]
    spec = load_datasets()[dataset]
    names = {f"{dataset}/{p}/{m}/seed{s}" for p, m, s in run.cells(results.profile.seeds)}
    there = [(name, record) for name, record in results.runs if name in names]
    sides = {(r.n_train, r.n_val, r.n_test) for name, r in there if f"{dataset}/paper/" in name}
    facts = [row for row in results.datasets if row.dataset == dataset]
    return {
        "name": spec.name,
        "source": run.source,
        "px": run.img_size,
        "epochs": run.epochs,
        "sides": " or ".join(" / ".join(map(str, side)) for side in sorted(sides)),
        "unit": "slices, test: the same" if spec.task == "segmentation" else "images",
        "seeds": ", ".join(str(s) for s in sorted({int(n.split("/seed")[1]) for n, _ in there})),
        "finished": len(there),
        "planned": len(names),
        "failed": sum(record.status != "ok" for _, record in there),
        "stand_in": next((row.stand_in for row in facts if row.stand_in), None),
        "differs": scale_difference(run, spec.task),
    }


def caption(results: Results, dataset: str, protocol: str, seeds: Sequence[int]) -> str:
    """The scale in one line, for the head of a table."""
    run = results.profile.datasets[dataset]
    test = sorted(
        {r.n_cases for r in results.differences if (r.dataset, r.protocol) == (dataset, protocol)}
    )
    unit = "patients" if load_datasets()[dataset].task == "segmentation" else "images"
    kind = "PHANTOM (synthetic) data; " if run.source == "phantom" else ""
    tested = f"{' or '.join(map(str, test))} test {unit}; " if test else ""
    return (
        f"{kind}{load_datasets()[dataset].name}, protocol `{protocol}`, {run.img_size} px, "
        f"epochs {run.epochs}, {tested}seed {', '.join(map(str, seeds))}; not comparable with "
        "printed values"
    )


def _order(results: Results, number: str) -> dict[str, Any] | None:
    """How the printed order of one table fares; None for tables without a data set of ours."""
    spec = load_tables()[number]
    if spec.dataset is None or spec.dataset not in results.profile.datasets:
        return None
    task, dataset = load_datasets()[spec.dataset].task, spec.dataset
    printed = {
        spec.slug_prefix + str(row["slug"]): float(row[SCORE[task]])
        for row in reported(spec).to_dict(orient="records")
        if row[SCORE[task]]
    }
    whole = f"{OURS[task]}_laffn_sem_sdffn"
    printed = {OURS[task] if slug == whole else slug: v for slug, v in printed.items()}
    seed = results.profile.seeds[0]
    pairs = [
        t
        for t in results.tests
        if (t.dataset, t.seed, t.test) == (dataset, seed, TEST[task])
        and t.method_a in printed
        and t.method_b in printed
        and printed[t.method_a] != printed[t.method_b]
        and t.value_a is not None
        and t.value_b is not None
    ]
    told = [t for t in pairs if t.p_holm is not None and t.p_holm < ALPHA]
    agrees = [
        (t.value_a or 0.0) > (t.value_b or 0.0) if printed[t.method_a] > printed[t.method_b]
        else (t.value_a or 0.0) < (t.value_b or 0.0)
        for t in told
    ]  # fmt: skip
    family = sum((t.dataset, t.seed, t.test) == (dataset, seed, TEST[task]) for t in results.tests)
    known = {m for t in pairs for m in (t.method_a, t.method_b)}
    rows = [
        row
        for row in results.differences
        if (row.dataset, row.protocol, row.seed) == (dataset, "paper", seed)
        and {row.method_a, row.method_b} <= known
    ]
    best = [r for r in results.ranking if (r.dataset, r.seed, r.rank) == (dataset, seed, 1)]
    ours = OURS[task]
    spread = median(row.deviation for row in rows) if rows else None
    n = rows[0].n_cases if rows else 0
    return {
        "title": f"Table {number}: {spec.title}",
        "caption": caption(results, dataset, "paper", [seed]),
        "methods": len(known),
        "of": len(printed),
        "pairs": len(pairs),
        "agree": sum(agrees),
        "contradict": len(agrees) - sum(agrees),
        "open": len(pairs) - len(told),
        "family": family,
        "n": n,
        "deviation": spread,
        "single": None if spread is None else detectable(spread, n),
        "holm": None if spread is None else detectable(spread, n, max(1, family)),
        "best": sorted(((r.share, r.method) for r in best if r.share >= 0.05), reverse=True),
        "ours": ours,
        "ours_first": next((r.share for r in best if r.method == ours), None),
        "against": [
            (other, printed[ours] - printed[other], found.words)
            for other in printed
            if other != ours
            and (found := results.estimate(dataset, "paper", ours, other, seed)) is not None
        ]
        if ours in printed
        else [],
    }


def _protocols(results: Results) -> list[dict[str, Any]]:
    """Accuracy (or Dice) of a method under two protocols; the first seed of each."""
    found = []
    for dataset, run in results.profile.datasets.items():
        others = [p for p in run.all_protocols if p != "paper"]
        for protocol in others:
            lines = []
            for method in dict.fromkeys(m for p, m, _ in run.cells(results.profile.seeds)):
                paper, other = (_score(results, dataset, p, method) for p in ("paper", protocol))
                if paper is None or other is None:
                    continue
                halves = [
                    None if r.ci_low is None or r.ci_high is None else 50 * (r.ci_high - r.ci_low)
                    for r in (paper, other)
                ]
                value = 100 * ((paper.value or 0.0) - (other.value or 0.0))
                bounds: tuple[float | None, float | None] = (None, None)
                if halves[0] is not None and halves[1] is not None:
                    half = math.hypot(halves[0], halves[1])
                    bounds = value - half, value + half
                texts = [_interval(r) for r in (paper, other)]
                lines.append((method, *texts, Estimate(value, *bounds).words))
            about = caption(results, dataset, protocol, [results.profile.seeds[0]])
            found.append({"protocol": protocol, "caption": about, "lines": lines})
    return found


def _score(results: Results, dataset: str, protocol: str, method: str) -> MetricRow | None:
    task = load_datasets()[dataset].task
    view = ("accuracy", "non_disease") if task == "classification" else ("dice", "mean")
    wanted = (dataset, protocol, method, "last", results.profile.seeds[0], *view)
    for r in results.metrics:
        key = (r.dataset, r.protocol, r.method, r.selection, r.seed, r.metric, r.target)
        if key == wanted and r.policy in (None, "transunet") and r.value is not None:
            return r
    return None


def _interval(row: MetricRow) -> str:
    value = 100 * (row.value or 0.0)
    if row.ci_low is None or row.ci_high is None:
        return f"{value:.1f}"
    return f"{value:.1f} [{100 * row.ci_low:.1f}, {100 * row.ci_high:.1f}] (n = {row.n_cases})"


def _laffn(results: Results) -> dict[str, Any]:
    """Accuracy of the four methods over their seeds."""
    lines = []
    for method in LAFFN:
        values = {
            r.seed: 100 * r.value
            for r in results.metrics
            if (r.dataset, r.protocol, r.method, r.selection, r.metric, r.target)
            == (LAFFN_SET, "paper", method, "last", "accuracy", "non_disease")
            and r.value is not None
        }
        known = list(values.values())
        lines.append(
            {
                "method": method,
                "seeds": len(known),
                "values": ", ".join(f"{v:.1f}" for v in known),
                "mean": mean(known) if known else None,
                "deviation": stdev(known) if len(known) > 1 else None,
            }
        )
    seeds = sorted({r.seed for r in results.metrics if r.method in LAFFN})
    there = LAFFN_SET in results.profile.datasets
    return {
        "lines": lines,
        "caption": caption(results, LAFFN_SET, "paper", seeds) if there else "not in this profile",
    }


def _laffn_pair(results: Results, a: str, b: str, words: str) -> dict[str, Any]:
    rows = results.pair(LAFFN_SET, "paper", a, b)
    joint = results.estimate(LAFFN_SET, "paper", a, b)
    each = [
        (row.seed, estimate([row], row.method_a != a).words)
        for row in sorted(rows, key=lambda row: row.seed)
    ]
    values = [100 * row.difference for row in rows]
    return {
        "words": words,
        "a": a,
        "b": b,
        "seeds": len(rows),
        "each": each,
        "joint": joint.words if joint else "not yet measured",
        "detectable": detectable_over_seeds(values),
    }


def _cannot_be(row: CellRow) -> bool:
    return row.basis == "arithmetic" and row.verdict in IMPOSSIBLE


def _impossible(rows: Sequence[CellRow]) -> list[CellRow]:
    return [row for row in rows if _cannot_be(row)]


def _costs(plan: Sequence[PlanRow]) -> dict[str, Any] | None:
    """Hours of the paper's settings: all of it, and by data set and protocol."""
    if not plan:
        return None

    def hours(rows: Sequence[PlanRow]) -> float:
        seconds = (r.trained * r.train_seconds + r.runs * r.predict_seconds for r in rows)
        return sum(seconds) / 3600

    parts = []
    for key in dict.fromkeys((row.dataset, row.protocol) for row in plan):
        rows = [row for row in plan if (row.dataset, row.protocol) == key]
        parts.append((*key, sum(row.runs for row in rows), hours(rows)))
    core = [r for r in plan if (r.dataset, r.protocol) == (LAFFN_SET, "paper")]
    core = [r for r in core if r.method in LAFFN]
    return {
        "hours": hours(plan),
        "runs": sum(row.runs for row in plan),
        "parts": parts,
        "core_hours": hours(core),
        "core_runs": sum(row.runs for row in core),
        "bases": _unique(row.basis for row in plan),
    }
