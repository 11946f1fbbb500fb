"""Shared fixtures: the user's own copies of the data sets, where there are any."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def local_data() -> Callable[[str], Path]:
    """A function: folder name -> its path below MEDNEXT_LOCAL; it skips where that is absent."""

    def find(folder: str) -> Path:
        root = os.environ.get("MEDNEXT_LOCAL")
        if not root:
            pytest.skip("MEDNEXT_LOCAL is not set: no real data on this machine")
        path = Path(root) / folder
        if not path.is_dir():
            pytest.skip(f"real data folder '{folder}' is not below MEDNEXT_LOCAL")
        return path

    return find
