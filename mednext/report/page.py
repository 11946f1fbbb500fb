"""The page: one self-contained HTML file with tables, figures, costs and provenance."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mednext.config import Profile
from mednext.errors import UserError
from mednext.files import write_text
from mednext.layout import results_root
from mednext.report.model import View
from mednext.report.render import html
from mednext.report.tables import read_tables
from mednext.results import CostRow, DatasetRow, MetricRow, read_rows

FIGURES = {
    "fig6": "Figure 6. Grad-CAM heatmaps of the classifiers on listed test images, beside the "
    "image and its true class.",
    "fig8": "Figure 8. Masks predicted by the segmenters on listed test cases, beside the ground "
    "truth, with the mean Dice of the whole case.",
}


def write_page(profile: Profile, out: Path, partial: bool = False) -> None:
    """Write ``index.html`` below ``out``; it asks no other file and no host for anything.

    Raises:
        UserError: a result file or a figure is missing or malformed, or (unless ``partial``) a run
            of the profile has no result.
    """
    root = results_root(profile.profile)
    metrics = read_rows(root / "metrics.csv", MetricRow)
    tables = read_tables(profile, partial)
    verdicts = Counter(
        cell.verdict
        for table in tables
        if table.view == View()
        for line in table.lines
        for column in table.spec.columns
        if column.metric is not None and (cell := line.cells[column.name]).verdict
    )
    environment = Environment(
        loader=PackageLoader("mednext.report"), autoescape=True, undefined=StrictUndefined
    )
    figures = [
        {"name": name, "caption": text, "data": _data_uri(root / "figures" / f"{name}.png")}
        for name, text in FIGURES.items()
    ]
    page = environment.get_template("index.html.j2").render(
        profile=profile,
        phantom=any(run.source == "phantom" for run in profile.datasets.values()),
        verdicts=sorted(verdicts.items(), key=str),
        headline=[Markup(html(t, "side")) for t in tables if t.view == View()],  # noqa: S704  html escapes every cell
        others=[Markup(html(t, "side")) for t in tables if t.view != View()],  # noqa: S704
        figures=figures,
        costs=read_rows(root / "cost.csv", CostRow),
        datasets=read_rows(root / "datasets.csv", DatasetRow),
        runs=_runs(metrics),
        epochs={slug: run.epochs for slug, run in profile.datasets.items()},
    )
    write_text(out / "index.html", page)


def _data_uri(file: Path) -> str:
    if not file.is_file():
        raise UserError("a figure is missing", file=file, remedy="run 'mednext figures' first")
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()


def _runs(metrics: Sequence[MetricRow]) -> list[MetricRow]:
    """One row per run: where each number comes from."""
    first: dict[tuple[str, str, str, int], MetricRow] = {}
    for row in metrics:
        first.setdefault((row.dataset, row.protocol, row.method, row.seed), row)
    return list(first.values())
