"""Table 1: the printed amounts of data beside those that were found."""

from __future__ import annotations

from collections.abc import Sequence

from mednext.config import DatasetRun, Profile
from mednext.report.audit import NOTHING, Findings
from mednext.report.model import Cell, Line, Table
from mednext.report.spec import Column, TableSpec, reported
from mednext.results import DatasetRow, View


def build_counts(
    number: str,
    spec: TableSpec,
    view: View,
    profile: Profile,
    datasets: Sequence[DatasetRow],
    findings: Findings = NOTHING,
) -> Table:
    """Every printed row, and our counts of the same class (of all patients for volumes)."""
    lines = []
    for row in reported(spec).to_dict(orient="records"):
        dataset, klass = str(row["dataset_slug"]), str(row["class_slug"])
        slug = f"{dataset}/{klass}".rstrip("/")
        run = profile.datasets.get(dataset)
        found = next(
            (
                d
                for d in datasets
                if (d.dataset, d.protocol, d.klass or "") == (dataset, view.protocol, klass)
            ),
            None,
        )
        status, reason = "ok", None
        if run is None:
            status, reason = "not run", f"not part of profile '{profile.profile}'"
        elif view.protocol not in run.all_protocols:
            status = "not run"
            reason = f"profile '{profile.profile}' does not split it under '{view.protocol}'"
        elif found is None:
            status, reason = "pending", "no count yet"
        name = str(row["dataset"]) + (f": {row['class']}" if row["class"] else "")
        lines.append(
            Line(
                slug,
                name,
                False,
                {
                    c.name: _cell(
                        c, str(row[c.name]), found, run, findings.of(number, slug, c.name)
                    )
                    for c in spec.columns
                },
                status,
                reason,
                run.source if run else "none",
                findings.of(number, slug, None),
                _remark(found, run),
            )
        )
    return Table(number, spec, view, lines)


def _remark(found: DatasetRow | None, run: DatasetRun | None) -> str | None:
    if found is None or run is None:
        return None
    parts = [f"stand-in data: {found.stand_in}"] if found.stand_in else []
    if run.limit is not None:
        parts.append("the profile limits the amount of data")
    return "; ".join(parts) or None


def _cell(
    column: Column,
    printed: str,
    found: DatasetRow | None,
    run: DatasetRun | None,
    findings: tuple[str, ...],
) -> Cell:
    if column.count is None or found is None or run is None:
        return Cell(printed, findings=findings)
    # Images outside all subsets are part of what was found, not of what is used.
    value = found.train + found.val + found.test
    if column.count != "total":
        value = int(getattr(found, column.count))
    if not printed:
        verdict = "not printed"
    elif run.source == "phantom" or _remark(found, run) is not None:
        verdict = "not comparable"
    else:
        verdict = "matches" if value == int(printed) else "off"
    return Cell(printed, value, verdict=verdict, findings=findings)
