"""What a reader does with the page. Every page opened here is also checked for errors and requests
(the fixture ``opened``)."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page

from mednext.config.names import display_name

from ..report.made_up import slugs_in
from .results import HOSTILE, IMAGES

Open = Callable[..., Any]
LARGEST_BYTES = 15_000_000
SLOWEST_SECONDS = 2.0
MARK = "circle, path"
LARGEST_SHIFT = 0.1  # "good" in the Core Web Vitals
DEMO = Path(__file__).resolve().parents[2] / "results" / "demo" / "page" / "index.html"


def column(table: Locator, number: int) -> list[str]:
    """Texts of one column (from 1) as they stand now, without what is hidden."""
    cells = table.locator(f"tbody tr > :nth-child({number})")
    return [text.strip() for text in cells.all_inner_texts()]


def table_2(page: Page) -> Locator:
    return page.locator("#table2 .variant").first.locator("table")


def test_it_is_small(files: dict[str, Path]) -> None:
    assert all(file.stat().st_size < LARGEST_BYTES for file in files.values())


@pytest.fixture(params=["made up", "demo"])
def measured(request: pytest.FixtureRequest, files: dict[str, Path]) -> Path:
    """A page that has to keep the budgets: the made-up one, and the demo's where it was run."""
    file = files["phantom"] if request.param == "made up" else DEMO
    if not file.is_file():
        pytest.skip("the demo has not been run")
    return file


def test_it_is_interactive_in_time(opened: Open, measured: Path) -> None:
    # Until the last script has run: parsing, layout of the first screen, all handlers in place.
    def seconds() -> float:
        timing = "performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"
        page = opened(file=measured).page
        page.wait_for_function(timing + " > 0")
        return float(page.evaluate(timing))

    assert min(seconds() for _ in range(3)) < SLOWEST_SECONDS


def test_nothing_jumps_while_it_opens_and_is_scrolled(opened: Open, measured: Path) -> None:
    page = opened(file=measured).page
    # The sum of all shifts: each is the share of the screen that moved, times how far.
    shift = page.evaluate(
        """async () => {
             let sum = 0;
             const add = list => list.getEntries().forEach(e => { sum += e.value; });
             new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
             for (let at = 0; at < document.body.scrollHeight; at += 4000) {
               scrollTo({ top: at, behavior: "instant" });
               await new Promise(done => setTimeout(done, 60));
             }
             return sum;
           }"""
    )
    assert shift < LARGEST_SHIFT


def test_the_banner_stands_above_phantoms_only(opened: Open) -> None:
    assert opened("phantom").page.get_by_role("note").inner_text().startswith("PHANTOM")
    assert "PHANTOM" not in opened("local").page.locator("body").inner_text()


def test_sorting_by_a_column_there_and_back(opened: Open) -> None:
    page = opened("local").page
    table, header = table_2(page), table_2(page).locator("thead th").nth(6)
    for part in ("o", "d"):
        page.locator(f"#form input[value={part}]").uncheck()
    before = column(table, 7)
    printed = sorted(float(text.split("(")[0]) for text in before)
    header.locator("button").click()
    assert [float(t.split("(")[0]) for t in column(table, 7)] == printed
    assert header.get_attribute("aria-sort") == "ascending"
    header.locator("button").press("Enter")
    assert [float(t.split("(")[0]) for t in column(table, 7)] == printed[::-1]
    header.locator("button").press("Space")
    assert column(table, 7) == before != printed
    assert header.get_attribute("aria-sort") is None


def test_what_is_not_there_is_sorted_last_both_ways(opened: Open) -> None:
    page = opened("local").page
    page.locator("#form input[value=p]").uncheck()
    table = table_2(page)
    page.locator("#table2 .fold:visible").click()
    for _ in range(2):  # accuracy: MedNeXt alone has one
        table.locator("thead th button").nth(6).click()
        assert column(table, 1)[0].startswith("MedNeXt")
        assert column(table, 7)[0].startswith("98.50")


def test_filtering_rows(opened: Open) -> None:
    page = opened().page
    search = page.get_by_label("Filter Table 2, headline")
    search.fill("resnet 18")
    assert [name[:8] for name in column(table_2(page), 1)] == ["ResNet18"]
    count = page.locator("#table2 .variant").first.locator(".count")
    assert count.inner_text() == "1 of 11 rows"
    search.fill("nothing like it")
    assert column(table_2(page), 1) == ["No row fits."]
    search.fill("")
    assert count.inner_text() == "3 of 11 rows"  # the others were not run


