"""Shared fixtures: the user's own copies of the data sets; torch's switches as they were."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
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


@pytest.fixture(autouse=True)
def torch_switches() -> Iterator[None]:
    """Training sets switches of the whole process; the next test finds them as they were.

    Hypothesis, for one, refuses to draw floats where subnormal numbers are flushed to zero.
    """
    yield
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.use_deterministic_algorithms(False)
        torch.set_flush_denormal(False)


@pytest.fixture(autouse=True)
def custom_names() -> Iterator[None]:
    """Loading a profile registers its custom data sets and networks for the whole process; the next
    test finds none.
    """
    yield
    if "mednext.config.custom" in sys.modules:
        sys.modules["mednext.config.custom"].register_custom({}, {}, Path())
