"""Does the file alone reveal the label? A classifier that sees no pixel, only what the file is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy.stats import binomtest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold

from mednext.results import Leak

FOLDS = 5
FEATURES = {
    Leak.CUE_COLOUR_MODE: ("mode",),
    Leak.CUE_SIZE: ("width", "height"),
    Leak.CUE_FORMAT: ("format", "ending"),
    Leak.CUE_FILE_BYTES: ("bytes",),
    Leak.CUE_ALL: ("mode", "width", "height", "format", "ending", "bytes"),
}


@dataclass(frozen=True)
class Cue:
    """How well the label is guessed from some features of the files."""

    accuracy: float | None
    ci_low: float | None
    """95 % interval of the accuracy, groups being what was sampled."""
    ci_high: float | None
    baseline: float
    """Accuracy of always naming the most frequent class."""
    groups: int
    note: str | None = None


def cue(table: pd.DataFrame, features: tuple[str, ...]) -> Cue:
    """Cross-validate on whole groups.

    Args:
        table: ``label``, ``group`` and the features of each image (``items.csv``).
        features: names of columns; texts are taken as categories.
    """
    labels, groups = (pd.factorize(table[name])[0] for name in ("label", "group"))
    number = len(np.unique(groups))
    baseline = float(np.bincount(labels).max() / len(labels))
    per_class = table.groupby("label").group.nunique()
    folds = min(FOLDS, int(per_class.min()))
    if len(per_class) < 2 or folds < 2:
        note = "fewer than two groups of a class: cannot be cross-validated"
        return Cue(None, None, None, baseline, number, note)
    columns = [
        table[name] if is_numeric_dtype(table[name]) else pd.factorize(table[name])[0]
        for name in features
    ]
    values = np.column_stack(columns).astype(float)
    if (values == values[0]).all():
        # Of whole groups, such a classifier names the class of which fewer are held out.
        return Cue(None, None, None, baseline, number, "the same in all files: reveals nothing")
    right = np.zeros(len(labels), dtype=bool)
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    for train, test in split.split(values, labels, groups):
        model = HistGradientBoostingClassifier(max_iter=50, min_samples_leaf=5, random_state=0)
        model.fit(values[train], labels[train])
        right[test] = model.predict(values[test]) == labels[test]
    return Cue(float(right.mean()), *interval(right, groups), baseline, number)


def interval(right: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Wilson's 95 % interval of a share whose items come in groups.

    The number of trials is lowered by the design effect, the variance of the share between groups
    over that of independent items (Kish 1965); without any variance it is the number of groups.
    """
    share, n = float(right.mean()), len(right)
    sizes = np.bincount(groups)
    rest = np.bincount(groups, weights=right - share)
    count = int((sizes > 0).sum())
    between = count / max(count - 1, 1) * float((rest**2).sum()) / n**2
    independent = share * (1 - share) / n
    trials = n / max(between / independent, 1.0) if independent > 0 else float(count)
    whole = max(round(trials), 1)
    bounds = binomtest(round(share * whole), whole).proportion_ci(method="wilson")
    return float(bounds.low), float(bounds.high)
