"""The regression gate: is a new set of results worse than the reference's?

What is compared: the mean over seeds of every metric, the counted costs, and the outputs of the
untrained networks. A comparison that cannot be made is a failure, never a pass.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Literal

from scipy.stats import t

from mednext.config import Strict, benchmarks_dir, parse, read_yaml
from mednext.errors import UserError
from mednext.results import CostRow, MetricRow, ProbeRow, read_rows

Outcome = Literal["ok", "better", "worse", "not comparable", "informational"]
HASHES = ("source_id", "setting_hash", "data_hash", "split_hash")
"""What two metrics of one experiment have in common; seeds, threads and code may differ."""


class GateRule(Strict):
    """How one metric is judged."""

    direction: Literal["higher", "lower"]
    """Which way is better."""
    gated: bool = True
    """False: shown, never a failure."""
    absolute: float = 0.0
    """Least tolerance, in the unit of ``metrics.csv``."""
    relative: float = 0.0
    """Least tolerance as a share of the reference."""


class GateRules(Strict):
    """``benchmarks/gate.yaml``."""

    alpha: float
    """One-sided chance of a false alarm per metric from the spread of the reference's seeds."""
    nondeterministic_factor: float
    """Tolerances are multiplied by this for results of kernels that do not repeat their sums."""
    probe_relative: float
    """Greatest change of an untrained network's output, as a share of its largest one."""
    metrics: dict[str, GateRule]


@dataclass(frozen=True)
class Finding:
    """One comparison."""

    name: str
    outcome: Outcome
    reference: float | None
    new: float | None
    tolerance: float | None
    note: str


def load_rules(path: Path | None = None) -> GateRules:
    """``benchmarks/gate.yaml``, or the file given."""
    path = path or benchmarks_dir() / "gate.yaml"
    return parse(GateRules, read_yaml(path), path)


def gate(
    reference: Path, new: Path, rules: GateRules, nondeterministic: bool = False
) -> list[Finding]:
    """Compare two folders with ``metrics.csv``, ``cost.csv`` and ``probes.csv``.

    Raises:
        UserError: a file is missing or malformed.
    """
    factor = rules.nondeterministic_factor if nondeterministic else 1.0
    return [
        *_metrics(
            read_rows(reference / "metrics.csv", MetricRow),
            read_rows(new / "metrics.csv", MetricRow),
            rules,
            factor,
        ),
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


def _run_name(row: MetricRow) -> str:
    return f"{row.dataset}/{row.protocol}/{row.method}/{row.selection}"


def _by_metric(rows: Sequence[MetricRow]) -> dict[str, list[MetricRow]]:
    found: dict[str, list[MetricRow]] = defaultdict(list)
    for row in rows:
        if row.status == "ok":
            policy = f"/{row.policy}" if row.policy else ""
            found[f"{_run_name(row)} {row.metric} {row.target}{policy}"].append(row)
    return found


def _metrics(
    reference: Sequence[MetricRow], new: Sequence[MetricRow], rules: GateRules, factor: float
) -> list[Finding]:
    """One finding per metric of the reference, and one per run of the new results that failed."""
    findings = [
        Finding(_run_name(r), "not comparable", None, None, None, f"{r.status}: {r.reason}")
        for r in new
        if r.status not in ("ok", "skipped")
    ]
    before, after = _by_metric(reference), _by_metric(new)
    for name, rows in before.items():
        rule = rules.metrics.get(str(rows[0].metric))
        if rule is None:
            findings.append(
                Finding(name, "not comparable", None, None, None, "no rule in gate.yaml")
            )
            continue
        finding = _metric(name, rows, after.get(name, []), rule, rules.alpha, factor)
        if not rule.gated:
            note = f"{finding.outcome}; {finding.note}"
            finding = Finding(
                name, "informational", finding.reference, finding.new, finding.tolerance, note
            )
        findings.append(finding)
    findings += [
        Finding(name, "informational", None, _mean(rows), None, "not in the reference")
        for name, rows in after.items()
        if name not in before
    ]
    return findings


def _mean(rows: Sequence[MetricRow]) -> float | None:
    values = [row.value for row in rows if row.value is not None]
    return mean(values) if values else None


def _metric(
    name: str,
    reference: Sequence[MetricRow],
    new: Sequence[MetricRow],
    rule: GateRule,
    alpha: float,
    factor: float,
) -> Finding:
    old = _mean(reference)
    if not new:
        return Finding(name, "not comparable", old, None, None, "missing in the new results")
    for field in HASHES:
        left = {getattr(row, field) for row in reference}
        right = {getattr(row, field) for row in new}
        if left != right:
            note = f"{field} differs: {_words(left)} in the reference, {_words(right)} here"
            return Finding(name, "not comparable", old, _mean(new), None, note)
    if any(row.value is None for row in (*reference, *new)):
        if all(row.value is None for row in (*reference, *new)):
            return Finding(name, "ok", None, None, None, "undefined in both")
        return Finding(name, "not comparable", old, _mean(new), None, "undefined for some seed")
    values = [row.value for row in reference if row.value is not None]
    found = _mean(new)
    assert old is not None and found is not None  # no value is None here
    spread, note = 0.0, f"seed spread unknown ({len(values)} seed)"
    if len(values) > 1:
        deviation = stdev(values)
        quantile = float(t.ppf(1 - alpha, len(values) - 1))
        spread = quantile * deviation * math.sqrt(1 / len(new) + 1 / len(values))
        note = f"seed spread {deviation:.4f} (n = {len(values)})"
    tolerance = factor * max(rule.absolute, rule.relative * abs(old), spread)
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
        change = max(abs(a - b) for a, b in zip(values, others, strict=True))
        tolerance = relative * max(abs(v) for v in values)
        outcome: Outcome = "ok" if change <= tolerance else "worse"
        findings.append(Finding(name, outcome, 0.0, change, tolerance, "largest change"))
    return findings


def check_reason(reason: str | None) -> str:
    """The reason for a new reference, refused if it is empty."""
    if not reason or not reason.strip():
        raise UserError(
            "a new reference needs a reason",
            found=repr(reason or ""),
            expected="--reason with a sentence that says why the numbers changed",
        )
    return reason.strip()
