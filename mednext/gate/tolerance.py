"""How much worse a number may be: written tolerances, and what statistics say."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import mean, stdev

from scipy.optimize import brentq
from scipy.stats import nct, norm, t

from mednext.errors import UserError
from mednext.gate.rules import GateRule, GateRules
from mednext.gate.seed_spread import FEWEST_SEEDS, SPREAD, SpreadRow, spread_rows
from mednext.gate.values import Key, key_of, name_of, read_metrics
from mednext.results import Metric, MetricRow, write_rows

FRACTIONS = frozenset(
    {Metric.ACCURACY, Metric.AUC, Metric.BRIER, Metric.DICE, Metric.PRECISION, Metric.RECALL}
    | {Metric.F1, Metric.SPECIFICITY, Metric.BALANCED_ACCURACY}
)
POWER = 0.9
ENOUGH_SEEDS = 5
"""With fewer a method's own deviation is too uncertain: it is pooled over the methods of the data
set, which vary alike on the scale of the tolerance as far as so few seeds can tell."""


@dataclass(frozen=True)
class Tolerance:
    """What a new value is compared with."""

    centre: float
    """The reference: its own mean over seeds, or that of the spread beside it."""
    written: float
    """How much worse the mean over the new seeds may be by ``gate.yaml`` alone."""
    value: float
    """How much worse it may be by that or by what statistics say, whichever is more."""
    detectable: float | None
    """The regression that is seen with probability 0.9; None without a spread."""
    vacuous: bool
    """Would it let everything pass? A score may then fall to nothing, a loss may double."""
    note: str

    @property
    def words(self) -> str:
        """Where the tolerance comes from, and what it sees."""
        if self.vacuous:
            return f"{self.note}; refused as vacuous: it may be {self.value:.3f} worse"
        if self.detectable is None:
            return self.note
        return f"{self.note}; sees {self.detectable:.3f} with power {POWER}"


Lent = tuple[str, ...]
"""Data set, selection, metric, target, policy: what methods lend one another their spread for."""


@dataclass(frozen=True)
class Pooled:
    """The variance between seeds of several methods, on the scale of :class:`_Scale`."""

    variance: float
    df: int
    methods: int


@dataclass(frozen=True)
class Bounds:
    """What the tolerance of a metric is made from, besides its rule."""

    alpha: float
    """One-sided chance of a false alarm in this metric alone."""
    factor: float
    spread: Mapping[Key, SpreadRow]
    lent: Mapping[Lent, Pooled] = field(default_factory=dict)
    """For methods of few seeds: the spread of all methods of the data set."""

    def tolerance(self, rule: GateRule, reference: Sequence[MetricRow], n_new: int) -> Tolerance:
        """Reference, tolerance for the mean over ``n_new`` seeds, and where it comes from."""
        values = [row.value for row in reference if row.value is not None]
        own = mean(values)
        fixed = self.factor * max(rule.absolute, rule.relative * abs(own))
        if rule.statistics == "seeds":
            return self._seeds(rule, reference, values, n_new, fixed)
        bound, note = 0.0, "no statistics"
        if rule.statistics == "bootstrap":
            bound, note = self._bootstrap(reference)
        return _tolerance(rule, own, fixed, self.factor * bound, None, note)

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
        row, known, of = self.spread.get(key_of(first)), None, ""
        if len(values) >= FEWEST_SEEDS:
            known, of = (stdev(values), len(values)), f"n = {len(values)}"
        elif row is not None:
            known, of = (row.deviation, row.seeds), f"n = {row.seeds}, {SPREAD}"
            if row.setting_hash == first.setting_hash:
                centre, n_old = row.mean, row.seeds  # of one seed alone it would be less certain
            else:
                of += " of another setting"
        scale = _Scale(first.metric, centre)
        pooled = self.lent.get(lent_key(first))
        if known is not None and (known[1] >= ENOUGH_SEEDS or pooled is None or pooled.methods < 2):
            spread, df = scale.deviation(known[0]), known[1] - 1
        elif pooled is not None:
            spread, df = math.sqrt(pooled.variance), pooled.df
            if known is not None:  # methods may differ after all
                spread = max(spread, scale.deviation(known[0]))
            of = ", ".join(filter(None, (of, f"pooled over {pooled.methods} methods, df = {df}")))
        else:
            note = f"seed spread unknown ({len(values)} of {FEWEST_SEEDS} seeds)"
            return _tolerance(rule, centre, fixed, 0.0, None, note)
        deviation = scale.plain(spread)
        note = f"seed spread {deviation:.4f} ({of})"
        error = math.sqrt(1 / n_new + 1 / n_old)
        worse = -1 if rule.direction == "higher" else 1
        quantile = float(t.ppf(1 - self.alpha, df))
        bound = self.factor * scale.moved(worse * quantile * spread * error)
        seen = scale.moved(worse * _shift(quantile, df) * spread * error)
        seen = max(seen, max(fixed, bound) + float(norm.ppf(POWER)) * deviation * error)
        return _tolerance(rule, centre, fixed, bound, seen, note)

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


def _tolerance(
    rule: GateRule, centre: float, fixed: float, bound: float, seen: float | None, note: str
) -> Tolerance:
    value = max(fixed, bound)
    # A loss that is within its written tolerance of the best has little left to get better.
    vacuous = value >= abs(centre) and (rule.direction == "higher" or bound > fixed)
    return Tolerance(centre, fixed, value, seen, vacuous, note)


def bounds_of(
    rules: GateRules, rows: Sequence[MetricRow], spread: Mapping[Key, SpreadRow], factor: float
) -> Bounds:
    """The bounds of a gate over ``rows`` of a reference. The rules' ``alpha`` is the chance of any
    false alarm: each gated metric gets an equal part of it (Bonferroni).
    """
    gated = {key_of(row) for row in rows if row.status == "ok" and rules.gates(row)}
    alpha = rules.alpha / max(1, len(gated))
    return Bounds(alpha, factor, spread, pooled(rows, spread))


def lent_key(row: MetricRow | SpreadRow) -> Lent:
    """What the spread of a number may be lent for."""
    words = (row.dataset, row.selection, row.metric, row.target, row.policy)
    return tuple(str(word or "") for word in words)


def pooled(rows: Sequence[MetricRow], spread: Mapping[Key, SpreadRow]) -> dict[Lent, Pooled]:
    """The spread of the methods that have three seeds or more, pooled over them."""
    values: dict[Key, list[float]] = defaultdict(list)
    first: dict[Key, MetricRow] = {}
    for row in rows:
        if row.status == "ok" and row.value is not None:
            values[key_of(row)].append(row.value)
            first[key_of(row)] = row
    parts: dict[Lent, list[tuple[float, int]]] = defaultdict(list)
    for key, own in values.items():
        row, measured = first[key], spread.get(key)
        if len(own) >= FEWEST_SEEDS:
            centre, deviation, df = mean(own), stdev(own), len(own) - 1
        elif measured is not None:
            centre, deviation, df = measured.mean, measured.deviation, measured.seeds - 1
        else:
            continue
        part = _Scale(row.metric, centre).deviation(deviation) ** 2, df
        parts[lent_key(row)].append(part)
    return {
        key: Pooled(
            sum(variance * df for variance, df in found) / sum(df for _, df in found),
            sum(df for _, df in found),
            len(found),
        )
        for key, found in parts.items()
    }


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
    gated = {key_of(row): row for row in metrics if rules.gates(row)}
    bounds = bounds_of(rules, metrics, spread, 1.0)
    for first in gated.values():
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

    def plain(self, deviation: float) -> float:
        """A standard deviation on the scale as one of the plain values."""
        return deviation / self.deviation(1.0)

    def moved(self, by: float) -> float:
        """How far, on the plain scale, the centre gets if moved on this one."""
        if self._fraction:
            place = math.asin(math.sqrt(self.centre)) + by
            return abs(math.sin(min(max(place, 0.0), math.pi / 2)) ** 2 - self.centre)
        return abs(self.centre * math.expm1(by)) if self._log else abs(by)


@cache
def _shift(quantile: float, df: int) -> float:
    """Shift, in standard errors, that passes the quantile of Student's t with the power wanted."""

    def lacks(shift: float) -> float:
        return float(nct.sf(quantile, df, shift)) - POWER

    return float(brentq(lacks, quantile / 2, 4 * quantile))
