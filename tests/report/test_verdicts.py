"""The verdicts of docs/verdicts.md, one by one, and the interval that they rest on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from mednext.report.verdicts import judge, load_rules, over_seeds
from mednext.results import Metric, MetricRow

from .made_up import metric_row


@pytest.mark.parametrize(
    ("low", "high", "value", "seeds", "verdict"),
    [
        (97.9, 98.9, 98.5, 3, "reproduced"),
        (98.39, 99.0, 98.7, 3, "reproduced"),  # the printed value on the bound counts as inside
        (98.5, 99.5, 99.0, 3, "higher"),
        (97.0, 98.3, 97.7, 3, "lower"),
        (97.9, 98.9, 98.5, 2, "inconclusive"),  # too few seeds
        (98.5, 99.5, 99.0, 2, "inconclusive"),
        (97.0, 99.1, 98.0, 5, "inconclusive"),  # half-width 1.05 points
        (97.3, 99.3, 98.3, 5, "reproduced"),  # half-width exactly 1 point
        (None, 99.0, 98.7, 5, "inconclusive"),
        (98.0, None, 98.7, 5, "inconclusive"),
    ],
)
def test_verdicts_of_a_percentage(
    low: float | None, high: float | None, value: float, seeds: int, verdict: str
) -> None:
    margin = 100 * load_rules().margin(Metric.ACCURACY)
    assert judge(98.39, value, low, high, seeds, margin, load_rules().min_seeds) == verdict


@pytest.mark.parametrize(
    ("metric", "printed", "inside", "too_wide"),
    [
        (Metric.AUC, 0.9988, (0.9900, 0.9990), (0.9870, 0.9990)),  # +- 0.0045, 0.006
        (Metric.DICE, 0.9128, (0.8900, 0.9290), (0.8700, 0.9290)),  # +- 1.95, 2.95 points
        (Metric.HD95_POOLED_MM, 23.96, (21.0, 26.9), (20.0, 26.9)),  # +- 2.95, 3.45 mm
        (Metric.HD95_MAX_VOX, 23.96, (21.0, 26.9), (20.0, 26.9)),
        (Metric.F1, 0.9835, (0.9750, 0.9940), (0.9700, 0.9940)),  # +- 0.95, 1.2 points
        (Metric.PRECISION, 0.9835, (0.9750, 0.9940), (0.9700, 0.9940)),
        (Metric.RECALL, 0.9835, (0.9750, 0.9940), (0.9700, 0.9940)),
    ],
)
def test_each_kind_of_metric_has_its_margin(
    metric: Metric, printed: float, inside: tuple[float, float], too_wide: tuple[float, float]
) -> None:
    margin = load_rules().margin(metric)
    assert judge(printed, sum(inside) / 2, *inside, 3, margin) == "reproduced"
    assert judge(printed, sum(too_wide) / 2, *too_wide, 3, margin) == "inconclusive"
    below = inside[0] - (inside[1] - inside[0]), inside[0] - 1e-4
    assert judge(printed, sum(below) / 2, *below, 3, margin) == "lower"
    above = tuple(2 * printed - v for v in reversed(below))
    assert judge(printed, sum(above) / 2, *above, 3, margin) == "higher"


def test_the_design_asks_for_three_seeds_and_one_point() -> None:
    rules = load_rules()
    assert rules.min_seeds == 3
    assert rules.margin(Metric.ACCURACY) == 0.01
    assert all(
        f"{m.words} for {k}" in rules.sentence
        for k, m in rules.margins.items()
        if k in ("auc", "dice", "hd95")
    )


def test_one_seed_has_the_interval_of_its_cases() -> None:
    row = metric_row(value=0.99, ci_low=0.97, ci_high=0.995)
    assert over_seeds([row]) == pytest.approx((0.99, 0.97, 0.995))


def test_seeds_that_differ_widely_stay_inside_the_possible() -> None:
    rows = [metric_row(seed=s, value=v, ci_low=v, ci_high=v) for s, v in enumerate((0.9, 1.0))]
    # Student's quantile for one degree of freedom is 12.7
    mean, low, high = over_seeds(rows)
    assert mean == pytest.approx(0.95) and low == pytest.approx(0.95 - 12.706 * 0.05, abs=1e-3)
    assert high == 1.0


def test_a_distance_is_never_negative_and_may_exceed_one() -> None:
    rows = [
        metric_row(seed=s, metric="hd95_pooled_mm", value=v, ci_low=v, ci_high=v + 1)
        for s, v in enumerate((1.0, 9.0))
    ]
    mean, low, high = over_seeds(rows)
    assert (mean, low) == (5.0, 0.0) and high is not None and high > 9


@pytest.mark.parametrize("of_seeds", [0.0, 0.003, 0.01, 0.03])
def test_coverage_over_three_seeds(of_seeds: float) -> None:
    """Test cases that all seeds share (standard error 0.01, 30 groups) and what each seed adds."""
    random = np.random.default_rng(0)
    base: MetricRow = metric_row()
    hits, repeats = 0, 3000
    for _ in range(repeats):
        values = 0.8 + random.normal(0, 0.01) + random.normal(0, of_seeds, 3)
        half = t.ppf(0.975, 29) * 0.01 * np.sqrt(random.chisquare(29) / 29)
        rows = [
            base.model_copy(update={"seed": s, "value": v, "ci_low": v - half, "ci_high": v + half})
            for s, v in enumerate(values.tolist())
        ]
        _, low, high = over_seeds(rows)
        assert low is not None and high is not None
        hits += low <= 0.8 <= high
    assert 0.92 <= hits / repeats <= 0.98
