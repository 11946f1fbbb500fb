"""The whole page for every reader: words, themes, widths, keyboard, screen reader, paper."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from ..report.made_up import slugs_in
from .reading import Open


def test_no_slug_stands_in_the_page(opened: Open) -> None:
    page = opened("local").page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # opens what is folded
    text = page.evaluate(  # made up, the file of misfits holds formulas
        """() => { document.querySelectorAll("code, [data-key$=misfits]").forEach(e => e.remove());
                   return document.body.innerText; }"""
    )
    assert "MedNeXt" in text and slugs_in(text) == set()


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


def test_on_a_narrow_screen_the_sections_fold_away(opened: Open) -> None:
    page = opened(width=390).page
    link = page.locator("nav").get_by_role("link", name="Explorer")
    assert not link.is_visible()
    page.get_by_text("Sections", exact=True).press("Enter")
    link.press("Enter")
    assert page.evaluate("location.hash") == "#explorer" and not link.is_visible()


def test_on_paper_everything_folded_is_open_and_controls_are_gone(opened: Open) -> None:
    page = opened().page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("main details:not([open])").count() == 0
    legend = page.locator("details.reading")  # in its place, not above every sheet
    assert legend.get_attribute("open") is not None
    assert legend.evaluate("e => getComputedStyle(e).position") == "static"
    assert page.locator("button.method").first.is_visible()  # what the colours mean
    assert not page.locator("nav").is_visible()
    assert not page.get_by_role("searchbox").first.is_visible()
    assert page.pdf().startswith(b"%PDF")
