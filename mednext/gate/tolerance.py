"""How much worse a number may be: written tolerances, and what statistics say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from scipy.stats import norm, t

from mednext.gate.rules import GateRule
from mednext.gate.seed_spread import FEWEST_SEEDS, SpreadRow
from mednext.gate.values import Key, key_of
from mednext.results import MetricRow


@dataclass(frozen=True)
class Bounds:
    """What the tolerance of a metric is made from, besides its rule."""

    alpha: float
    """One-sided chance of a false alarm in this metric alone."""
    factor: float
    spread: Mapping[Key, SpreadRow]

    def tolerance(
        self, rule: GateRule, reference: Sequence[MetricRow], n_new: int
    ) -> tuple[float, str]:
        """How much worse the mean over ``n_new`` seeds may be, and where that comes from."""
        values = [row.value for row in reference if row.value is not None]
        fixed = max(rule.absolute, rule.relative * abs(mean(values)))
        if rule.statistics == "none":
            return self.factor * fixed, "no statistics"
        if rule.statistics == "bootstrap":
            statistical, note = self._bootstrap(reference)
        else:
            statistical, note = self._seeds(reference, values, n_new)
        return self.factor * max(fixed, statistical), note

    def _seeds(
        self, reference: Sequence[MetricRow], values: Sequence[float], n_new: int
    ) -> tuple[float, str]:
        """Student's bound on the difference of two means over seeds."""
        if len(values) >= FEWEST_SEEDS:
            deviation, n, of = stdev(values), len(values), ""
        elif (row := self.spread.get(key_of(reference[0]))) is not None:
            deviation, n, of = row.deviation, row.seeds, ", spread.csv"
            if row.setting_hash != reference[0].setting_hash:
                of += " of another setting"
        else:
            return 0.0, f"seed spread unknown ({len(values)} of {FEWEST_SEEDS} seeds)"
        quantile = float(t.ppf(1 - self.alpha, n - 1))
        bound = quantile * deviation * math.sqrt(1 / n_new + 1 / len(values))
        return bound, f"seed spread {deviation:.4f} (n = {n}{of})"

    def _bootstrap(self, reference: Sequence[MetricRow]) -> tuple[float, str]:
        """The normal bound with the deviation behind the reference's 95 % intervals."""
        widths = [
            row.ci_high - row.ci_low
            for row in reference
            if row.ci_low is not None and row.ci_high is not None
        ]
        if len(widths) < len(reference):
            return 0.0, "bootstrap interval unknown"
        deviation = mean(widths) / (2 * float(norm.ppf(0.975)))
        bound = float(norm.ppf(1 - self.alpha)) * deviation
        return bound, f"bootstrap deviation {deviation:.4f} (n = {reference[0].n_cases} cases)"
