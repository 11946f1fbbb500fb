"""Power of the joint interval: against textbook tests and against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from mednext.metrics.joint import joint
from mednext.metrics.power import Components, components, detectable, pooled, power

ACDC = Components(training=0.03**2, group=0.05**2, cell=0.04**2)


def simulated(
    parts: Components, groups: int, seeds: int, folds: int, random: np.random.Generator
) -> np.ndarray:
    """(seeds, groups) differences without an effect, one case per group."""
    fold = np.arange(groups) % folds
    training = random.normal(0, math.sqrt(parts.training), (seeds, folds))[:, fold]
    group = random.normal(0, math.sqrt(parts.group), groups)
    return training + group + random.normal(0, math.sqrt(parts.cell), (seeds, groups))


def test_without_training_effects_it_is_the_paired_t_test() -> None:
    parts = Components(training=0.0, group=4.0, cell=0.0)
    expected = TTestPower().power(effect_size=1.0 / 2, nobs=25, alpha=0.05)
    assert power(1.0, parts, groups=25, seeds=10**6) == pytest.approx(expected, abs=0.002)


@pytest.mark.parametrize(("groups", "seeds", "folds"), [(20, 5, 1), (60, 3, 5)])
def test_the_detectable_difference_is_found_with_the_promised_power(
    groups: int, seeds: int, folds: int
) -> None:
    effect = detectable(ACDC, groups, seeds, folds)
    random = np.random.default_rng(1)
    names, fold = [str(g) for g in range(groups)], [g % folds for g in range(groups)]
    found, repeats = 0, 800
    for _ in range(repeats):
        values = simulated(ACDC, groups, seeds, folds, random) + effect
        low, high = joint(values, names, fold).interval()
        found += not low <= 0 <= high
    assert found / repeats == pytest.approx(0.8, abs=0.06)


def test_components_are_recovered_from_a_pilot() -> None:
    random = np.random.default_rng(2)
    names = [str(g) for g in range(200)]
    pilots = [joint(simulated(ACDC, 200, 4, 1, random), names) for _ in range(60)]
    found = pooled([components(pilot, 4) for pilot in pilots])
    assert found.group == pytest.approx(ACDC.group, rel=0.15)
    assert found.cell == pytest.approx(ACDC.cell, rel=0.35)
    assert found.training == pytest.approx(ACDC.training, rel=0.35)


def test_one_training_can_show_nothing_over_trainings() -> None:
    assert math.isnan(detectable(ACDC, groups=20, seeds=1))


def test_more_seeds_groups_and_folds_show_smaller_differences() -> None:
    base = detectable(ACDC, 20, 3)
    assert detectable(ACDC, 20, 5) < base
    assert detectable(ACDC, 20, 3, folds=5) < base
    # Where trainings differ, more groups also cost degrees of freedom.
    stable = Components(training=0.0, group=ACDC.group, cell=ACDC.cell)
    assert detectable(stable, 40, 3) < detectable(stable, 20, 3) < base
