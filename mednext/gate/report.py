"""The gate's findings for people and for CI: terminal, Markdown, JUnit XML, a new reference."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence

from tabulate import tabulate

from mednext.gate.findings import Finding, Outcome
from mednext.templates import markdown_cell

MARK = {"ok": "ok", "better": "BETTER", "worse": "WORSE", "not comparable": "NOT COMPARABLE"}
ORDER: tuple[Outcome, ...] = ("worse", "not comparable", "better", "ok", "informational")
HEADER = ("result", "what", "reference", "new", "tolerance", "note")


def shown(findings: Sequence[Finding], everything: bool = False) -> list[Finding]:
    """What a person wants to see first: failures, improvements, then what passed.

    Informational findings are left out unless ``everything`` is asked for.
    """
    kept = [f for f in findings if everything or f.outcome != "informational"]
    return sorted(kept, key=lambda f: ORDER.index(f.outcome))


def summary(findings: Sequence[Finding]) -> str:
    """One line of counts."""
    counts = Counter(finding.outcome for finding in findings)
    return "gate: " + ", ".join(f"{counts[outcome]} {outcome}" for outcome in ORDER)


def terminal(findings: Sequence[Finding], everything: bool = False) -> str:
    """An aligned table and the summary."""
    rows = [_cells(finding) for finding in shown(findings, everything)]
    table = tabulate(rows, HEADER, tablefmt="plain", disable_numparse=True)
    return f"{table}\n{summary(findings)}"


def markdown(findings: Sequence[Finding]) -> str:
    """A table for a pull request."""
    rows = [[markdown_cell(c) for c in _cells(finding)] for finding in shown(findings)]
    table = tabulate(rows, HEADER, tablefmt="github", disable_numparse=True)
    return f"**{summary(findings)}**\n\n{table}\n"


def junit(findings: Sequence[Finding]) -> str:
    """JUnit XML: one test case per gated finding."""
    cases = shown(findings)
    failures = [f for f in cases if f.outcome in ("worse", "not comparable")]
    suite = ET.Element(
        "testsuite", name="mednext gate", tests=str(len(cases)), failures=str(len(failures))
    )
    for finding in cases:
        case = ET.SubElement(suite, "testcase", classname="gate", name=finding.name)
        if finding in failures:
            text = " ".join(f"{k}={v}" for k, v in zip(HEADER, _cells(finding), strict=True))
            ET.SubElement(case, "failure", message=finding.outcome).text = text
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _cells(finding: Finding) -> tuple[str, ...]:
    return (
        MARK.get(finding.outcome, "info"),
        finding.name,
        number_text(finding.reference),
        number_text(finding.new),
        number_text(finding.tolerance),
        finding.note,
    )


def number_text(value: float | None) -> str:
    """A value with four decimals; whole numbers whole, nothing for None."""
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