def test_what_was_not_run_is_one_line_that_unfolds(opened: Open) -> None:
    page = opened("local").page
    fold = page.locator("#table2 .fold:visible")
    assert fold.inner_text() == (
        "Not run: ResNet50, DenseNet121, ResMLP, MLP-Mixer, SparseMLP, ViT, "
        "Swin-Transformer-v2, Patch-based CNN"
    )
    assert len(column(table_2(page), 1)) == 3
    fold.press("Enter")
    assert len(column(table_2(page), 1)) == 11 and fold.get_attribute("aria-expanded") == "true"
    assert "→" not in table_2(page).locator("tr.notrun").first.inner_text()
    fold.click()
    assert len(column(table_2(page), 1)) == 3


def test_printed_ours_and_difference_are_shown_and_hidden(opened: Open) -> None:
    page = opened("local").page
    accuracy = table_2(page).locator("tr.ours td").nth(5)
    assert accuracy.inner_text().split("\n") == ["98.39", "→ 98.50", "[97.80, 99.20]", "Δ +0.11 ="]
    part = {name: page.get_by_label(name, exact=True) for name in ("printed", "ours", "difference")}
    part["ours"].uncheck()
    assert accuracy.inner_text().split("\n") == ["98.39", "Δ +0.11 ="]
    part["printed"].uncheck()
    assert accuracy.inner_text() == "Δ +0.11 ="
    part["difference"].click()  # the last one stays: an empty table answers nothing
    assert part["difference"].is_checked() and accuracy.inner_text() == "Δ +0.11 ="


def test_a_table_is_copied_as_shown(opened: Open) -> None:
    page = opened("local").page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_label("ours", exact=True).uncheck()
    page.get_by_label("difference", exact=True).uncheck()
    page.get_by_label("Filter Table 2, headline").fill("densenet")

    def copy(kind: str) -> list[str]:
        page.get_by_role("button", name=f"Copy Table 2, headline as {kind}", exact=True).click()
        page.wait_for_function(
            "w => document.querySelector('#live').textContent.endsWith(w)", arg=kind
        )
        return str(page.evaluate("navigator.clipboard.readText()")).splitlines()

    assert copy("Markdown")[0].startswith("| Method | Params (M) ↓ | GMACs ↓ |")
    assert copy("Markdown")[2] == (
        "| DenseNet121 [51](a) | 7.97 | 2.87 | 96.31 | 95.68 | 97.86 | 98.01 | 0.9987 |"
    )
    assert copy("CSV")[1] == (
        '"DenseNet121 [51](a)","7.97","2.87","96.31","95.68","97.86","98.01","0.9987"'
    )
    latex = copy("LaTeX")
    assert latex[0] == r"\begin{tabular}{lrrrrrrr}" and r"Precision (\%)" in latex[2]
    assert latex[4].endswith(r"& 98.01 & 0.9987 \\")


def test_the_signs_are_explained_once_and_from_anywhere(opened: Open) -> None:
    page = opened("local").page
    assert "Cells read" not in page.locator("#tables").inner_text()
    page.locator("#provenance").scroll_into_view_if_needed()
    legend = page.locator("details.reading")
    legend.locator("summary").click()
    assert "equivalent" in legend.inner_text() and "seeds" in legend.inner_text()


def test_statements_are_chosen_by_verdict(opened: Open) -> None:
    page = opened("local").page
    claims = page.locator("#claims")
    table = claims.locator("table")
    first = table.locator("tbody tr").first
    assert first.locator("td").all_inner_texts()[4:] == [
        "true",
        "equivalent",
        "Table 2, MedNeXt (Ours), Accuracy (%): printed 98.39, ours 98.5 [97.8, 99.2]",
    ]
    claims.get_by_label("Arithmetic").select_option("false")
    assert [name[:4] for name in column(table, 1)] == ["X002"]
    claims.get_by_label("Reproduction").select_option("no cell")
    assert column(table, 1) == ["No row fits."]
    claims.get_by_label("Arithmetic").select_option("")
    assert [name[:4] for name in column(table, 1)] == ["X003"]


def test_five_answers_stand_on_the_first_screen(opened: Open) -> None:
    for source in ("phantom", "local"):
        cards = opened(source).page.locator(".answers li")
        assert cards.count() == 5
        page = opened(source).page  # as it opens: not scrolled
        page.evaluate("scrollTo(0, 0)")
        bottoms = [c.bounding_box() for c in page.locator(".answers li").all()]
        assert all(box and box["y"] + box["height"] <= 900 for box in bottoms), bottoms


