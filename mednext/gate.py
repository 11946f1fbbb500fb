"""The regression gate: is a new set of results worse than the reference's?

What is compared: the mean over seeds of every metric, the counted costs, and the outputs of the
untrained networks. A comparison that cannot be made is a failure, never a pass.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Literal

from scipy.stats import norm, t

from mednext.gate_rules import GateRule, GateRules
from mednext.gate_spread import FEWEST_SEEDS, Key, SpreadRow, key_of, read_spread
from mednext.results import CostRow, MetricRow, ProbeRow, read_rows

Outcome = Literal["ok", "better", "worse", "not comparable", "informational"]
HASHES = ("source_id", "setting_hash", "data_hash", "split_hash")
"""What two metrics of one experiment have in common; seeds, threads and code may differ."""


@dataclass(frozen=True)
class Finding:
    """One comparison."""

    name: str
    outcome: Outcome
    reference: float | None
    new: float | None
    tolerance: float | None
    note: str


def gate(
    reference: Path, new: Path, rules: GateRules, nondeterministic: bool = False
) -> list[Finding]:
    """Compare two folders with ``metrics.csv``, ``cost.csv`` and ``probes.csv``.

    A ``spread.csv`` in the reference says how far seeds alone move its metrics.

    Raises:
        UserError: a file is missing or malformed.
    """
    before = read_rows(reference / "metrics.csv", MetricRow)
    gated = {key_of(row) for row in before if row.status == "ok" and rules.gates(row)}
    bounds = Bounds(
        alpha=rules.alpha / max(len(gated), 1),
        factor=rules.nondeterministic_factor if nondeterministic else 1.0,
        spread=read_spread(reference),
    )
    return [
        *_metrics(before, read_rows(new / "metrics.csv", MetricRow), rules, bounds, gated),
        *_costs(read_rows(reference / "cost.csv", CostRow), read_rows(new / "cost.csv", CostRow)),
        *_probes(
            read_rows(reference / "probes.csv", ProbeRow),
            read_rows(new / "probes.csv", ProbeRow),
            rules.probe_relative,
        ),
    ]


def exit_code(findings: Iterable[Finding]) -> int:
    """1 if anything is worse, else 2 if anything could not be compared, else 0."""
    outcomes = {finding.outcome for finding in findings}
    return 1 if "worse" in outcomes else 2 if "not comparable" in outcomes or not outcomes else 0


@dataclass(frozen=True)
class Bounds:
    """What the tolerance of a metric is made from, besides its rule."""

    alpha: float
    """One-sided chance of a false alarm in this metric alone."""
    factor: float
    spread: dict[Key, SpreadRow]

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


def _run_name(row: MetricRow) -> str:
    return f"{row.dataset}/{row.protocol}/{row.method}/{row.selection}"


def name_of(row: MetricRow) -> str:
    """A metric of a run, for people."""
    policy = f"/{row.policy}" if row.policy else ""
    return f"{_run_name(row)} {row.metric} {row.target}{policy}"


def _by_metric(rows: Sequence[MetricRow]) -> dict[Key, list[MetricRow]]:
    found: dict[Key, list[MetricRow]] = defaultdict(list)
    for row in rows:
        if row.status == "ok":
            found[key_of(row)].append(row)
    return found


def _metrics(
    reference: Sequence[MetricRow],
    new: Sequence[MetricRow],
    rules: GateRules,
    bounds: Bounds,
    gated: set[Key],
) -> list[Finding]:
    """One finding per metric of the reference, and one per run of the new results that failed."""
    findings = [
        Finding(_run_name(r), "not comparable", None, None, None, f"{r.status}: {r.reason}")
        for r in new
        if r.status not in ("ok", "skipped")
    ]
    if not gated:
        note = "the reference has no metric that gate.yaml gates"
        findings.append(Finding("metrics", "not comparable", None, None, None, note))
    before, after = _by_metric(reference), _by_metric(new)
    for key, rows in before.items():
        rule = rules.metrics.get(rows[0].metric) if rows[0].metric is not None else None
        if rule is None:
            note = "no rule in gate.yaml"
            findings.append(Finding(name_of(rows[0]), "not comparable", None, None, None, note))
            continue
        finding = _metric(rows, after.get(key, []), rule, bounds)
        if key not in gated:
            note = f"{finding.outcome}; {finding.note}"
            finding = replace(finding, outcome="informational", note=note)
        findings.append(finding)
    findings += [
        Finding(name_of(rows[0]), "informational", None, _mean(rows), None, "not in the reference")
        for key, rows in after.items()
        if key not in before
    ]
    return findings


def _mean(rows: Sequence[MetricRow]) -> float | None:
    values = [row.value for row in rows if row.value is not None]
    return mean(values) if values else None


def _undefined(row: MetricRow) -> bool:
    return row.value is None or not math.isfinite(row.value)


def _metric(
    reference: Sequence[MetricRow], new: Sequence[MetricRow], rule: GateRule, bounds: Bounds
) -> Finding:
    name, old, found = name_of(reference[0]), _mean(reference), _mean(new)
    if not new:
        return Finding(name, "not comparable", old, None, None, "missing in the new results")
    for field in HASHES:
        left = {getattr(row, field) for row in reference}
        right = {getattr(row, field) for row in new}
        if left != right:
            note = f"{field} differs: {_words(left)} in the reference, {_words(right)} here"
            return Finding(name, "not comparable", old, found, None, note)
    if any(_undefined(row) for row in (*reference, *new)):
        if all(row.value is None for row in (*reference, *new)):
            return Finding(name, "ok", None, None, None, "undefined in both")
        return Finding(name, "not comparable", old, found, None, "undefined for some seed")
    assert old is not None and found is not None  # no value is None here
    tolerance, note = bounds.tolerance(rule, reference, len(new))
    gain = found - old if rule.direction == "higher" else old - found
    outcome: Outcome = "worse" if gain < -tolerance else "better" if gain > tolerance else "ok"
    return Finding(name, outcome, old, found, tolerance, note)


def _words(values: Iterable[object]) -> str:
    return ", ".join(sorted(str(value) for value in values))


def _costs(reference: Sequence[CostRow], new: Sequence[CostRow]) -> list[Finding]:
    """Counted costs are whole numbers: they must be equal."""
    found = {(row.method, row.num_classes): row for row in new}
    findings = []
    for row in reference:
        name = f"cost {row.method} ({row.num_classes} classes)"
        other = found.get((row.method, row.num_classes))
        if other is None or other.input_shape != row.input_shape:
            note = "missing in the new results" if other is None else "another input shape"
            findings.append(Finding(name, "not comparable", row.params, None, 0, note))
            continue
        if not math.isfinite(other.gmacs_torch):
            note = f"GMACs {other.gmacs_torch}"
            findings.append(Finding(name, "not comparable", row.params, other.params, 0, note))
            continue
        same = (row.params, row.gmacs_torch) == (other.params, other.gmacs_torch)
        note = f"GMACs {row.gmacs_torch} and {other.gmacs_torch}"
        findings.append(Finding(name, "ok" if same else "worse", row.params, other.params, 0, note))
    return findings


def _probes(
    reference: Sequence[ProbeRow], new: Sequence[ProbeRow], relative: float
) -> list[Finding]:
    def by_method(rows: Sequence[ProbeRow]) -> dict[str, list[float]]:
        out: dict[str, list[float]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: row.position):
            out[row.method].append(row.value)
        return out

    before, after = by_method(reference), by_method(new)
    findings = []
    for method, values in before.items():
        name = f"output of untrained {method}"
        others = after.get(method, [])
        if len(others) != len(values):
            note = f"{len(others)} values instead of {len(values)}"
            findings.append(Finding(name, "not comparable", None, None, None, note))
            continue
        if not all(map(math.isfinite, (*values, *others))):
            note = "an output is not finite"
            findings.append(Finding(name, "not comparable", None, None, None, note))
            continue
        change = max(abs(a - b) for a, b in zip(values, others, strict=True))
        tolerance = relative * max(abs(v) for v in values)
        outcome: Outcome = "ok" if change <= tolerance else "worse"
        findings.append(Finding(name, outcome, 0.0, change, tolerance, "largest change"))
    return findings
