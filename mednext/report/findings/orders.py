"""How the printed orders of methods fare."""

from __future__ import annotations

import math
from statistics import median
from typing import Any

from mednext.config import load_datasets
from mednext.report.findings.facts import Results, caption, headlines, unique
from mednext.report.spec import load_tables, reported
from mednext.report.wording import ALPHA, detectable
from mednext.results import HEADLINE, TEST, ComparisonRow, DifferenceRow

SCORE = {"classification": "accuracy_pct", "segmentation": "dsc_pct"}
OURS = {"classification": "mednext", "segmentation": "medunext"}


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
        ((t.value_a or 0.0) > (t.value_b or 0.0)) == (printed[t.method_a] > printed[t.method_b])
        for t in told
    ]
    family = sum((t.dataset, t.seed, t.test) == (dataset, seed, TEST[task]) for t in results.tests)
    known = {m for t in pairs for m in (t.method_a, t.method_b)}
    rows = [
        row
        for row in results.differences
        if (row.dataset, row.protocol, row.seed) == (dataset, HEADLINE.protocol, seed)
        and {row.method_a, row.method_b} <= known
    ]
    best = [r for r in results.ranking if (r.dataset, r.seed, r.rank) == (dataset, seed, 1)]
    ours = OURS[task]
    spread = median(_about_the_mean(row) for row in rows) if rows else None
    n = rows[0].n_cases if rows else 0
    return {
        "title": f"Table {number}: {spec.title}",
        "caption": caption(results, dataset, "paper", [seed]),
        "stand_in": results.stand_in(dataset),
        "methods": len(known),
        "of": len(printed),
        "pairs": len(pairs),
        "agree": sum(agrees),
        "contradict": len(agrees) - sum(agrees),
        "open": len(pairs) - len(told),
        "not_by_groups": sum(not _by_groups(results, t, seed) for t in told),
        "family": family,
        "n": n,
        "deviation": spread,
        "single": None if spread is None else detectable(spread, n),
        "holm": None if spread is None else detectable(spread, n, max(1, family)),
        "moved": _between_seeds(results, dataset),
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


def _between_seeds(results: Results, dataset: str) -> tuple[float, str, int] | None:
    """Points between the best and the worst seed of the method whose seeds differ most, that
    method and its number of seeds; None if nothing was repeated.
    """
    found = []
    for method in unique(r.method for r in results.metrics if r.dataset == dataset):
        values = [r.value or 0.0 for r in headlines(results, dataset, "paper", method).values()]
        if len(values) > 1:
            found.append((100 * (max(values) - min(values)), method, len(values)))
    return max(found, default=None)


def _about_the_mean(row: DifferenceRow) -> float:
    """Standard deviation of the paired difference of one case: what is left of its root mean square
    without the difference itself, which would make a clear lead look like noise.
    """
    return math.sqrt(max(0.0, row.deviation**2 - row.difference**2))


def _by_groups(results: Results, test: ComparisonRow, seed: int) -> bool:
    """Whether the interval from draws of whole groups excludes no difference, too."""
    axes = (test.dataset, test.protocol, test.method_a, test.method_b, seed)
    found = results.estimate(*axes)
    if found is None or found.low is None or found.high is None:
        return False
    return found.low > 0 or found.high < 0
