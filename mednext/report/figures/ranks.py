"""Critical-difference diagrams: mean ranks, and which methods no paired test finds different.

After Demsar (2006, JMLR 7:1-30), with pairwise Holm-adjusted tests in place of Nemenyi's distance,
as Benavoli, Corani and Mangili (2016, JMLR 17:1-10) recommend.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from mednext.config import Profile
from mednext.config.names import display_name
from mednext.report.figures.charts import WIDTH, panel_title, small, source_of
from mednext.report.figures.style import STYLE, empty, heading, save
from mednext.results import HEADLINE, ComparisonRow, RankRow

ALPHA = 0.05
LINE, BAR, LEFT, RIGHT = 0.17, 0.07, 2.2, 5.2


def write(profile: Profile, out: Path, partial: bool = False) -> None:
    """``critical_difference``: a diagram per data set with two methods or more."""
    ranking = small(profile, "ranking.csv", RankRow, partial)
    tests = small(profile, "comparisons.csv", ComparisonRow, partial)
    shown: dict[str, tuple[dict[str, float], list[tuple[str, ...]]]] = {}
    for dataset in profile.datasets:
        means = mean_ranks([r for r in ranking if r.dataset == dataset and HEADLINE.holds(r)])
        if len(means) > 1:
            pairs = [
                row
                for row in tests
                if row.dataset == dataset and HEADLINE.holds(row) and row.test == "sign_flip"
            ]
            shown[dataset] = means, cliques(means, _alike(pairs))
    stem = out / "critical_difference"
    if not shown:
        empty(
            f"Nothing to show: no two methods of profile '{profile.profile}' share a data set.",
            stem,
        )
        return
    heights = [
        0.75 + LINE * (-(-len(means) // 2)) + BAR * len(bars) for means, bars in shown.values()
    ]
    height = 0.4 + sum(heights) + 0.45
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(WIDTH, height))
        axis = figure.add_axes((0, 0, 1, 1))
        axis.set_xlim(0, WIDTH)
        axis.set_ylim(height, 0)
        axis.axis("off")
        top = 0.4
        for (dataset, (means, bars)), tall in zip(shown.items(), heights, strict=True):
            _diagram(axis, panel_title(profile, dataset), means, bars, top)
            top += tall
        text = (
            "Accuracy or mean Dice of each patient. One seed: the ranks of these weights; "
            "another training may rank otherwise"
        )
        figure.text(0.5, 0.22 / height, text, ha="center", va="bottom", fontsize=7)
        title = f"Mean rank over resampled groups; bars: alike by sign flips (Holm, p > {ALPHA})"
        heading(figure, title, source_of(profile))
        save(figure, stem)
        plt.close(figure)


def mean_ranks(rows: Sequence[RankRow]) -> dict[str, float]:
    """Method -> mean rank of the first seed, best first."""
    first = min((row.seed for row in rows), default=0)
    means: dict[str, float] = {}
    for row in rows:
        if row.seed == first:
            means[row.method] = means.get(row.method, 0.0) + row.rank * row.share
    return dict(sorted(means.items(), key=lambda item: item[1]))


def _alike(tests: Sequence[ComparisonRow]) -> set[frozenset[str]]:
    """Pairs without a significant difference; a test that is not defined finds none."""
    first = min((row.seed for row in tests), default=0)
    return {
        frozenset((t.method_a, t.method_b))
        for t in tests
        if t.seed == first and (t.p_holm is None or t.p_holm > ALPHA)
    }


def cliques(means: dict[str, float], alike: set[frozenset[str]]) -> list[tuple[str, ...]]:
    """Longest runs of neighbours in rank all of whose pairs are alike."""
    names = list(means)
    runs: list[tuple[str, ...]] = []
    for i in range(len(names)):
        j = i + 1
        while j < len(names) and all(frozenset((names[k], names[j])) in alike for k in range(i, j)):
            j += 1
        run = tuple(names[i:j])
        if len(run) > 1 and not any(set(run) <= set(other) for other in runs):
            runs.append(run)
    return runs


def _diagram(
    axis: Any, title: str, means: dict[str, float], bars: list[tuple[str, ...]], top: float
) -> None:
    count = len(means)

    def x(rank: float) -> float:
        return LEFT + (rank - 1) / (count - 1) * (RIGHT - LEFT)

    axis.text(0.1, top + 0.02, title, weight="bold", va="top")
    line = top + 0.42
    axis.plot([x(1), x(count)], [line, line], color="black", linewidth=0.8)
    for tick in range(1, count + 1):
        axis.plot([x(tick)] * 2, [line - 0.05, line], color="black", linewidth=0.8)
        axis.text(x(tick), line - 0.07, str(tick), ha="center", va="bottom", fontsize=7)
    for place, bar in enumerate(bars):
        y = line + 0.08 + place * BAR
        ends = x(means[bar[0]]) - 0.04, x(means[bar[-1]]) + 0.04
        axis.plot(ends, [y, y], color="#D55E00", linewidth=2.5, solid_capstyle="butt")
    base = line + 0.16 + BAR * len(bars)
    half = -(-count // 2)
    for place, (method, rank) in enumerate(means.items()):
        left = place < half
        y = base + LINE * (place if left else count - 1 - place)
        edge = LEFT - 0.25 if left else RIGHT + 0.25
        axis.plot([x(rank), x(rank), edge], [line, y, y], color="#555555", linewidth=0.6, zorder=0)
        axis.text(
            edge + (-0.05 if left else 0.05), y, f"{display_name(method)} {rank:.2f}",
            ha="right" if left else "left", va="center", fontsize=7,
        )  # fmt: skip
