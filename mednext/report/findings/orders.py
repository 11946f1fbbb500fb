"""How the printed orders of methods fare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from scipy.stats import t

from mednext.config import load_datasets
from mednext.report.findings.facts import Results, caption, sample
from mednext.report.findings.training import ceiling, training
from mednext.report.spec import load_tables, reported
from mednext.report.wording import ALPHA, Estimate
from mednext.results import TEST, ComparisonRow
from mednext.results.orders import Basis, OrderRow

SCORE = {"classification": "accuracy_pct", "segmentation": "dsc_pct"}
OURS = {"classification": "mednext", "segmentation": "medunext"}
BY_GROUP = "sign_flip"


def printed_scores(number: str) -> dict[str, float]:
    """Method -> printed accuracy or Dice (%) of one table; the whole model by its own name."""
    spec = load_tables()[number]
    assert spec.dataset is not None, number
    task = load_datasets()[spec.dataset].task
    printed = {
        spec.slug_prefix + str(row["slug"]): float(row[SCORE[task]])
        for row in reported(spec).to_dict(orient="records")
        if row[SCORE[task]]
    }
    whole = f"{OURS[task]}_laffn_sem_sdffn"
    return {OURS[task] if slug == whole else slug: value for slug, value in printed.items()}


def order(results: Results, number: str) -> dict[str, Any] | None:
    """How the printed order of one table fares; None for tables without a data set of ours."""
    spec = load_tables()[number]
    if spec.dataset is None or spec.dataset not in results.profile.datasets:
        return None
    task, dataset = load_datasets()[spec.dataset].task, spec.dataset
    printed = printed_scores(number)
    seed = results.profile.seeds[0]
    tests = [t for t in results.tests if (t.dataset, t.seed) == (dataset, seed)]
    of_cases = [row for row in tests if row.test == TEST[task] and _differ(row, printed)]
    orders = [
        row
        for row in results.orders
        if (row.dataset, row.protocol) == (dataset, "paper") and _differ(row, printed)
    ]
    over, borrowed = (
        _counts([row for row in orders if row.basis == basis], printed)
        for basis in ("seeds", "borrowed")
    )
    best = [r for r in results.ranking if (r.dataset, r.seed, r.rank) == (dataset, seed, 1)]
    ours = OURS[task]
    return {
        "title": f"Table {number}: {spec.title}",
        "caption": caption(results, dataset, "paper", [seed]),
        "stand_in": results.stand_in(dataset),
        "methods": len({m for row in of_cases for m in (row.method_a, row.method_b)}),
        "of": len(printed),
        "pairs": len(of_cases),
        "over": over,
        "one_seed": len(of_cases) - (over["pairs"] if over else 0),
        "borrowed": borrowed,
        "weights": _of_these_weights(of_cases, tests),
        "ranked": len(best),
        "best": sorted(((r.share, r.method) for r in best if r.share >= 0.05), reverse=True),
        "ours": ours,
        "ours_first": next((r.share for r in best if r.method == ours), None),
        "training": training(results, dataset, seed),
        "ceiling": ceiling(results, dataset),
        "against": [
            (other, printed[ours] - printed[other], *words)
            for other in printed
            if other != ours and (words := _words(results, dataset, ours, other, seed)) is not None
        ]
        if ours in printed
        else [],
    }


def _differ(row: ComparisonRow | OrderRow, printed: Mapping[str, float]) -> bool:
    """Are both methods printed, with different scores?"""
    a, b = printed.get(row.method_a), printed.get(row.method_b)
    return a is not None and b is not None and a != b


def _counts(rows: Sequence[OrderRow], printed: Mapping[str, float]) -> dict[str, Any] | None:
    """How many pairs stand in the printed order, in the opposite one, or in none."""
    if not rows:
        return None
    told = [row for row in rows if row.p_holm < ALPHA]
    agree = sum((r.difference > 0) == (printed[r.method_a] > printed[r.method_b]) for r in told)
    return {
        "pairs": len(rows),
        "agree": agree,
        "contradict": len(told) - agree,
        "open": len(rows) - len(told),
        "seeds": sorted({row.seeds.replace(" ", ", ") for row in rows}),
        "family": rows[0].family,
        "design_effect": median(row.design_effect for row in rows),
        "single": 100 * median(row.detectable for row in rows),
        "holm": 100 * median(row.detectable_holm for row in rows),
        "from": rows[0].borrowed_from,
        "sample": sample(rows[0].dataset, rows[0].n_cases, rows[0].n_groups),
    }


def _of_these_weights(
    of_cases: Sequence[ComparisonRow], tests: Sequence[ComparisonRow]
) -> dict[str, Any]:
    """Significant pairs of the first seed's weights: by cases, by groups, both after Holm."""
    pairs = {(row.method_a, row.method_b) for row in of_cases}
    groups = {(r.method_a, r.method_b): r.p_holm for r in tests if r.test == BY_GROUP}
    told = {(r.method_a, r.method_b) for r in of_cases if r.p_holm is not None and r.p_holm < ALPHA}
    told_by_group = {pair for pair in pairs if (p := groups.get(pair)) is not None and p < ALPHA}
    return {
        "by_case": len(told),
        "by_group": len(told_by_group),
        "lost": len(told - told_by_group),
        "family": sum(r.test == BY_GROUP for r in tests),
    }


def _words(
    results: Results, dataset: str, ours: str, other: str, seed: int
) -> tuple[str, str] | None:
    """What is said of our lead over seeds, and with the seed variance of others."""
    single = results.estimate(dataset, "paper", ours, other, seed)
    if single is None:
        return None
    over, borrowed = (placed(results, dataset, ours, other, b) for b in ("seeds", "borrowed"))
    return (
        over.words if over else "one seed",
        borrowed.words if borrowed else f"{single.value:+.1f} points, no seeds to borrow from",
    )


def placed(results: Results, dataset: str, a: str, b: str, basis: Basis) -> Estimate | None:
    """``a`` minus ``b`` with the 95 % interval of this pair alone, and p after Holm over all pairs;
    None if there is no such comparison.
    """
    found = row_of(results, dataset, a, b, basis)
    if found is None:
        return None
    value = 100 * found.difference * (1 if found.method_a == a else -1)
    half = 100 * float(t.ppf(0.975, found.df)) * found.error
    return Estimate(value, value - half, value + half, found.p_holm)


def row_of(results: Results, dataset: str, a: str, b: str, basis: Basis) -> OrderRow | None:
    """The row of two methods under the paper's protocol, whichever comes first."""
    axes = dataset, "paper", basis
    for row in results.orders:
        pair = {row.method_a, row.method_b}
        if pair == {a, b} and (row.dataset, row.protocol, row.basis) == axes:
            return row
    return None
