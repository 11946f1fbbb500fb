"""The verdicts of docs/verdicts.md, one by one, and the interval that they rest on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from mednext.metrics.equivalence import Estimate, compare
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
        # Error 0.424 points of cases and 0.231 of four trainings, which three seeds show: 1.65 and
        # 2.92 times these are 0.97 points, 1.96 and 4.30 times 1.30: equivalent up to 1.03, other
        # from 1.30 on.
        (0.9800, "equivalent"),
        (0.9900, "equivalent"),
        (0.9910, "undecided"),
        (0.9935, "higher"),
        (0.9665, "lower"),
    ],
)
def test_verdicts_by_hand(value: float, verdict: str) -> None:
    assert judge(0.98, 0.003, ours(value), margin=0.02).verdict == verdict


def test_a_real_difference_within_the_margin_is_equivalent() -> None:
    steady = ours(0.99, of_cases=0.001, between=0.0)
    assert judge(0.98, 0.001, steady, margin=0.02).verdict == "equivalent"


def test_wide_errors_decide_nothing_and_say_what_would() -> None:
    assert judge(0.98, 0.003, ours(0.98, seeds=2), 0.02) == Judged("undecided", "3 seeds")
    # Deviation 0.8 points: t(0.95, 3) * 0.8 * sqrt(1 + 1/4) = 2.1 points with four seeds,
    # t(0.95, 4) * 0.8 * sqrt(1 + 1/5) = 1.9 with five.
    seeds = judge(0.98, 0.001, ours(0.98, of_cases=0.001, between=0.008), 0.02)
    assert seeds == Judged("undecided", "5 seeds")
    wide = ours(0.98, of_cases=0.001, between=0.008, seeds=5)
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


def test_a_printed_value_has_the_error_of_groups_and_of_one_more_training() -> None:
    mine = ours(0.9, of_cases=0.02, between=0.01)
    singly = (0.9 * 496 + 2) / 500
    alone = (singly * (1 - singly) / 500) ** 0.5
    design = 0.02 / alone
    assert printed_error(0.9, Metric.ACCURACY, mine, 496) == pytest.approx(design * alone)
    assert printed_error(0.9, Metric.DICE, mine, None) == pytest.approx(0.02)
    # Three seeds and the printed training, all of one deviation that two degrees of freedom give.
    of_seeds = ours(0.9, of_cases=0.0, between=0.01).estimate()
    assert (of_seeds.between, of_seeds.between_df) == pytest.approx((0.01 * (4 / 3) ** 0.5, 2))


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


@pytest.mark.parametrize(
    ("metric", "between"), [("accuracy", 0.005), ("accuracy", 0.02), ("dice", 0.04)]
)
def test_an_identical_method_on_another_test_side_is_seldom_called_another(
    metric: str, between: float
) -> None:
    """94 % right of 496 here and there, three seeds: at most 5 %, however much trainings differ. A
    printed value without an error was called higher or lower in 16.6 %, one whose training counted
    as known in as many where seeds differ by more than test cases do.
    """
    random = np.random.default_rng(0)
    of_cases = (0.94 * 0.06 / 496) ** 0.5
    found, repeats = [], 800
    for _ in range(repeats):
        printed = 0.94 + random.normal(0, of_cases) + random.normal(0, between)
        side = random.normal(0, of_cases)  # which all seeds share
        values = 0.94 + side + random.normal(0, between, 3)
        mine = Ours(float(values.mean()), of_cases, float(values.std(ddof=1)), 3, 496, 496)
        trials = 496 if metric == "accuracy" else None
        error = printed_error(min(printed, 1.0), Metric(metric), mine, trials)
        found.append(compare(mine.estimate(), Estimate(printed, error), 0.02))
    other = (found.count("higher") + found.count("lower")) / repeats
    # 5 %, and three standard errors of the simulation.
    assert other <= 0.05 + 3 * (0.05 * 0.95 / repeats) ** 0.5
    assert found.count("equivalent") / repeats < 0.5  # most stay open at this size


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
