"""``results/audit``: a CSV per kind of check, and the report."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_origin, get_type_hints

from mednext.audit.report import report_html
from mednext.audit.run import Audit
from mednext.audit.text import report
from mednext.files import write_text
from mednext.results import Row, write_rows

FILES: dict[str, type[Row]] = {
    stem: get_args(rows)[0] for stem, rows in get_type_hints(Audit).items() if get_origin(rows)
}
"""Stem of a file in ``results/audit`` -> its schema."""


def write_audit(done: Audit, out: Path) -> None:
    """Write every CSV, ``report.html`` and ``audit.md`` (last) into ``out``."""
    for stem, model in FILES.items():
        write_rows(out / f"{stem}.csv", model, getattr(done, stem))
    write_text(out / "report.html", report_html(done))
    write_text(out / "audit.md", report(done))
