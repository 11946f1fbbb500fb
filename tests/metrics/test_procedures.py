"""docs/statistics.md: every procedure is simulated, and the page is what its script writes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("procedures", DOCS / "procedures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their own module up.
    with pytest.MonkeyPatch.context() as patch:
        import sys

        patch.syspath_prepend(DOCS)
        patch.setitem(sys.modules, "procedures", module)
        spec.loader.exec_module(module)
    return module


def figures(line: str) -> list[float | None]:
    cells = [cell.strip() for cell in line.strip("|").split("|")][3:]
    return [float(cell) if cell else None for cell in cells]


def test_the_page_has_each_procedure_with_its_figures(script: ModuleType) -> None:
    text = (DOCS / "statistics.md").read_text().partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert len(lines) == len(script.PROCEDURES)
    for line, procedure in zip(lines, script.PROCEDURES, strict=True):
        size, coverage, power = figures(line)
        assert procedure.name in line and procedure.situation in line
        assert (power is None) is (procedure.effect is None)
        if "**" not in procedure.situation:  # its assumption holds
            assert size is None or size <= 6.5
            assert coverage is None or coverage >= 93.5


def test_a_procedure_that_always_speaks_has_size_one(script: ModuleType) -> None:
    always = script.Procedure("", "", "", lambda random, effect: True, None)
    assert script.rate(always, 0.0, 10) == 1.0


@pytest.mark.slow
def test_the_committed_page_is_what_the_script_writes(script: ModuleType) -> None:
    assert (DOCS / "statistics.md").read_text() == script.document(2000)
