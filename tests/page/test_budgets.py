"""Size, time until it can be used, and stability of the layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from .reading import Open

LARGEST_BYTES = 15_000_000
SLOWEST_SECONDS = 2.0
LARGEST_SHIFT = 0.1  # "good" in the Core Web Vitals
DEMO = Path(__file__).resolve().parents[2] / "results" / "demo" / "page" / "index.html"


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
