"""How small a difference a design can show, judged by the joint interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

from scipy.optimize import brentq
from scipy.stats import nct, t

from mednext.metrics.joint import Joint, error_and_df


@dataclass(frozen=True)
class Components:
    """Variances of a paired difference, each for a single training and group."""

    training: float
    """Another training of both methods, on all cases."""
    group: float
    """Another group of cases, as all trainings see it."""
    cell: float
    """Another group as one training alone sees it."""


def components(pilot: Joint, seeds: int) -> Components:
    """Components behind a pilot's joint mean; an estimate below zero counts as zero."""
    shared = 0.0 if math.isnan(pilot.shared) else pilot.shared
    trainings = 0.0 if math.isnan(pilot.between_trainings) else pilot.between_trainings
    return Components(
        training=pilot.n_trainings * max(0.0, trainings - shared),
        group=pilot.n_groups * max(0.0, pilot.between_groups - shared),
        cell=pilot.n_groups * seeds * shared,
    )


def pooled(parts: Sequence[Components]) -> Components:
    """Mean of the components of several pilots: single ones rest on few seeds."""
    return Components(
        *(mean(getattr(p, name) for p in parts) for name in ("training", "group", "cell"))
    )


def power(
    effect: float, parts: Components, groups: int, seeds: int, folds: int = 1, level: float = 0.95
) -> float:
    """Probability that the joint interval excludes zero, if the true difference is ``effect``.

    Args:
        effect: true mean difference, in the unit of the pilot's values.
        parts: variances of a single training and group.
        groups: of test cases, all folds together.
        seeds: per fold.
        folds: 1 without cross-validation.
        level: of the interval.

    Example:
        >>> flat = Components(training=0.0, group=1.0, cell=0.0)
        >>> round(power(0.5, flat, groups=34, seeds=10**6), 2)  # as a paired t-test of 34
        0.81
    """
    trainings = seeds * folds
    shared = parts.cell / (seeds * groups)
    by_group, by_training = parts.group / groups + shared, parts.training / trainings + shared
    error, df = error_and_df(by_group, by_training, shared, groups, trainings)
    if math.isnan(error):
        return math.nan
    if error == 0:
        return 1.0 if effect else 1 - level
    return speaks(effect, error, df, level)


def speaks(effect: float, error: float, df: float, level: float = 0.95) -> float:
    """Probability that Student's interval with this standard error excludes zero."""
    limit, shift = t.ppf((1 + level) / 2, df), effect / error
    # The other tail is below 1e-6 there, and scipy's sum for it may not converge.
    other = nct.cdf(-limit, df, shift) if shift < 4 else 0.0
    return float(nct.sf(limit, df, shift) + other)


def detectable(
    parts: Components,
    groups: int,
    seeds: int,
    folds: int = 1,
    wanted: float = 0.8,
    level: float = 0.95,
) -> float:
    """Smallest true difference that the joint interval shows with probability ``wanted``; NaN with
    one training or one group, zero where nothing varies.
    """
    if math.isnan(power(1.0, parts, groups, seeds, folds, level)):
        return math.nan
    return _smallest(lambda e: power(e, parts, groups, seeds, folds, level), wanted)


def detectable_by(error: float, df: float, level: float = 0.95, wanted: float = 0.8) -> float:
    """The same of an interval whose standard error and degrees of freedom are known.

    Example:
        >>> round(detectable_by(1.0, 10**6), 2)  # 1.96 + 0.84
        2.8
    """
    return _smallest(lambda e: speaks(e, error, df, level), wanted) if error else 0.0


def _smallest(chance: Callable[[float], float], wanted: float) -> float:
    high = 1e-6
    while chance(high) < wanted:
        high *= 2
    return 0.0 if high == 1e-6 else float(brentq(lambda e: chance(e) - wanted, high / 2, high))
