"""How figures are laid out: texts stay readable, apart and inside their boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch
from matplotlib.text import Text

from mednext.config import load_methods
from mednext.report.figures import FIGURES, PAPER, write_figures
from mednext.report.figures.style import SMALLEST_FONT

from .made_up import full_profile, make_profile

PAGE_INCHES = (7.5, 8.75)  # PLoS: figures at most 19.05 cm wide and 22.23 cm high
EVERY_METHOD = ("pareto of one task", "pareto of both tasks")
IMAGES = ("fig6", "fig7", "fig8")
NETWORKS = ("fig1", "fig2", "fig3", "fig4", "fig5")


def kept(source: Path, draw: Callable[[], None]) -> list[Figure]:
    """The figures that ``draw`` makes below ``source``, open as they are saved."""
    found: list[Figure] = []

    def keep(figure: Figure, target: Any, **_: Any) -> None:
        if Path(target).suffix == ".png":
            found.append(figure)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(source.parents[1])
        patch.setattr(Figure, "savefig", keep)
        patch.setattr(plt, "close", lambda figure: None)
        draw()
    return found


def every_method(source: Path, out: Path) -> dict[str, Figure]:
    """Pareto charts of all methods of one task, as the smoke profile draws them, and of both."""
    from mednext.report.figures import pareto

    methods = load_methods()
    cost = {"GMACs": {m: 1.0 + i for i, m in enumerate(methods)}}
    of_task: dict[str, dict[str, pareto.Point]] = {
        dataset: {m: (50.0, 40.0, 60.0) for m, spec in methods.items() if spec.task == task}
        for dataset, task in (("acdc", "segmentation"), ("sars_cov2_ct", "classification"))
    }
    one, both = {"acdc": of_task["acdc"]}, of_task

    def draw() -> None:
        for scores in (one, both):
            pareto.draw(scores, cost, "All methods", "phantom", out / "pareto")

    return dict(zip(EVERY_METHOD, kept(source, draw), strict=True))


@pytest.fixture(scope="module")
def figures(drawn: dict[str, Path]) -> Iterator[dict[str, Figure]]:
    """The phantom figures, and Fig 6 of a profile with one of its three data sets."""
    from mednext.report.figures import fig6

    out, profile = Path("unused"), full_profile("phantom")
    found = kept(drawn["phantom"], lambda: write_figures(profile, out, partial=True))
    assert len(found) == len(FIGURES)
    order = (*PAPER, "pareto", "pareto_printed", "roc", "calibration")
    named = dict(zip((*order, "critical_difference", "training"), found, strict=True))
    (alone,) = kept(drawn["phantom"], lambda: fig6.write(make_profile("phantom"), out))
    yield {**named, "fig6 of one data set": alone, **every_method(drawn["phantom"], out)}
    plt.close("all")


def texts(figure: Figure) -> list[Text]:
    """What is seen: empty labels, and ticks outside an axis' limits, are not."""
    found = []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text.get_window_extent().width:
            found.append(text)
    hidden = set()
    for axis in figure.axes:
        for side, limits in ((axis.xaxis, axis.get_xlim()), (axis.yaxis, axis.get_ylim())):
            low, high = sorted(limits)
            for tick in (*side.get_major_ticks(), *side.get_minor_ticks()):
                if not axis.axison or not low <= tick.get_loc() <= high:
                    hidden |= {tick.label1, tick.label2}
        if not axis.axison:
            hidden |= {axis.xaxis.label, axis.yaxis.label}
    return [text for text in found if text not in hidden]


@pytest.mark.parametrize("name", (*FIGURES, *EVERY_METHOD, "fig6 of one data set"))
def test_texts_are_readable_at_print_size(figures: dict[str, Figure], name: str) -> None:
    figure = figures[name]
    assert figure.get_figwidth() <= PAGE_INCHES[0] and figure.get_figheight() <= PAGE_INCHES[1]
    assert min(t.get_fontsize() for t in texts(figure)) >= SMALLEST_FONT >= 7


@pytest.mark.parametrize("name", (*FIGURES, *EVERY_METHOD, "fig6 of one data set"))
def test_texts_overlap_neither_each_other_nor_the_edge(
    figures: dict[str, Figure], name: str
) -> None:
    figure = figures[name]
    figure.canvas.draw()
    boxes = {t: t.get_window_extent() for t in texts(figure)}
    assert len(boxes) >= 8
    for one, two in combinations(boxes, 2):
        assert not boxes[one].overlaps(boxes[two]), (one.get_text(), two.get_text())
    for text, box in boxes.items():
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text.get_text()
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text.get_text()


@pytest.mark.parametrize("name", IMAGES)
def test_no_text_lies_on_an_image(figures: dict[str, Figure], name: str) -> None:
    figure = figures[name]
    figure.canvas.draw()
    shown = [axis.get_window_extent() for axis in figure.axes if axis.images]
    assert len(shown) >= 8
    for text in texts(figure):
        assert not any(text.get_window_extent().overlaps(box) for box in shown), text.get_text()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_text_of_a_network_is_inside_its_box(figures: dict[str, Figure], name: str) -> None:
    figure = figures[name]
    figure.canvas.draw()
    (axis,) = figure.axes
    boxes = [p.get_window_extent() for p in axis.patches if isinstance(p, Circle | FancyBboxPatch)]
    assert len(boxes) >= 12
    for one, two in combinations(boxes, 2):
        assert not one.overlaps(two)
    inside = 0
    for text in axis.texts:
        box = text.get_window_extent()
        holders = [b for b in boxes if b.overlaps(box)]
        if holders:
            assert len(holders) == 1
            assert holders[0].x0 <= box.x0 and box.x1 <= holders[0].x1, text.get_text()
            assert holders[0].y0 <= box.y0 and box.y1 <= holders[0].y1, text.get_text()
            inside += 1
    assert inside == len(boxes)
