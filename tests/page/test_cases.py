"""The cases: lists, pictures, and two methods side by side."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page

from mednext.config.names import display_name

from .reading import Open, column
from .results import HOSTILE, IMAGES


def choose(page: Page, words: str) -> Locator:
    page.locator("#case-tools").get_by_label("Data set").select_option(label=words)
    return page.locator("#case-table table")


def painted(page: Page, selector: str) -> list[list[int]]:
    """Mean colour of every canvas, once all are drawn."""
    page.wait_for_function(
        """selector => (all => all.length && all.every(c => c.dataset.drawn))(
             [...document.querySelectorAll(selector)])""",
        arg=selector,
    )
    return page.evaluate(
        """selector => [...document.querySelectorAll(selector)].map(c => {
             const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
             const sum = [0, 0, 0];
             for (let i = 0; i < d.length; i++) if (i % 4 < 3) sum[i % 4] += d[i];
             return sum.map(s => Math.round(s / (d.length / 4)));
           })""",
        selector,
    )


def pixels(page: Page, at: tuple[float, float]) -> list[list[int]]:
    """Colour of every canvas of the dialog at one place, as fractions of its side."""
    return page.evaluate(
        """([x, y]) => [...document.querySelectorAll("#dialog canvas")].map(c => {
             const at = c.getContext("2d").getImageData(x * c.width, y * c.height, 1, 1);
             return [...at.data].slice(0, 3);
           })""",
        list(at),
    )


def test_cases_are_sorted_by_confidence(opened: Open) -> None:
    page = opened().page
    table = choose(page, "SARS-COV2-CT-Scan, protocol paper")
    assert len(column(table, 1)) == 50 and f"{IMAGES} rows" in page.locator("#cases").inner_text()
    table.locator("thead button").nth(4).click()
    found = [float(text) for text in column(table, 5)]
    assert found == sorted(found) and min(found) >= 0.5
    table.locator("thead button").nth(5).click()
    # by the score of the true class: the worst of all was made up as 0.0312
    assert column(table, 6)[0] == "0.031" and column(table, 4)[0] == "✗ wrong"
    page.get_by_label("only its errors").check()
    assert set(column(page.locator("#case-table table"), 4)) == {"✗ wrong"}
    page.get_by_role("button", name="Show all").first.click()


def test_an_image_opens_with_a_heatmap_of_each_method(opened: Open) -> None:
    page = opened().page
    choose(page, "SARS-COV2-CT-Scan, protocol paper")
    page.get_by_role("button", name="normal/Image (2).png").click()
    image, *heatmaps = painted(page, "#dialog canvas")
    assert max(image) - min(image) <= 2  # grey
    assert len(heatmaps) == 2
    hot, cold = pixels(page, (0.3, 0.6)), pixels(page, (0.95, 0.05))
    for heat in (1, 2):  # inferno: the peak is yellow, and where there is no heat nothing is drawn
        assert hot[heat][0] > hot[heat][2] + 40
        assert max(cold[heat]) - min(cold[heat]) <= 4
    page.get_by_role("slider").fill("0")
    page.wait_for_timeout(100)
    assert painted(page, "#dialog canvas")[1] == image


def test_a_volume_opens_with_masks_and_dice_and_leads_to_the_next(opened: Open) -> None:
    page = opened().page
    table = choose(page, "ACDC, protocol paper")
    table.locator("thead button").nth(1).click()
    # means of the organs that are there: (0.2 + 0.6) / 2, (0.5 + 0.4 + 0.3) / 3, then 0.8
    assert column(table, 2) == ["0.400", "0.400", "0.800"]
    page.get_by_role("button", name="patient101_ED").click()
    text = page.get_by_role("dialog").inner_text()
    assert (
        "MedUNeXt Dice 0.800 (right ventricle 0.900, myocardium 0.800, left ventricle 0.700)"
        in text
    )
    assert "UNet Dice 0.750 (right ventricle 0.850, myocardium 0.750, left ventricle 0.650)" in text
    image, truth, transposed, same = painted(page, "#dialog canvas")
    assert truth != image and transposed != image and truth == same
    page.get_by_label("Slice").select_option("2")
    page.get_by_role("button", name="Next", exact=True).click()
    assert page.locator("#dialog h2").inner_text() == "patient101_ES"
    page.get_by_role("button", name="Close", exact=True).click()


def test_a_case_leads_to_the_one_before(opened: Open, files: dict[str, Path]) -> None:
    with np.load(files["phantom"].parents[1] / "cases/browse.acdc.paper.npz") as stored:
        first, second = stored["names"][:2].tolist()
        dice = np.nanmean(stored["dice"][0, 0])
    page = opened().page
    choose(page, "ACDC, protocol paper")
    page.get_by_role("button", name=second).click()
    page.get_by_role("button", name="Previous", exact=True).click()
    assert page.locator("#dialog h2").inner_text() == first
    assert f"MedUNeXt Dice {dice:.3f}" in page.get_by_role("dialog").inner_text()
    assert page.get_by_role("button", name="Previous", exact=True).is_disabled()


def test_another_method_is_chosen(opened: Open) -> None:
    page = opened().page
    table = choose(page, "ACDC, protocol paper")
    page.locator("#case-tools").get_by_label("Method").select_option("UNet")
    # each of its organs is 0.05 below MedUNeXt's
    assert column(table, 2) == ["0.750", "0.350", "0.350"]


def test_two_methods_are_compared_image_by_image(opened: Open, files: dict[str, Path]) -> None:
    with np.load(files["local"].parents[1] / "cases/browse.sars_cov2_ct.paper.npz") as stored:
        right = stored["scores"].argmax(-1) == stored["labels"]
        names = stored["methods"].tolist()
    first, second = (display_name(name) for name in names)
    both, one, two = (
        (right[0] & right[1]).sum(),
        (right[0] & ~right[1]).sum(),
        (~right[0] & right[1]).sum(),
    )
    page = opened("local").page
    choose(page, "SARS-COV2-CT-Scan, protocol paper")
    page.locator("#case-tools").get_by_label("Against").select_option(second)
    text = page.locator(".pair").inner_text()
    assert f"both {both}, only {first} {one}, only {second} {two}, neither" in text
    n = right.shape[1]
    middle = (one - two) / (n + 2)
    half = 1.959964 * math.sqrt((one + two + 1) - (one - two) ** 2 / (n + 2)) / (n + 2)
    low, high = (f"{100 * v:+.1f}".replace("-", "−") for v in (middle - half, middle + half))
    assert f"[{low}, {high}]" in text
    page.get_by_label("only where one errs").check()
    table = page.locator("#case-table table")
    assert set(column(table, 5)) == {f"only {first}", f"only {second}"}
    assert page.locator("#case-table .count").inner_text().startswith(str(one + two))


def test_two_methods_are_compared_volume_by_volume(opened: Open) -> None:
    page = opened("local").page
    choose(page, "ACDC, protocol paper")
    page.locator("#case-tools").get_by_label("Against").select_option("UNet")
    table = page.locator("#case-table table")
    first, second, gap = (column(table, k) for k in (2, 3, 4))
    for a, b, d in zip(first, second, gap, strict=True):
        assert float(d.replace("−", "-")) == pytest.approx(float(a) - float(b), abs=1e-3)
    page.locator("#case-tools").get_by_label("Against").select_option("none")
    assert "Best method's Dice" in table.inner_text()


def test_a_hostile_file_name_stays_text(opened: Open) -> None:
    page = opened().page
    choose(page, "SARS-COV2-CT-Scan, protocol paper")
    page.locator("#case-table").get_by_role("searchbox").fill("onerror")
    button = page.locator("#case-table tbody button")
    assert button.inner_text() == HOSTILE
    button.click()
    assert page.locator("#dialog h2").inner_text() == HOSTILE
    assert page.evaluate("window.hit") is None
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("width", [1280, 390])
def test_the_name_of_a_case_stays_in_its_cell(opened: Open, width: int) -> None:
    page = opened(width=width).page
    button = page.locator("#case-table tbody th button").first
    button.evaluate("b => { b.textContent = 'patient004_frame01'; }")
    spill = "b => b.getBoundingClientRect().right - b.closest('th').getBoundingClientRect().right"
    assert button.evaluate(spill) <= 0
