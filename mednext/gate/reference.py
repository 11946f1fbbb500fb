"""A new reference: only with a reason, with the old and the new values on record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mednext.errors import UserError
from mednext.files import write_bytes, write_text
from mednext.gate.compare import gate
from mednext.gate.findings import Finding
from mednext.gate.first_losses import FIRST_LOSSES, FirstLossRow, recorded
from mednext.gate.report import number_text
from mednext.gate.rules import GateRules
from mednext.gate.values import name_of, read_metrics
from mednext.results import (
    HEADLINE,
    CostRow,
    MetricRow,
    Outcome,
    ProbeRow,
    Row,
    read_rows,
    write_rows,
)

FILES: dict[str, type[Row]] = {
    "metrics.csv": MetricRow,
    "cost.csv": CostRow,
    "probes.csv": ProbeRow,
}
"""What a reference consists of, besides the first losses of its records, what was measured for its
tolerances (``spread.csv``, ``rounding.csv``) and the history."""
HISTORY = "CHANGES.md"


def check_reason(reason: str | None) -> str:
    """The reason for a new reference, refused if it is empty."""
    if not reason or not reason.strip():
        raise UserError(
            "a new reference needs a reason",
            found=repr(reason or ""),
            expected="--reason with a sentence that says why the numbers changed",
        )
    return reason.strip()


def first_findings(new: Path) -> list[Finding]:
    """What stands in for a comparison where there is no reference yet: the new values alone."""
    return [
        Finding(
            f"{name_of(r)} seed {r.seed}",
            "informational",
            None,
            r.value,
            None,
            "not in the reference",
        )
        for r in read_metrics(new)
        if r.status == "ok" and r.policy in (None, HEADLINE.policy)
    ]


def compared(
    reference: Path, new: Path, rules: GateRules, nondeterministic: bool = False
) -> list[Finding]:
    """The gate's findings, or the new values alone where nothing has been committed yet."""
    if not any((reference / name).exists() for name in FILES):
        return first_findings(new)
    return gate(reference, new, rules, nondeterministic)


def update_reference(
    reference: Path, new: Path, findings: Sequence[Finding], reason: str, today: str
) -> str:
    """Copy the new results over the reference and record why; returns the old and new values.

    Raises:
        UserError: the new results are not complete, or a run in them failed.
    """
    for name, model in FILES.items():
        for row in read_rows(new / name, model):
            if isinstance(row, Outcome) and row.status in ("failed", "pending"):
                raise UserError(
                    "results with a run that did not finish cannot be a reference",
                    file=new / name,
                    found=f"{row.status}: {row.reason}",
                    remedy="mend the run, or leave the method out of the profile",
                )
    changed = [f for f in findings if f.reference != f.new or f.outcome == "not comparable"]
    values = "\n".join(
        f"| {f.name} | {number_text(f.reference)} | {number_text(f.new)} |" for f in changed
    )
    entry = f"## {today}: {reason}\n\n| what | old | new |\n|---|---|---|\n{values}\n"
    for name in FILES:
        write_bytes(reference / name, (new / name).read_bytes())
    if losses := recorded(new):
        write_rows(reference / FIRST_LOSSES, FirstLossRow, losses)
    history = reference / HISTORY
    before = history.read_text(encoding="utf-8") if history.is_file() else ""
    write_text(history, f"{entry}\n{before}" if before else entry)
    return entry
