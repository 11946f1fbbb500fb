"""Write the tables: side by side, as printed, as reproduced; each as CSV, Markdown, LaTeX, HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from mednext.audit.schema import CellRow
from mednext.config import Profile, load_datasets
from mednext.errors import UserError
from mednext.files import write_csv, write_text
from mednext.layout import audit_cells, results_root
from mednext.report.audit import Findings
from mednext.report.build import build
from mednext.report.cells import Form
from mednext.report.counts import build_counts
from mednext.report.model import Line, Table
from mednext.report.render import html_page, latex, markdown
from mednext.report.spec import load_tables, reported
from mednext.results import (
    HEADLINE,
    CostRow,
    DatasetRow,
    MetricRow,
    R,
    View,
    read_rows,
    unconditional,
)

VIEWS = (
    HEADLINE,
    View(protocol="grouped"),
    View(protocol="grouped_originals"),
    View(protocol="fold1"),
    View(selection="best_val"),
    View(selection="best_test"),
    View(orientation="disease"),
    View(policy="nan"),
    View(policy="worst"),
)


def read_tables(profile: Profile, partial: bool = False) -> list[Table]:
    """Every table of ``tables.yaml`` in every view that the results hold.

    Raises:
        UserError: ``metrics.csv``, ``datasets.csv`` or the findings of the audit are missing (and
            ``partial`` is not set), a file is malformed, or a run of the profile has no result (and
            ``partial`` is not set).
    """
    root = results_root(profile.profile)

    def small(path: Path, model: type[R]) -> list[R]:
        return read_rows(path, model) if path.is_file() or not partial else []

    metrics = unconditional(small(root / "metrics.csv", MetricRow))
    datasets = small(root / "datasets.csv", DatasetRow)
    costs = small(root / "cost.csv", CostRow)
    findings = Findings(small(audit_cells(), CellRow))
    tables = []
    for number, spec in load_tables().items():
        for view in VIEWS:
            if spec.dataset is None:
                table = build_counts(number, spec, view, profile, datasets, findings)
            else:
                table = build(number, spec, view, profile, metrics, costs, datasets, findings)
            if view == HEADLINE or _differs(table):
                tables.append(table)
    pending = [
        f"table {t.number}: {r.slug}" for t in tables for r in t.lines if r.status == "pending"
    ]
    if pending and not partial:
        raise UserError(
            "results are missing",
            file=root / "metrics.csv",
            found=", ".join(sorted(set(pending))),
            remedy="finish the workflow, or render what is there with --partial",
        )
    return tables


def _differs(table: Table) -> bool:
    """Is this view something else than the headline, and is there a result for it?"""
    base, view = HEADLINE, table.view
    if table.spec.dataset is None:
        if view != View(protocol=view.protocol):
            return False
    elif load_datasets()[table.spec.dataset].task == "classification":
        if view.policy != base.policy:
            return False
    elif view.orientation != base.orientation:
        return False
    results = [c.name for c in table.spec.columns if c.metric is not None or c.count is not None]
    return any(
        line.status in ("failed", "skipped")
        or any(line.cells[name].value is not None for name in results)
        for line in table.lines
    )


def write_tables(profile: Profile, out: Path, partial: bool = False) -> None:
    """Write all tables below ``out``."""
    for table in read_tables(profile, partial):
        _write(out / f"table{table.number}{table.view.suffix}", table, "side")
        _write(out / "reproduced" / f"table{table.number}{table.view.suffix}", table, "reproduced")
        if table.view == HEADLINE:
            _write(out / "reported" / f"table{table.number}", table, "reported")


def _write(stem: Path, table: Table, form: Form) -> None:
    frame = reported(table.spec) if form == "reported" else csv_frame(table, form)
    write_csv(_with(stem, "csv"), frame)
    write_text(_with(stem, "md"), markdown(table, form))
    write_text(_with(stem, "tex"), latex(table, form))
    write_text(_with(stem, "html"), html_page(table, form))


def _with(stem: Path, ending: str) -> Path:
    return stem.with_name(f"{stem.name}.{ending}")


def csv_frame(table: Table, form: Form) -> pd.DataFrame:
    """Printed columns (side by side only), then ``<col>_reproduced`` and what belongs to it."""
    frame = reported(table.spec)
    if form == "reproduced":
        frame = frame[list(table.spec.keys)]
    extra: dict[str, list[Any]] = {}
    for column in table.spec.columns:
        if column.text:
            continue
        cells = [line.cells[column.name] for line in table.lines]
        parts: dict[str, list[Any]] = {
            "reproduced": [_tidy(c.value) for c in cells],
            "ci_low": [_tidy(c.low) for c in cells],
            "ci_high": [_tidy(c.high) for c in cells],
            "n": [c.n for c in cells],
            "difference": [_tidy(c.difference) for c in cells],
            "verdict": [c.verdict for c in cells],
            "needs": [c.needs for c in cells],
        }
        extra |= {f"{column.name}_{name}": values for name, values in parts.items()}
    extra["status"] = [line.status for line in table.lines]
    extra["reason"] = [line.reason for line in table.lines]
    extra["source"] = [line.source for line in table.lines]
    if form == "side":
        extra["audit"] = [_findings(line) for line in table.lines]
    ours = pd.DataFrame(extra)
    counts = [name for name in ours if name.endswith("_n")]
    for column in table.spec.columns:
        if column.count is not None:
            counts += [f"{column.name}_reproduced", f"{column.name}_difference"]
    return pd.concat([frame, ours.astype(dict.fromkeys(counts, "Int64"))], axis=1)


def _findings(line: Line) -> str | None:
    """All notes of the audit on one printed row, each with its column."""
    notes = list(line.findings)
    notes += [f"{name}: {note}" for name, cell in line.cells.items() for note in cell.findings]
    return "; ".join(notes) or None


def _tidy(value: float | None) -> float | None:
    """Without the last digits that turning fractions into percent leaves behind."""
    return None if value is None else round(value, 10)
