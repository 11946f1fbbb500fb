"""The headline: which of the results tables, charts and findings show first; named here alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mednext.config import load_datasets
from mednext.results.metrics import Metric, MetricRow, PairedTest


class OfView(Protocol):
    """A row of one protocol and selection."""

    @property
    def protocol(self) -> str:
        """How the data set was split."""

    @property
    def selection(self) -> str:
        """Whose weights were judged."""


@dataclass(frozen=True)
class View:
    """Which of the results are shown; the headline is the default."""

    protocol: str = "paper"
    selection: str = "last"
    orientation: str = "non_disease"
    """Of classifiers: it alone fits the printed rows."""
    policy: str = "transunet"
    """Of segmenters, for empty masks (:data:`mednext.metrics.segmentation.POLICIES`)."""

    @property
    def suffix(self) -> str:
        """What is added to the file's name: nothing for the headline."""
        changed = [v for k, v in vars(self).items() if v != getattr(View, k)]
        return "".join(f".{value}" for value in changed)

    def holds(self, row: OfView) -> bool:
        """Whether a row is of this protocol and selection."""
        return (row.protocol, row.selection) == (self.protocol, self.selection)

    def judges(self, row: MetricRow, target: str | None = "mean") -> bool:
        """Whether a metric is of this orientation, or of this policy and ``target``."""
        if row.task == "classification":
            return row.target == self.orientation
        policy = policy_of(row.dataset) if self.policy == View.policy else self.policy
        return row.target == target and row.policy == policy


def policy_of(dataset: str) -> str:
    """The policy for empty masks: the paper's for its data sets, ``worst`` for a user's own, by
    which nothing is gained with an organ that is missed or painted where there is none.
    """
    spec = load_datasets().get(dataset)
    return View.policy if spec is not None and spec.layout is None else "worst"


HEADLINE = View()
SCORE: Mapping[str, Metric] = {"classification": Metric.ACCURACY, "segmentation": Metric.DICE}
"""Task -> the metric that methods are ranked by."""
TEST: Mapping[str, PairedTest] = {"classification": "mcnemar", "segmentation": "wilcoxon"}
"""Task -> the paired test of that metric."""
