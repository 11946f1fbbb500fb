"""Fig 9: the ablations of both tasks, printed beside measured and reproduced, by variant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

from mednext.config import Profile
from mednext.report.figures.charts import WIDTH
from mednext.report.figures.style import PALETTE, STYLE, heading, save
from mednext.report.model import Line, Table
from mednext.report.scale import scale_of
from mednext.report.spec import Column
from mednext.report.tables import read_tables
from mednext.results import HEADLINE

COLUMNS, ROW_HEIGHT, HEAD = 4, 1.62, 0.5
PRINTED: dict[str, Any] = {
    "color": "#666666", "marker": "o", "markerfacecolor": "none", "linestyle": "--",
    "linewidth": 0.8, "markersize": 6, "zorder": 3,
}  # fmt: skip
OURS_WORDS = "measured (costs) or reproduced (scores, 95 % interval)"
OURS: dict[str, Any] = {"color": PALETTE[0], "marker": "s", "linewidth": 0.8, "markersize": 3.5}


def write(profile: Profile, out: Path, partial: bool = False) -> None:
    """A panel per task with one small chart per column of its table."""
    tables = {t.number: t for t in read_tables(profile, partial) if t.view == HEADLINE}
    blocks = [("A", tables["7"]), ("B", tables["8"])]
    rows = [-(-(len(table.spec.columns) + 1) // COLUMNS) for _, table in blocks]
    height = 0.35 + sum(HEAD + count * ROW_HEIGHT for count in rows) + 0.42
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(WIDTH, height))
        top = height - 0.35
        for (letter, table), count in zip(blocks, rows, strict=True):
            words = f"{letter}  {table.spec.title} (Table {table.number})"
            figure.text(0.06, top / height, words, weight="bold", va="top")
            figure.text(0.06, (top - 0.16) / height, about(table, profile), va="top", fontsize=7)
            _block(figure, table, top - HEAD, height)
            top -= HEAD + count * ROW_HEIGHT
        figure.legend(
            handles=[
                Line2D([], [], label="printed in the paper", **PRINTED),
                Line2D([], [], label=OURS_WORDS, **OURS),
            ],
            loc="lower center", bbox_to_anchor=(0.5, 0.2 / height), ncols=2, frameon=False,
            borderpad=0,
        )  # fmt: skip
        heading(figure, "Ablations: what each variant costs and scores", _source(blocks))
        save(figure, out / "fig9")
        plt.close(figure)


def _source(blocks: list[tuple[str, Table]]) -> str:
    return "phantom" if any(table.phantom and ran(table) for _, table in blocks) else "none"


def ran(table: Table) -> list[Line]:
    """The variants with a reproduced score."""
    scores = [column.name for column in table.spec.columns if column.metric is not None]
    return [n for n in table.lines if any(n.cells[name].value is not None for name in scores)]


def about(table: Table, profile: Profile) -> str:
    """How many variants were run, and that the other scores are printed ones alone."""
    count, of = len(ran(table)), len(table.lines)
    if not count:
        return (
            f"no variant ran in profile '{profile.profile}': scores are printed values, "
            "not reproduced; costs are measured"
        )
    precision = scale_of(profile, str(table.spec.dataset), table.view.protocol).precision
    text = f"{count} of {of} variants ran in profile '{profile.profile}' in {precision}"
    if count < of:
        text += "; the others show printed scores alone"
    if table.scale_note:
        text += "; not the paper's scale, hence not comparable"
    return text


def _block(figure: Any, table: Table, top: float, height: float) -> None:
    places = range(1, len(table.lines) + 1)
    left, right, gap = 0.42, 0.12, 0.42
    width = (WIDTH - left - right - (COLUMNS - 1) * gap) / COLUMNS
    for slot, column in enumerate([*table.spec.columns, None]):
        row, place = divmod(slot, COLUMNS)
        x, y = left + place * (width + gap), top - (row + 1) * ROW_HEIGHT + 0.35
        box = (x / WIDTH, y / height, width / WIDTH, (ROW_HEIGHT - 0.58) / height)
        axis = figure.add_axes(box)
        if column is None:
            _key(axis, table)
            continue
        _chart(axis, table, column)
        axis.set_xticks(list(places), [f"#{i}" for i in places])


def _chart(axis: Any, table: Table, column: Column) -> None:
    cells = [line.cells[column.name] for line in table.lines]
    printed = [(i, float(c.printed)) for i, c in enumerate(cells, 1) if c.printed]
    ours = [(i, c) for i, c in enumerate(cells, 1) if c.value is not None]
    axis.plot(*zip(*printed, strict=True), **PRINTED)
    for i, cell in ours:
        if cell.low is not None and cell.high is not None:
            axis.plot([i, i], [cell.low, cell.high], color=OURS["color"], linewidth=1)
    if ours:
        axis.plot([i for i, _ in ours], [c.value for _, c in ours], **OURS)
    axis.set_title(column.arrow)
    axis.set_xlim(0.5, len(cells) + 0.5)
    axis.tick_params(labelsize=7, pad=1.5, length=2)
    axis.spines[["top", "right"]].set_visible(False)
    axis.locator_params(axis="y", nbins=4)


def _key(axis: Any, table: Table) -> None:
    axis.axis("off")
    words = "\n".join(f"#{i} {line.name}" for i, line in enumerate(table.lines, 1))
    axis.text(-0.1, 1.1, words, va="top", ha="left", fontsize=7, linespacing=1.15)
