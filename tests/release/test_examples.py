"""The examples in docstrings run, and whatever a user may call has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "mednext"
WITH_EXAMPLES = sorted(
    str(file.relative_to(PACKAGE.parent).with_suffix(""))
    .replace("/", ".")
    .removesuffix(".__init__")
    for file in PACKAGE.rglob("*.py")
    if ">>> " in file.read_text()
)
CALLED = (
    "mednext",
    "mednext.models.registry",
    "mednext.models.inference",
    "mednext.models.onnx_export",
    *(f"mednext.metrics.{name}" for name in ("classification", "segmentation", "surface")),
    *(f"mednext.metrics.{name}" for name in ("statistics", "comparison", "curves")),
)
"""Modules that are called from outside: to build networks and to score and compare arrays."""


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_give_what_they_say(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = doctest.testmod(importlib.import_module(module))
    assert done.attempted > 0 and done.failed == 0


@pytest.mark.parametrize("module", CALLED)
def test_every_function_that_a_user_may_call_has_an_example(module: str) -> None:
    found = inspect.getmembers(importlib.import_module(module), inspect.isfunction)
    public = {n: f for n, f in found if f.__module__ == module and not n.startswith("_")}
    assert public
    assert [name for name, f in public.items() if ">>> " not in (f.__doc__ or "")] == []
