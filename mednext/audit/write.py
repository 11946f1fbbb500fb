"""``results/audit``: a CSV per kind of check, and the report."""

from __future__ import annotations

from pathlib import Path

from mednext.audit.report import report_html
from mednext.audit.run import Audit
from mednext.audit.schema import (
    AdditivityRow,
    CellRow,
    CheckRow,
    ClaimRow,
    ConfusionRow,
    IdentityRow,
    LeadRow,
    MisfitRow,
    ModuleRow,
    PublishedRow,
    RepairRow,
    ScoreRow,
    SignificanceRow,
    SplitRow,
    SplitTableRow,
)
from mednext.audit.text import report
from mednext.files import write_text
from mednext.results import Row, write_rows

FILES: dict[str, type[Row]] = {
    "confusion": ConfusionRow,
    "misfits": MisfitRow,
    "splits": SplitRow,
    "splits_by_table": SplitTableRow,
    "scores": ScoreRow,
    "identities": IdentityRow,
    "additivity": AdditivityRow,
    "additivity_checks": CheckRow,
    "additivity_repairs": RepairRow,
    "modules": ModuleRow,
    "published": PublishedRow,
    "claims": ClaimRow,
    "significance": SignificanceRow,
    "leads": LeadRow,
    "cells": CellRow,
}
"""Stem of a file in ``results/audit`` -> its schema."""


def write_audit(done: Audit, out: Path) -> None:
    """Write every CSV, ``report.html`` and ``audit.md`` (last) into ``out``."""
    for stem, model in FILES.items():
        write_rows(out / f"{stem}.csv", model, getattr(done, stem))
    write_text(out / "report.html", report_html(done))
    write_text(out / "audit.md", report(done))
