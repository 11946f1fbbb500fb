"""How the tests find their way on the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page

Open = Callable[..., Any]
"""The fixture ``opened``; every page opened by it is also checked for errors and requests."""


def column(table: Locator, number: int) -> list[str]:
    """Texts of one column (from 1) as they stand now, without what is hidden."""
    cells = table.locator(f"tbody tr > :nth-child({number})")
    return [text.strip() for text in cells.all_inner_texts()]


def table_2(page: Page) -> Locator:
    return page.locator("#table2 .variant").first.locator("table")
