"""The page of made-up results in Debian's Chromium, with everything it says and asks for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from mednext.report.page import write_page

from .results import write_everything

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Each launch has a fresh profile folder: Playwright makes and removes it.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Source -> the page of the made-up profile."""
    out = {}
    for source in ("phantom", "local"):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path_factory.mktemp(source))
            profile, root = write_everything(source)
            write_page(profile, root / "page")
            out[source] = (root / "page" / "index.html").resolve()
    return out


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Opened:
    """An open page and what went wrong or out since it was opened."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def heard(self, words: str) -> None:
        if "willReadFrequently" not in words:  # advice about the tests' own reading of pixels
            self.complaints.append(words)


@pytest.fixture
def opened(browser: Browser, files: dict[str, Path]) -> Iterator[Callable[..., Opened]]:
    """A function: opens a page (of ``source``, at ``width``) and waits until it is ready.

    Whatever the test does with it: no error, no warning, and no request but for the file itself.
    """
    made: list[Opened] = []

    def open_page(
        source: str = "phantom", width: int = 1280, dark: bool = False, file: Path | None = None
    ) -> Opened:
        scheme = "dark" if dark else "light"
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        one = Opened(page)
        made.append(one)
        page.on("console", lambda message: one.heard(message.text))
        page.on("pageerror", lambda error: one.complaints.append(str(error)))
        page.on("request", lambda request: one.requests.append(request.url))
        page.goto((file or files[source]).as_uri())
        page.wait_for_selector("html[data-ready][data-charts]", state="attached", timeout=10_000)
        return one

    yield open_page
    for one in made:
        asked = [url for url in one.requests if not url.startswith("data:")]
        assert one.complaints == []
        assert len(asked) == 1 and asked[0].startswith("file:"), asked
        one.page.close()
