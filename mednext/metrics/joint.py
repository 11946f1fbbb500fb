"""A mean difference over trainings and test cases at once: both are samples.

Another training of the same networks, or other test cases, would have given another difference.
An interval over test cases alone speaks of these weights; one over seeds alone of these cases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t


@dataclass(frozen=True)
class Joint:
    """A mean with its uncertainty over trainings and groups of cases."""

    value: float
    error: float
    """Standard error; NaN with one training or one group."""
    df: float
    """Degrees of freedom of Student's t."""
    n_groups: int
    n_trainings: int
    between_groups: float
    """Variance of the mean as groups alone show it, ..."""
    between_trainings: float
    """as trainings alone show it, ..."""
    shared: float
    """and what of it both of these hold."""

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval; NaN with one training or one group."""
        half = float(t.ppf((1 + level) / 2, self.df)) * self.error
        return self.value - half, self.value + half

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of the mean being ``null``; NaN with one training or one group."""
        if self.error == 0:
            return 1.0 if self.value == null else 0.0
        return float(2 * t.sf(abs(self.value - null) / self.error, self.df))


def joint(
    values: np.ndarray, groups: Sequence[str], folds: Sequence[object] | None = None
) -> Joint:
    """Mean of (seeds, cases) values and its error; trainings and groups of cases are random.

    Two-way clustering: variance between groups, plus that between trainings, less what both hold,
    which is what group and training leave unexplained (Cameron, Gelbach & Miller 2011,
    10.1198/jbes.2010.07136; Owen 2007, 10.1214/07-AOAS122). Degrees of freedom by Satterthwaite
    (10.2307/3002019), not below those of the trainings. Simulated (tests): the
    95 % interval covers in 94 to 98 % of the cases, with 3 or 5 seeds and 20 groups or more; with 2
    seeds where they differ little.

    Args:
        values: (S, N): one value per seed and case, such as the difference of two methods.
        groups: group of each of the N cases; cases of one group stay together.
        folds: fold of each case, where each seed trains once per fold (cross-validation).

    Example:
        >>> import numpy as np
        >>> found = joint(np.array([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]]), ["a", "b", "c"])
        >>> found.value, found.n_groups, found.n_trainings
        (0.5, 3, 2)
    """
    value = float(values.mean())
    rest = values - value
    seeds = len(rest)
    group = np.unique(np.asarray(groups), return_inverse=True)[1]
    one_fold = [0] * len(group) if folds is None else folds
    fold = np.unique(np.asarray(one_fold), return_inverse=True)[1]
    n_groups, n_trainings = int(group.max()) + 1, seeds * (int(fold.max()) + 1)
    of_group = np.bincount(group, rest.sum(axis=0))
    of_training = np.concatenate([np.bincount(fold, row) for row in rest])
    # A group lies in one fold, so that a group and a seed name a cell.
    cells = np.stack([np.bincount(group, row) for row in rest])
    # What neither the group nor the training explains of a cell.
    means = of_training.reshape(seeds, -1) / np.bincount(fold)
    expected = np.stack([np.bincount(group, row[fold]) for row in means])
    of_cell = cells - of_group / seeds - expected
    parts = (
        _variance(of_group, n_groups) / values.size**2,
        _variance(of_training, n_trainings) / values.size**2,
        _variance(of_cell, n_trainings) / values.size**2,
    )
    error, df = error_and_df(*parts, n_groups, n_trainings)
    return Joint(value, error, df, n_groups, n_trainings, *parts)


def p_of_overlapping(differences: np.ndarray, test_per_train: float) -> float:
    """Two-sided p-value of the mean over trainings whose training sets overlap being 0.

    Each training counts as one value, and the variance of the mean is (1/J + n_test / n_train)
    times that between the J values, since such trainings err together (Nadeau & Bengio 2003,
    10.1023/A:1024068626366). Stricter than :func:`joint`, which knows nothing of the overlap.

    Args:
        differences: (J,) mean difference of each fold and seed.
        test_per_train: number of test cases over that of training cases.

    >>> import numpy as np
    >>> round(p_of_overlapping(np.array([1.0, 2.0, 3.0]), 0.5), 4)
    0.1598
    """
    count = len(differences)
    error = math.sqrt((1 / count + test_per_train) * float(differences.var(ddof=1)))
    if error == 0:
        return 1.0 if differences.mean() == 0 else 0.0
    return float(2 * t.sf(abs(differences.mean()) / error, count - 1))


def error_and_df(
    between_groups: float, between_trainings: float, shared: float, groups: int, trainings: int
) -> tuple[float, float]:
    """Standard error and degrees of freedom from the three variances; see :func:`joint`."""
    if min(groups, trainings) < 2:
        return math.nan, math.nan
    variance = max(between_groups + between_trainings - shared, between_groups, between_trainings)
    if variance == 0:
        return 0.0, float(trainings - 1)
    squares = between_groups**2 / (groups - 1) + between_trainings**2 / (trainings - 1)
    df = min(max(variance**2 / squares, trainings - 1), groups - 1)
    return math.sqrt(variance), df


def _variance(sums: np.ndarray, clusters: int) -> float:
    return float((sums**2).sum()) * clusters / (clusters - 1) if clusters > 1 else math.nan
