"""The explorer: what charts say, one choice of methods for all, any two quantities, zoom."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Locator, Page

from mednext.config.names import display_name

from .reading import Open, column

MARK = "circle, path"


def hovered(page: Page, panel: Locator, place: int) -> str:
    """What a chart says of its ``place``-th filled mark when the pointer is on it."""
    mark = panel.locator("g[data-mark=dot]").last.locator(MARK).nth(place)
    mark.scroll_into_view_if_needed()
    mark.hover(force=True)
    return str(panel.locator("g[aria-label=tip]").text_content(timeout=5000))


def test_the_explorer_shows_means_intervals_and_the_printed_value(opened: Open) -> None:
    page = opened("local").page
    panel = page.locator("#explorer-panels > div")
    said = hovered(page, panel, 0)
    # (0.983 + 0.985 + 0.987) / 3; the printed accuracy is 98.39 %
    assert said.split("\u200b")[1:3] == ["MedNeXt", "0.985 [0.978, 0.992], 3 seed(s)"]
    assert said.endswith("printed 0.984")
    page.locator("#explorer-tools").get_by_label("Task").select_option("segmentation")
    page.locator("#explorer-tools").get_by_label("Empty masks").select_option("nan")
    labels = panel.locator("svg").get_attribute("aria-label")
    assert labels == "Dice on ACDC: MedUNeXt 0.901, UNet 0.801"
    page.get_by_text("The same as a table").click()
    assert column(page.locator("#explorer-table table"), 3) == ["0.9010", "0.8010"]


def of_the_file(files: dict[str, Path], **axes: str) -> pd.DataFrame:
    """MedNeXt's rows of ``metrics.csv`` in the headline's view but for ``axes``."""
    rows = pd.read_csv(files["local"].parents[1] / "metrics.csv")
    view = {"metric": "accuracy", "protocol": "paper", "selection": "last", "method": "mednext"}
    view |= {"target": "non_disease", **axes}
    return rows[(rows[list(view)] == list(view.values())).all(axis=1)]


@pytest.mark.parametrize(
    ("label", "axis", "choice"),
    [
        ("Metric", "metric", "precision"),
        ("Protocol", "protocol", "grouped"),
        ("Weights", "selection", "best_val"),
    ],
)
def test_metric_protocol_and_weights_are_chosen(
    opened: Open, files: dict[str, Path], label: str, axis: str, choice: str
) -> None:
    rows = of_the_file(files, **{axis: choice})
    (dataset,), (metric,) = set(rows.dataset), set(rows.metric)
    page = opened("local").page
    page.locator("#explorer-tools").get_by_label(label).select_option(choice)
    svg = page.locator("#explorer-panels > div svg[role=img]")
    assert svg.get_attribute("aria-label") == (
        f"{metric.capitalize()} on {display_name(dataset)}: MedNeXt {rows.value.mean():.3f}"
    )
    assert page.evaluate("document.activeElement.value") == choice


def dimmed(page: Page) -> dict[str, tuple[int, int]]:
    """Place of charts -> how many of its points are dimmed, and how many there are."""
    found = {}
    for place in ("explorer", "scatter", "curve"):
        marks = page.locator(f"#{place}-panels g[data-mark=dot]").locator(MARK)
        shown = [m.get_attribute("opacity") for m in marks.all()]
        found[place] = (sum(o is not None and float(o) < 0.5 for o in shown), len(shown))
    return found


def test_a_method_is_picked_in_all_charts_at_once(opened: Open) -> None:
    page = opened("local").page
    page.locator("#explorer-tools").get_by_label("Task").select_option("segmentation")
    assert all(count > 0 and low == 0 for low, count in dimmed(page).values())
    button = page.get_by_role("group", name="Methods shown").get_by_role(
        "button", name="MedUNeXt", exact=True
    )
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    assert page.locator("#live").inner_text() == "Shown in all charts: MedUNeXt"
    # MedUNeXt beside UNet in the scores, beside MedNeXt in the curves
    assert all(0 < low < count for low, count in dimmed(page).values())
    page.get_by_role("button", name="All methods").click()
    assert all(low == 0 for low, _ in dimmed(page).values())
    page.locator("#scatter-panels g[data-mark=dot]").locator(MARK).first.click(force=True)
    assert page.locator("button.method[aria-pressed=true]").count() == 1


def ticks(panel: Locator) -> list[tuple[str, float]]:
    """Labels of the vertical axis and where they stand in the chart, in pixels from the top."""
    found = panel.locator("g[data-mark='y-axis tick label'] text").evaluate_all(
        "all => all.map(label => [label.textContent, label.getCTM().f])"
    )
    return [(word, at) for word, at in found]


def pixels_per_unit(panel: Locator) -> float:
    (low, y_low), *_, (high, y_high) = ticks(panel)
    return (y_low - y_high) / (float(high) - float(low))


def test_any_two_quantities_and_a_zoom_there_and_back(opened: Open) -> None:
    page = opened("local").page
    page.get_by_role("button", name="Reproduced against printed").click()
    panel = page.locator("#scatter-panels > div").first
    svg = panel.locator("svg")
    assert "MedNeXt, Accuracy: 0.985 [0.978, 0.992], Accuracy, printed: 0.984" in str(
        svg.get_attribute("aria-label")
    )
    page.locator("#scatter-tools").get_by_label("Across").select_option("GMACs at 224 px")
    page.locator("#scatter-tools").get_by_label("Upwards").select_option("Precision")
    assert str(svg.get_attribute("aria-label")).startswith("Precision against GMACs at 224 px")
    before = ticks(panel)
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 150, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 160, steps=4)
    page.mouse.up()
    assert ticks(panel) != before
    panel.get_by_role("button", name="Whole range").click()
    assert ticks(panel) == before


def test_the_score_is_set_against_the_cost(opened: Open, files: dict[str, Path]) -> None:
    cost = pd.read_csv(files["local"].parents[1] / "cost.csv").set_index("method")
    score = of_the_file(files).value.mean()
    page = opened("local").page
    page.locator("#scatter-tools").get_by_label("Across").select_option("Precision")
    button = page.get_by_role("button", name="Score against cost")
    assert button.get_attribute("aria-pressed") == "false"
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    said = page.locator("#scatter-panels svg[role=img]").first.get_attribute("aria-label")
    assert re.fullmatch(
        "Accuracy against GMACs at 224 px on SARS-COV2-CT-Scan: "
        rf"MedNeXt, Accuracy: {score:.3f} \[[^]]*\], "
        f"GMACs at 224 px: {cost.gmacs_torch['mednext']:.2f}",
        str(said),
    )


def test_a_chart_zooms_by_buttons_and_by_keys(opened: Open) -> None:
    page = opened("local").page
    panel = page.locator("#scatter-panels > div").first
    chart = panel.get_by_role("group", name="Chart of SARS-COV2-CT-Scan")
    chart.scroll_into_view_if_needed()
    whole, unit = ticks(panel), pixels_per_unit(panel)
    panel.get_by_role("button", name="Zoom in, SARS-COV2-CT-Scan").press("Enter")
    assert pixels_per_unit(panel) == pytest.approx(2 * unit, rel=1e-3)
    assert "Accuracy 0.9" in page.locator("#live").inner_text()
    chart.focus()
    chart.press("+")
    assert pixels_per_unit(panel) == pytest.approx(4 * unit, rel=1e-3)
    before = dict(ticks(panel))
    # A quarter of what is shown, and all marks go down by that: 332 px without margins of 20 and 40
    # and insets of 6 are 260.
    chart.press("ArrowUp")
    moved = [at - before[word] for word, at in ticks(panel) if word in before]
    assert moved == pytest.approx([65] * len(moved), abs=0.01) and moved
    chart.press("ArrowDown")
    assert dict(ticks(panel)) == pytest.approx(before)
    panel.get_by_role("button", name="Zoom out, SARS-COV2-CT-Scan").press("Space")
    assert pixels_per_unit(panel) == pytest.approx(2 * unit, rel=1e-3)
    chart.press("0")
    assert ticks(panel) == whole
    assert page.locator("#live").inner_text() == "SARS-COV2-CT-Scan: whole range"
    chart.press("-")  # there is no more than the whole
    assert ticks(panel) == whole
    assert chart.evaluate("e => e === document.activeElement")


def test_another_curve_is_chosen(opened: Open) -> None:
    page = opened("local").page
    charts = page.locator("#curve-panels svg[role=img]")
    # made up: 1 / epoch, then x ** 2 at 0.9
    assert charts.first.get_attribute("aria-label") == (
        "Training loss on SARS-COV2-CT-Scan: MedNeXt ends at 0.333"
    )
    page.get_by_label("Curve").select_option("reliability")
    assert charts.first.get_attribute("aria-label") == (
        "Calibration on SARS-COV2-CT-Scan: MedNeXt ends at 0.810"
    )
    assert page.evaluate("document.activeElement.value") == "reliability"
