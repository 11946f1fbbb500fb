"""One figure per data set: test items that overlap with train, and what the files give away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from mednext.config import Profile
from mednext.config.names import words
from mednext.layout import results_root
from mednext.report.figures.style import STYLE, heading, save
from mednext.report.leakage import NAMES, by_dataset, is_cue
from mednext.results import LeakageRow, read_rows

# Okabe and Ito; one per protocol.
COLOURS = {
    "paper": "#D55E00",
    "grouped": "#0072B2",
    "grouped_originals": "#009E73",
    "fold1": "#CC79A7",
}
HEIGHT = 0.8
"""Of the bars of one kind together; kinds are 1 apart."""


def write(profile: Profile, out: Path) -> None:
    """Draw ``leakage_<dataset>`` of every data set in ``leakage.csv``."""
    rows = read_rows(results_root(profile.profile) / "leakage.csv", LeakageRow)
    for dataset, mine in by_dataset(rows).items():
        _draw(mine, out / f"leakage_{dataset}")


def _draw(rows: Sequence[LeakageRow], stem: Path) -> None:
    pairs = [row for row in rows if not is_cue(row)]
    cues = [row for row in rows if is_cue(row)]
    parts = [part for part in (pairs, cues) if part]
    widest = max(len({row.kind for row in part}) for part in parts)
    protocols = len({row.protocol for row in rows})
    height = 1.46 + max(0.34, 0.14 * protocols) * max(widest, 3)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(parts), figsize=(7.5 if cues else 6.0, height), squeeze=False
        )
        _bars(axes[0][0], pairs)
        if cues:
            _points(axes[0][1], cues)
        figure.subplots_adjust(
            left=0.22 if cues else 0.28,
            right=0.97,
            top=1 - 0.4 / height,
            bottom=0.98 / height,
            wspace=0.75,
        )
        stand_in = " (stand-in)" if rows[0].stand_in else ""
        heading(figure, f"Leakage in {rows[0].name}{stand_in}", rows[0].source)
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="lower center",
            bbox_to_anchor=(0.5, 0.16 / height),
            ncols=len(labels),
            frameon=False,
        )
        save(figure, stem)
        plt.close(figure)


def _places(rows: Sequence[LeakageRow]) -> list[tuple[str, list[tuple[float, LeakageRow]]]]:
    """Protocol -> (place on the vertical axis, row): kinds from top to bottom."""
    kinds = list(dict.fromkeys(row.kind for row in rows))
    protocols = list(dict.fromkeys(row.protocol for row in rows))
    step = HEIGHT / len(protocols)
    return [
        (
            protocol,
            [
                (kinds.index(row.kind) + (number + 0.5) * step - HEIGHT / 2, row)
                for row in rows
                if row.protocol == protocol
            ],
        )
        for number, protocol in enumerate(protocols)
    ]


def _label(axis: Any, rows: Sequence[LeakageRow]) -> None:
    kinds = list(dict.fromkeys(row.kind for row in rows))
    axis.set_yticks(range(len(kinds)), [NAMES[kind] for kind in kinds])
    axis.set_ylim(len(kinds) - 0.4, -0.6)
    axis.spines[["top", "right"]].set_visible(False)


def _bars(axis: Any, rows: Sequence[LeakageRow]) -> None:
    """Share of the test items that overlap with train, the count at the end of each bar."""
    places = _places(rows)
    for protocol, placed in places:
        shares = [100 * (r.test_overlap or 0) / max(r.test_items, 1) for _, r in placed]
        bars = axis.barh(
            [y for y, _ in placed],
            shares,
            height=HEIGHT / len(places),
            color=COLOURS[protocol],
            label=words(protocol),
        )
        axis.bar_label(bars, [str(r.test_overlap) for _, r in placed], padding=2, fontsize=7)
    _label(axis, rows)
    axis.set_xlim(0, 112)
    axis.set_xticks(range(0, 101, 25))
    axis.set_xlabel(f"test {rows[0].unit} that overlap with train (%)")


def _points(axis: Any, rows: Sequence[LeakageRow]) -> None:
    """Accuracy with its interval; a tick where the most frequent class alone would be."""
    places = _places(rows)
    for protocol, placed in places:
        for y, row in placed:
            if row.baseline is not None:
                axis.plot(100 * row.baseline, y, marker="|", color="black", markersize=6)
            if row.accuracy is None or row.ci_low is None or row.ci_high is None:
                continue
            axis.errorbar(
                100 * row.accuracy,
                y,
                xerr=[
                    [max(100 * (row.accuracy - row.ci_low), 0)],
                    [max(100 * (row.ci_high - row.accuracy), 0)],
                ],
                fmt="o",
                markersize=3,
                capsize=2,
                color=COLOURS[protocol],
            )
    _label(axis, rows)
    axis.set_xlim(0, 102)
    axis.set_xlabel("class guessed from the file alone (%)\n| most frequent class")
