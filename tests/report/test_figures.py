"""The image figures: what is drawn, how large, and that texts stay apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from mednext.config import Profile
from mednext.errors import UserError
from mednext.report.figures import fig6, fig8, write_figures
from mednext.report.figures.style import SMALLEST_FONT

from .made_up import make_profile

SOURCES = ("local", "phantom")
PAGE_WIDTH_INCHES = 7.5  # PLoS: figures at most 19.05 cm wide


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ["fig6", "fig8"])
def test_three_formats_and_not_blank(drawn: dict[str, Path], source: str, name: str) -> None:
    folder = drawn[source] / "figures"
    assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert (folder / f"{name}.svg").read_text(encoding="utf-8").count("<image") >= 6
    pixels = np.asarray(Image.open(folder / f"{name}.png").convert("L"), dtype=float)
    assert pixels.shape[1] >= 300 * 4
    assert pixels.std() > 20


@pytest.mark.parametrize("name", ["fig6", "fig8"])
def test_a_phantom_says_so(drawn: dict[str, Path], name: str) -> None:
    marked = (drawn["phantom"] / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    assert "PHANTOM (synthetic) data" in marked
    assert "PHANTOM" not in (drawn["local"] / "figures" / f"{name}.svg").read_text(encoding="utf-8")


def test_titles_say_what_was_predicted(drawn: dict[str, Path]) -> None:
    svg = (drawn["local"] / "figures" / "fig6.svg").read_text(encoding="utf-8")
    # second case: covid19, scored 0.80 for normal
    for words in ("truth: normal", "truth: covid19", "normal 0.90", "normal 0.80 ✗"):
        assert words in svg
    svg = (drawn["local"] / "figures" / "fig8.svg").read_text(encoding="utf-8")
    for words in ("ground truth", "Dice 0.912", "Dice 0.750", "RV", "MYO", "LV"):
        assert words in svg


def test_drawing_twice_gives_the_same_bytes(
    drawn: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = drawn["phantom"]
    monkeypatch.chdir(root.parents[1])
    write_figures(make_profile("phantom"), tmp_path)
    for path in sorted((root / "figures").iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.fixture
def figures(drawn: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Figure]]:
    """Both phantom figures, kept open as they were saved."""
    monkeypatch.chdir(drawn["phantom"].parents[1])
    kept: list[Figure] = []
    for module in (fig6, fig8):
        monkeypatch.setattr(module, "save", lambda figure, stem: kept.append(figure))
        monkeypatch.setattr(module.plt, "close", lambda figure: None)
        module.write(make_profile("phantom"), Path("unused"))
    yield kept
    monkeypatch.undo()
    plt.close("all")


def _texts(figure: Figure) -> list[Text]:
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]


def test_texts_are_readable_at_print_size(figures: list[Figure]) -> None:
    for figure in figures:
        assert figure.get_figwidth() <= PAGE_WIDTH_INCHES
        assert min(t.get_fontsize() for t in _texts(figure)) >= SMALLEST_FONT >= 7


def test_texts_overlap_neither_each_other_nor_an_image(figures: list[Figure]) -> None:
    for figure in figures:
        figure.canvas.draw()
        boxes = {t: t.get_window_extent() for t in _texts(figure)}
        for one, two in combinations(boxes, 2):
            assert not boxes[one].overlaps(boxes[two]), (one.get_text(), two.get_text())
        for text, box in boxes.items():
            assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text.get_text()
            assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text.get_text()
            for axis in figure.axes:
                assert not box.overlaps(axis.get_window_extent()), text.get_text()


@pytest.mark.parametrize(("gone", "name"), [("sars_cov2_ct", "fig6"), ("acdc", "fig8")])
def test_a_data_set_outside_the_profile_gives_a_figure_that_says_so(
    drawn: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gone: str, name: str
) -> None:
    monkeypatch.chdir(drawn["local"].parents[1])
    whole = make_profile().model_dump()
    del whole["datasets"][gone]
    write_figures(Profile.model_validate(whole), tmp_path)
    svg = (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
    assert "is not part of profile" in svg
    assert {p.suffix for p in tmp_path.glob(f"{name}.*")} == {".png", ".pdf", ".svg"}


def test_missing_cases_are_a_clear_error(made_up: Callable[[str], Path], tmp_path: Path) -> None:
    root = made_up("local")
    (root / "cases" / "fig6.npz").unlink()
    with pytest.raises(UserError, match=r"fig6\.npz"):
        write_figures(make_profile(), tmp_path)