def test_other_results_of_a_table_can_be_chosen(opened: Open) -> None:
    page = opened("local").page
    accuracy = table_2(page).locator("tr.ours td").nth(5)
    assert "98.50" in accuracy.inner_text()
    page.locator("#table2").get_by_label("Results").select_option("positive class disease")
    shown = page.locator("#table2 .variant:visible")
    assert shown.count() == 1
    # made up to be ten points less with the other positive class
    assert "88.50" in shown.locator("tr.ours td").nth(5).inner_text()


def test_a_method_tells_where_its_numbers_come_from(opened: Open) -> None:
    page = opened().page
    table_2(page).locator("tr.ours .prov").click()
    dialog = page.get_by_role("dialog")
    text = dialog.inner_text()
    assert "MedNeXt on SARS-COV2-CT-Scan" in text and "3 runs" in text
    for digest in ("c" * 16, "d" * 16, "e" * 16, "f" * 16, "0" * 16):
        assert text.count(digest) == 3
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.dataset.method") == "mednext"


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

    def ticks() -> list[str]:
        return panel.locator("g[data-mark='y-axis tick label'] text").all_text_contents()

    before = ticks()
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 150, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 160, steps=4)
    page.mouse.up()
    assert ticks() != before
    panel.get_by_role("button", name="Whole range").click()
    assert ticks() == before


def choose(page: Page, words: str) -> Locator:
    page.locator("#case-tools").get_by_label("Data set").select_option(label=words)
    return page.locator("#case-table table")


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


def test_no_slug_stands_in_the_page(opened: Open) -> None:
    page = opened("local").page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # opens what is folded
    text = page.evaluate(  # made up, the file of misfits holds formulas
        """() => { document.querySelectorAll("code, [data-key$=misfits]").forEach(e => e.remove());
                   return document.body.innerText; }"""
    )
    assert "MedNeXt" in text and slugs_in(text) == set()


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


def test_listings_are_drawn_when_opened_and_shown_in_parts(opened: Open) -> None:
    page = opened().page
    place = page.locator("details[data-key=comparisons]")
    assert len(column(place.locator("table"), 1)) == 50
    place.get_by_role("button", name="Show all 120").click()
    assert len(column(place.locator("table"), 1)) == 120
    assert place.get_by_text("<b>p7</b>").count() == 1
    assert "Not measured" in page.locator("#data").inner_text()


@pytest.mark.parametrize("dark", [False, True])
def test_the_theme_follows_the_system_and_the_button(opened: Open, dark: bool) -> None:
    page = opened(dark=dark).page

    def brightness() -> int:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return int(colour.split("(")[1].split(",")[0])

    assert (brightness() < 100) == dark
    page.get_by_role("button", name="Light theme" if dark else "Dark theme").click()
    assert (brightness() < 100) != dark


@pytest.mark.parametrize("width", [1280, 390])
def test_the_body_never_scrolls_sideways(opened: Open, width: int) -> None:
    page = opened(width=width).page
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator("details.reading > summary").click()  # it would lie above the table
    page.locator("#case-table tbody button").first.click()
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 390])
def test_the_name_of_a_case_stays_in_its_cell(opened: Open, width: int) -> None:
    page = opened(width=width).page
    button = page.locator("#case-table tbody th button").first
    button.evaluate("b => { b.textContent = 'patient004_frame01'; }")
    spill = "b => b.getBoundingClientRect().right - b.closest('th').getBoundingClientRect().right"
    assert button.evaluate(spill) <= 0


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_axe_finds_nothing(opened: Open, width: int, dark: bool) -> None:
    page = opened(width=width, dark=dark).page
    for dialog in (False, True):
        if dialog:
            page.locator("#case-table tbody button").first.click()
        found = Axe().run(page).response["violations"]
        assert [
            (v["id"], v["nodes"][0]["html"][:200], v["nodes"][0].get("failureSummary"))
            for v in found
        ] == []


def test_it_can_be_used_with_the_keyboard_alone(opened: Open) -> None:
    page = opened().page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#overview"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))
    assert {"A", "DIV", "INPUT", "BUTTON"} <= reached  # a DIV is a table that scrolls


def test_on_paper_everything_folded_is_open_and_controls_are_gone(opened: Open) -> None:
    page = opened().page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("main details:not([open])").count() == 0
    assert not page.locator("nav").is_visible()
    assert not page.get_by_role("searchbox").first.is_visible()
    assert page.pdf().startswith(b"%PDF")
