"""The regression gate: is a new set of results worse than the reference's?

What is compared: the mean over seeds of every metric, the last training loss among them, the
counted costs, the outputs of the untrained networks, and the losses of the first steps. A
comparison that cannot be made is a failure, never a pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

from mednext.gate.findings import Finding, Outcome
from mednext.gate.first_losses import compare_first_losses
from mednext.gate.rules import GateRule, GateRules
from mednext.gate.seed_spread import read_spread
from mednext.gate.subset import check_parts, chosen, unmatched
from mednext.gate.tolerance import Bounds, bounds_of
from mednext.gate.values import Key, key_of, name_of, read_metrics, run_name
from mednext.results import CostRow, MetricRow, ProbeRow, grouped, read_rows

HASHES = ("source_id", "setting_hash", "data_hash", "split_hash")
"""What two metrics of one experiment have in common; seeds, threads and code may differ."""


def gate(
    reference: Path,
    new: Path,
    rules: GateRules,
    nondeterministic: bool = False,
    only: Sequence[str] = (),
) -> list[Finding]:
    """Compare two folders with ``metrics.csv``, ``cost.csv`` and ``probes.csv``.

    A ``spread.csv`` in the reference says how far seeds alone move its numbers. ``only`` names
    the cells that are compared (:mod:`mednext.gate.subset`); by default all are.

    Raises:
        UserError: a file is missing or malformed, or a part is.
    """
    check_parts(only)
    everything = read_metrics(reference)
    before, after = chosen(everything, only), chosen(read_metrics(new), only)
    factor = rules.nondeterministic_factor if nondeterministic else 1.0
    bounds = bounds_of(rules, before, read_spread(reference), factor)
    methods = {value.method for value in before}
    costs = [
        r for r in read_rows(reference / "cost.csv", CostRow) if not only or r.method in methods
    ]
    probes = [
        r for r in read_rows(reference / "probes.csv", ProbeRow) if not only or r.method in methods
    ]
    missing = "the reference has no such cell"
    return [
        *(
            Finding(part, "not comparable", None, None, None, missing)
            for part in unmatched(everything, only)
        ),
        *_values(before, after, rules, bounds),
        *_costs(costs, read_rows(new / "cost.csv", CostRow)),
        *_probes(probes, read_rows(new / "probes.csv", ProbeRow), rules.probe_relative),
        *compare_first_losses(reference, new, rules.first_losses, factor, only),
    ]


def exit_code(findings: Iterable[Finding]) -> int:
    """1 if anything is worse, else 2 if anything could not be compared, else 0."""
    outcomes = {finding.outcome for finding in findings}
    return 1 if "worse" in outcomes else 2 if "not comparable" in outcomes or not outcomes else 0


def _by_metric(rows: Sequence[MetricRow]) -> dict[Key, list[MetricRow]]:
    return grouped((row for row in rows if row.status == "ok"), key_of)


def _values(
    reference: Sequence[MetricRow],
    new: Sequence[MetricRow],
    rules: GateRules,
    bounds: Bounds,
) -> list[Finding]:
    """One finding per metric of the reference, and one per run of the new results that failed."""
    findings = [
        Finding(run_name(r), "not comparable", None, None, None, f"{r.status}: {r.reason}")
        for r in new
        if r.status not in ("ok", "skipped")
    ]
    before, after = _by_metric(reference), _by_metric(new)
    gated = {key for key, rows in before.items() if rules.gates(rows[0])}
    if not gated:
        note = "the reference has no metric that gate.yaml gates"
        findings.append(Finding("metrics", "not comparable", None, None, None, note))
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
    allowed = bounds.tolerance(rule, reference, len(new))
    gain = found - allowed.centre if rule.direction == "higher" else allowed.centre - found
    outcome: Outcome = "ok"
    if abs(gain) > allowed.value:
        outcome = "worse" if gain < 0 else "better"
    elif allowed.vacuous and (gain < -allowed.written or allowed.written >= abs(allowed.centre)):
        outcome = "not comparable"
    return Finding(name, outcome, allowed.centre, found, allowed.value, allowed.words)


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
        placed = grouped(sorted(rows, key=lambda row: row.position), lambda row: row.method)
        return {method: [row.value for row in found] for method, found in placed.items()}

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
