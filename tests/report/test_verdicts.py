"""The verdicts of docs/verdicts.md, one by one, and the interval that they rest on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from mednext.metrics.statistics import wilson
from mednext.report.build import printed_trials
from mednext.report.spec import load_tables
from mednext.report.verdicts import (
    Judged,
    Ours,
    judge,
    load_rules,
    ours_of,
    over_seeds,
    printed_error,
)
from mednext.results import Metric, MetricRow

from .made_up import metric_row


def ours(value: float, of_cases: float = 0.003, between: float = 0.002, seeds: int = 3) -> Ours:
    return Ours(value, of_cases, between, seeds, n_cases=496, n_groups=496)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        # Error 0.424 points of cases and 0.231 of seeds: 0.45 with some 49 degrees of freedom, of
        # which t(0.95) is 1.68 and t(0.975) is 2.01: equivalent up to 1.24, other from 0.91 on.
        (0.9800, "equivalent"),
        (0.9920, "equivalent"),  # really another value, but within the margin
        (0.9930, "higher"),
        (0.9670, "lower"),
    ],
)
def test_verdicts_by_hand(value: float, verdict: str) -> None:
    assert judge(0.98, 0.003, ours(value), margin=0.02).verdict == verdict


def test_wide_errors_decide_nothing_and_say_what_would() -> None:
    assert judge(0.98, 0.003, ours(0.98, seeds=2), 0.02) == Judged("undecided", "3 seeds")
    # Seeds: with 10 of them the error falls from 1.2 points to 0.66.
    seeds = judge(0.98, 0.001, ours(0.98, of_cases=0.001, between=0.02), 0.02)
    assert seeds.verdict == "undecided" and str(seeds.needs).endswith("seeds")
    k = int(str(seeds.needs).split()[0])
    wide = ours(0.98, of_cases=0.001, between=0.02, seeds=k)
    assert judge(0.98, 0.001, wide, 0.02).verdict == "equivalent"
    cases = judge(0.98, 0.001, ours(0.98, of_cases=0.02, between=0.0), 0.02)
    assert cases == Judged("undecided", "3 seeds and 1488 test cases")
    hopeless = judge(0.98, 0.05, ours(0.98), 0.02)
    assert hopeless == Judged(
        "undecided", "nothing here: the printed value's own error is too large"
    )
    assert judge(0.98, 0.001, None, 0.02).verdict == "undecided"


def test_a_perfect_row_can_be_decided() -> None:
    """488 of 496 right, printed and here: within one point that was out of reach."""
    share = 488 / 496
    rows = [
        metric_row(seed=s, value=share, ci_low=low, ci_high=high)
        for s in range(3)
        for low, high in [wilson(488, 496)]
    ]
    mine = ours_of(rows)
    assert mine is not None
    error = printed_error(share, Metric.ACCURACY, mine, 496)
    # sqrt(490 / 500 * 10 / 500 / 500): Agresti and Coull's centre
    assert error == pytest.approx((0.98 * 0.02 / 500) ** 0.5)
    margin = load_rules().margin(Metric.ACCURACY)
    assert judge(share, error, mine, margin).verdict == "equivalent"
    assert judge(share, error, mine, 0.01).verdict == "undecided"


def test_a_printed_value_has_the_error_of_a_training_and_of_groups() -> None:
    mine = ours(0.9, of_cases=0.02, between=0.01)
    singly = (0.9 * 496 + 2) / 500
    design = 0.02 / (singly * (1 - singly) / 500) ** 0.5
    alone = (singly * (1 - singly) / 500) ** 0.5
    assert printed_error(0.9, Metric.ACCURACY, mine, 496) == pytest.approx(
        ((design * alone) ** 2 + 0.01**2) ** 0.5
    )
    assert printed_error(0.9, Metric.DICE, mine, None) == pytest.approx((0.02**2 + 0.01**2) ** 0.5)


@pytest.mark.parametrize(
    ("metric", "trials"),
    [
        (Metric.ACCURACY, 496),
        (Metric.RECALL, 246),  # without the disease
        (Metric.PRECISION, 241),  # 235 hits at 95.53 % of recall and 97.51 % of precision
        (Metric.F1, 470),
        (Metric.AUC, None),
    ],
)
def test_the_cases_behind_a_printed_share(metric: Metric, trials: int | None) -> None:
    """Table 2, ResNet50: 96.57 % accuracy, P 97.51, R 95.53 of 246 and 250 images."""
    spec = load_tables()["2"]
    row = {c.name: "" for c in spec.columns} | {"precision_pct": "97.51", "recall_pct": "95.53"}
    assert printed_trials(metric, spec, row, "non_disease") == trials


def test_an_identical_method_on_another_test_side_is_seldom_called_another() -> None:
    """94 % right of 496 here and there, three seeds that differ by 0.5 points: at most 5 %, where
    a printed value without an error was called higher or lower in 16.6 %.
    """
    random = np.random.default_rng(0)
    counts: dict[str, int] = {}
    repeats = 2000
    for _ in range(repeats):
        printed = random.binomial(496, np.clip(0.94 + random.normal(0, 0.005), 0, 1)) / 496
        side = random.normal(0, (0.94 * 0.06 / 496) ** 0.5)  # which all seeds share
        values = np.clip(0.94 + side + random.normal(0, 0.005, 3), 0, 1)
        mine = Ours(
            float(values.mean()), (0.94 * 0.06 / 496) ** 0.5, float(values.std(ddof=1)), 3, 496, 496
        )
        error = printed_error(printed, Metric.ACCURACY, mine, 496)
        verdict = judge(printed, error, mine, 0.02).verdict
        counts[verdict] = counts.get(verdict, 0) + 1
    assert (counts.get("higher", 0) + counts.get("lower", 0)) / repeats <= 0.05
    assert counts.get("equivalent", 0) / repeats < 0.5  # most stay open at this size


def test_the_legend_names_every_margin() -> None:
    rules = load_rules()
    assert rules.min_seeds == 3
    assert all(m.words in rules.sentence for m in rules.margins.values())


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
