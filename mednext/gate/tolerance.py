"""How much worse a number may be: written tolerances, and what statistics say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from scipy.optimize import brentq
from scipy.stats import nct, norm, t

from mednext.errors import UserError
from mednext.gate.rules import GateRule, GateRules
from mednext.gate.seed_spread import FEWEST_SEEDS, SpreadRow, spread_rows
from mednext.gate.values import Key, key_of, name_of, read_metrics
from mednext.results import Metric, MetricRow, write_rows

FRACTIONS = frozenset(
    {Metric.ACCURACY, Metric.AUC, Metric.BRIER, Metric.DICE, Metric.PRECISION, Metric.RECALL}
    | {Metric.F1, Metric.SPECIFICITY, Metric.BALANCED_ACCURACY}
)
POWER = 0.9


@dataclass(frozen=True)
class Tolerance:
    """What a new value is compared with."""

    centre: float
    """The reference: its own mean over seeds, or that of the spread beside it."""
    value: float
    """How much worse the mean over the new seeds may be."""
    detectable: float | None
    """The regression that is seen with probability 0.9; None without a spread."""
    note: str

    @property
    def words(self) -> str:
        """Where the tolerance comes from, and what it sees."""
        if self.detectable is None:
            return self.note
        return f"{self.note}; sees {self.detectable:.3f} with power {POWER}" + (
            "; VACUOUS" * self.vacuous
        )

    @property
    def vacuous(self) -> bool:
        """Does it let everything pass?"""
        return self.value >= abs(self.centre) > 0


@dataclass(frozen=True)
class Bounds:
    """What the tolerance of a metric is made from, besides its rule."""

    alpha: float
    """One-sided chance of a false alarm in this metric alone."""
    factor: float
    spread: Mapping[Key, SpreadRow]

    def tolerance(self, rule: GateRule, reference: Sequence[MetricRow], n_new: int) -> Tolerance:
        """Reference, tolerance for the mean over ``n_new`` seeds, and where it comes from."""
        values = [row.value for row in reference if row.value is not None]
        own = mean(values)
        fixed = max(rule.absolute, rule.relative * abs(own))
        if rule.statistics == "none":
            return Tolerance(own, self.factor * fixed, None, "no statistics")
        if rule.statistics == "bootstrap":
            statistical, note = self._bootstrap(reference)
            return Tolerance(own, self.factor * max(fixed, statistical), None, note)
        return self._seeds(rule, reference, values, n_new, fixed)

    def _seeds(
        self,
        rule: GateRule,
        reference: Sequence[MetricRow],
        values: Sequence[float],
        n_new: int,
        fixed: float,
    ) -> Tolerance:
        """Student's bound on the difference of two means over seeds, on a scale on which the
        variance does not hang on the mean: arcsine of the root for fractions, log for losses.
        """
        first, centre, n_old = reference[0], mean(values), len(values)
        if len(values) >= FEWEST_SEEDS:
            deviation, n, of = stdev(values), len(values), ""
        elif (row := self.spread.get(key_of(first))) is not None:
            deviation, n, of = row.deviation, row.seeds, ", spread.csv"
            if row.setting_hash == first.setting_hash:
                centre, n_old = row.mean, row.seeds  # of one seed alone it would be less certain
            else:
                of += " of another setting"
        else:
            note = f"seed spread unknown ({len(values)} of {FEWEST_SEEDS} seeds)"
            return Tolerance(centre, self.factor * fixed, None, note)
        note = f"seed spread {deviation:.4f} (n = {n}{of})"
        root = math.sqrt(1 / n_new + 1 / n_old)
        scale = _Scale(first.metric, centre)
        spread = scale.deviation(deviation) * root
        quantile = float(t.ppf(1 - self.alpha, n - 1))
        worse = -1 if rule.direction == "higher" else 1
        bound = scale.moved(worse * quantile * spread)
        value = self.factor * max(fixed, bound)
        seen = scale.moved(worse * _shift(quantile, n - 1) * spread)
        seen = max(seen, value + float(norm.ppf(POWER)) * deviation * root)
        return Tolerance(centre, value, seen if deviation else value, note)

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


def measure(folder: Path, out: Path, rules: GateRules) -> list[SpreadRow]:
    """Write ``spread.csv`` from a folder of results with several seeds.

    Raises:
        UserError: there is nothing to measure, or a gated metric varies so much over so few seeds
            that its rule would let everything pass.
    """
    metrics = read_metrics(folder)
    rows = spread_rows(metrics)
    if not rows:
        raise UserError("there is no finished run to measure a spread of", file=folder)
    spread = {key_of(row): row for row in rows}
    bounds = Bounds(rules.alpha, 1.0, spread)
    for first in {key_of(row): row for row in metrics if rules.gates(row)}.values():
        rule = rules.metrics[first.metric] if first.metric is not None else None
        if rule is None or rule.statistics != "seeds" or key_of(first) not in spread:
            continue
        allowed = bounds.tolerance(rule, [first], 1)
        if allowed.vacuous:
            raise UserError(
                "with this spread the gate would let everything pass",
                file=folder,
                found=f"{name_of(first)}: {allowed.centre:.3f} may be {allowed.value:.3f} worse",
                expected="a tolerance below the value",
                remedy="train more seeds",
            )
    write_rows(out, SpreadRow, rows)
    return rows


@dataclass(frozen=True)
class _Scale:
    """A scale on which seeds spread alike wherever the mean lies."""

    metric: Metric | None
    centre: float

    @property
    def _fraction(self) -> bool:
        return self.metric in FRACTIONS and 0 < self.centre < 1

    @property
    def _log(self) -> bool:
        return self.metric is Metric.TRAIN_LOSS and self.centre > 0

    def deviation(self, plain: float) -> float:
        """A standard deviation on the scale (delta method)."""
        if self._fraction:
            return plain / (2 * math.sqrt(self.centre * (1 - self.centre)))
        return plain / self.centre if self._log else plain

    def moved(self, by: float) -> float:
        """How far, on the plain scale, the centre gets if moved on this one."""
        if self._fraction:
            place = math.asin(math.sqrt(self.centre)) + by
            return abs(math.sin(min(max(place, 0.0), math.pi / 2)) ** 2 - self.centre)
        return abs(self.centre * math.expm1(by)) if self._log else abs(by)


def _shift(quantile: float, df: int) -> float:
    """Shift, in standard errors, that passes the quantile of Student's t with the power wanted."""

    def lacks(shift: float) -> float:
        return float(nct.sf(quantile, df, shift)) - POWER

    return float(brentq(lacks, quantile / 2, 4 * quantile))
