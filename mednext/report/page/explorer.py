"""The explorer's data: every metric of every method over its seeds, costs, curves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mednext.config import method_slug
from mednext.errors import UserError
from mednext.report.figures.pareto import AXES as COSTS
from mednext.report.spec import load_tables, reported
from mednext.report.verdicts import over_seeds
from mednext.results import HEADLINE, SCORE, CostRow, CurveRow, MetricRow

AXES = ("task", "dataset", "protocol", "selection", "metric", "target", "policy", "method")


def explorer_rows(metrics: Sequence[MetricRow]) -> dict[str, Any]:
    """Columns and rows: the axes, value, bounds, value by seed, cases, groups. Fractions, voxels.

    Runs without a value are listed under ``missing``: axes up to ``selection``, method, reason.
    """
    cells: dict[tuple[str, ...], list[MetricRow]] = defaultdict(list)
    missing = []
    for row in metrics:
        if row.status != "ok":
            where = (row.task, row.dataset, row.protocol, row.selection, row.method)
            missing.append([*where, row.seed, f"{row.status}: {row.reason}"])
        elif row.value is not None:
            axes = tuple(str(getattr(row, axis) or "") for axis in AXES)
            cells[axes].append(row)
    rows = []
    for axes, found in cells.items():
        value, low, high = over_seeds(found)
        bounds = [None if v is None else round(v, 6) for v in (value, low, high)]
        seeds = [[row.seed, round(float(row.value or 0), 6)] for row in found]
        rows.append([*axes, *bounds, seeds, found[0].n_cases, found[0].n_groups])
    return {
        "axes": list(AXES),
        "rows": rows,
        "missing": missing,
        "printed": printed_values(),
        "headline": {
            "protocol": [HEADLINE.protocol],
            "selection": [HEADLINE.selection],
            "target": [HEADLINE.orientation, "mean"],
            "policy": [HEADLINE.policy],
            "metric": list(SCORE.values()),
        },
    }


def printed_values() -> list[list[Any]]:
    """Data set, metric, target (None: the headline's), method, printed value as a fraction."""
    out = []
    for spec in load_tables().values():
        for line in reported(spec).to_dict(orient="records"):
            for column in spec.columns:
                text = str(line.get(column.name, ""))
                if column.metric is None or not text:
                    continue
                slug = _known(spec.slug_prefix + str(line["slug"]))
                value = float(text) / column.scale
                out.append([spec.dataset, str(column.metric), column.target, slug, value])
    return out


def costs_by_method(
    costs: Sequence[CostRow], latency: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Name of a cost -> method -> value, of the rows that carry a verdict; ``latency`` in ms."""
    counted = [row for row in costs if row.verdict_params is not None]
    out = {name: {row.method: of(row) for row in counted} for name, of in COSTS.items()}
    return {**out, **({"Latency (ms, CPU, fp32)": dict(latency)} if latency else {})}


def curves_of(rows: Sequence[CurveRow]) -> list[list[Any]]:
    """Data set, method, curve, its points (x, y) in order; a point without y is left out."""
    found: dict[tuple[str, str, str], list[list[float]]] = defaultdict(list)
    for row in rows:
        if row.y is not None:
            point = [round(row.x, 6), round(row.y, 6)]
            found[row.dataset, row.method, row.curve].append(point)
    return [[*key, points] for key, points in found.items()]


def _known(name: str) -> str:
    try:
        return method_slug(name)
    except UserError:  # printed, but not part of this version of the suite
        return name
