"""Leakage tables and figures: every number of leakage.csv where it belongs, and what it is of."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from mednext.errors import UserError
from mednext.report.figures import leakage
from mednext.report.figures.style import SMALLEST_FONT
from mednext.report.leakage import NAMES, grids, plain, write_leakage
from mednext.results import Leak, LeakageRow, write_rows

from .made_up import make_profile

PAGE_WIDTH_INCHES = 7.5


def row(kind: Leak, protocol: str = "paper", **changes: Any) -> LeakageRow:
    values: dict[str, Any] = {
        "dataset": "sars_cov2_ct",
        "name": "SARS <CT> | Scan",
        "source": "local",
        "source_id": "local-0123abcd",
        "stand_in": None,
        "protocol": protocol,
        "kind": kind,
        "unit": "images",
        "items": 2481,
        "test_items": 496,
        "data_hash": "d" * 16,
        "split_hash": "e" * 16,
    }
    return LeakageRow.model_validate(values | changes)


def rows(**changes: Any) -> list[LeakageRow]:
    pairs = dict(
        zip(
            ("pairs", "within_class", "across_classes", "train_val", "train_test", "val_test"),
            (320, 319, 1, 68, 71, 27),
            strict=True,
        )
    )
    found = []
    for protocol, torn in (("paper", 63), ("grouped", 0)):
        more: dict[str, Any] = pairs | {"clusters": 205, "largest_cluster": 9} | changes
        found += [
            row(Leak.NEAR_DUPLICATE, protocol, test_overlap=torn, note="a|b", **more),
            row(Leak.ANY, protocol, test_overlap=torn, **changes),
            row(
                Leak.CUE_SIZE,
                protocol,
                **{"accuracy": 0.67, "ci_low": 0.554, "ci_high": 0.78, "baseline": 0.5, **changes},
                groups=54,
            ),
            row(Leak.CUE_FORMAT, protocol, baseline=0.5, groups=54, note="all alike", **changes),
        ]
    return found


def test_every_kind_has_a_name() -> None:
    assert set(NAMES) == set(Leak)


def test_the_cells_are_the_counts() -> None:
    pairs, cues = grids(rows())
    assert pairs[0] == "Leakage in SARS <CT> | Scan"
    assert "paper: 2481 images, 496 in test" in pairs[1][0]
    first = [cell.words for cell in pairs[3][0]]
    # 63 of 496 are 12.7 %
    counts = (320, 319, 1, 68, 71, 27, 205, 9)
    assert first[:-1] == ["paper: near-duplicates", *map(str, counts)]
    assert first[-1] == "63 of 496 (12.7 %)"
    assert [cell.words for cell in pairs[3][1]] == [
        "paper: any of these",
        *"–" * 8,
        "63 of 496 (12.7 %)",
    ]
    guessed = [cell.words for cell in cues[3][0]]
    assert guessed == ["paper: width and height", "67.0 %", "55.4 to 78.0 %", "50.0 %", "54"]
    assert cues[3][0][1].bold  # 55.4 % is above chance
    assert [cell.words for cell in cues[3][1]][1:3] == ["–", "–"] and not cues[3][1][1].bold


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("results/made_up")


@pytest.mark.parametrize("source", ["local", "phantom"])
def test_three_forms_and_a_banner(results: Path, source: str) -> None:
    write_rows(results / "leakage.csv", LeakageRow, rows(source=source))
    write_leakage(make_profile(), results / "tables")
    stem = results / "tables" / "leakage_sars_cov2_ct"
    table = pd.read_csv(stem.with_suffix(".csv"))
    assert table.train_test.tolist()[0] == 71 and len(table) == 8
    text, page = (stem.with_suffix(e).read_text(encoding="utf-8") for e in (".md", ".html"))
    for words in (text, page):
        assert ("PHANTOM (synthetic) data" in words) == (source == "phantom")
        assert "63 of 496" in words and "55.4 to 78.0 %" in words
    assert "<CT>" not in page and "SARS &lt;CT&gt; | Scan" in page
    lines = [line for line in text.splitlines() if line.startswith("| paper: near")]
    assert len(lines) == 1 and lines[0].replace("\\|", "").count("|") == 11
    assert "a\\|b" in text


def test_stand_in_data_say_so() -> None:
    for _, lines, *_ in grids(rows(stand_in="another data set")):
        assert "STAND-IN, not the data set itself: another data set." in lines
    assert "STAND-IN" in plain(rows(stand_in="another data set"))


def test_volumes_have_no_cues(results: Path) -> None:
    volumes = [row(Leak.SAME_PATIENT, unit="volumes", pairs=3, test_overlap=1)]
    assert len(grids(volumes)) == 1
    write_rows(results / "leakage.csv", LeakageRow, volumes)
    leakage.write(make_profile(), results / "figures")
    svg = (results / "figures" / "leakage_sars_cov2_ct.svg").read_text(encoding="utf-8")
    assert "test volumes that overlap with train" in svg and "guessed" not in svg


def test_nothing_audited_is_a_clear_error(results: Path) -> None:
    for write in (write_leakage, leakage.write):
        with pytest.raises(UserError, match=r"leakage\.csv"):
            write(make_profile(), results)


@pytest.fixture(params=["images", "volumes"])
def figure(
    results: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Figure:
    """The busiest figure: all kinds, four protocols, a phantom; kept open as it was saved.

    Volumes have no cues: one panel, and still room for the banner.
    """
    every = [
        row(kind, protocol, source="phantom", accuracy=0.6, ci_low=0.4, ci_high=0.7, baseline=0.5)
        if kind.startswith("cue")
        else row(kind, protocol, source="phantom", test_overlap=496)
        for protocol in ("paper", "grouped", "grouped_originals", "fold1")
        for kind in Leak
        if request.param == "images" or not kind.startswith("cue")
    ]
    write_rows(results / "leakage.csv", LeakageRow, every)
    kept: list[Figure] = []
    monkeypatch.setattr(leakage, "save", lambda figure, stem: kept.append(figure))
    monkeypatch.setattr(leakage.plt, "close", lambda figure: None)
    leakage.write(make_profile(), results / "figures")
    monkeypatch.undo()
    return kept[0]


def test_the_figure_fits_and_no_texts_overlap(figure: Figure) -> None:
    assert figure.get_figwidth() <= PAGE_WIDTH_INCHES
    texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    assert min(t.get_fontsize() for t in texts) >= SMALLEST_FONT
    figure.canvas.draw()
    boxes = {t: t.get_window_extent() for t in texts}
    for one, two in combinations(boxes, 2):
        assert not boxes[one].overlaps(boxes[two]), (one.get_text(), two.get_text())
    for text, box in boxes.items():
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text.get_text()
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text.get_text()
    plt.close("all")


def test_the_bars_are_the_shares(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(results / "leakage.csv", LeakageRow, rows())
    kept: list[Figure] = []
    monkeypatch.setattr(leakage, "save", lambda figure, stem: kept.append(figure))
    monkeypatch.setattr(leakage.plt, "close", lambda figure: None)
    leakage.write(make_profile(), results / "figures")
    widths = [patch.get_width() for patch in kept[0].axes[0].patches]
    assert widths == pytest.approx([100 * 63 / 496, 100 * 63 / 496, 0, 0])
    assert kept[0].axes[0].get_xlabel() == "test images that overlap with train (%)"
    monkeypatch.undo()
    plt.close("all")
