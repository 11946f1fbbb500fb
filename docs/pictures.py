"""Take the pictures of README.md and docs/verdicts.md from the page of the demo: make docs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from mednext.config import load_profile
from mednext.files import atomic_path

PROFILE = Path("config/demo.yaml")
PAGE = Path("results/demo/page/index.html")
FOLDER = Path("docs/pictures")


def main() -> int:
    """Write ``docs/pictures/{page,table}.png``; 1 if the page or a browser is missing."""
    real = [s for s, run in load_profile(PROFILE).datasets.items() if run.source != "phantom"]
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if real or chromium is None or not PAGE.is_file():
        # A picture that is committed must never show a patient.
        print(
            f"error: pictures are taken of {PAGE}, made from phantoms, in Chromium\n"
            f"  found:    data sets that are no phantoms: {real}; Chromium: {chromium}; "
            f"page: {PAGE.is_file()}\n  remedy:   make results, and install chromium",
            file=sys.stderr,
        )
        return 1
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
        page.goto(PAGE.resolve().as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        page.locator("details.reading").evaluate("legend => legend.remove()")  # floats above all
        shots = {"page": page, "table": page.locator("#table2")}
        for name, shown in shots.items():
            with atomic_path(FOLDER / f"{name}.png") as part:
                part.write_bytes(shown.screenshot(type="png"))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
