from __future__ import annotations

import json
from pathlib import Path

import pytest

from mednext.cli.schemas import MODELS

FOLDER = Path(__file__).resolve().parents[2] / "workflow" / "schemas"


@pytest.mark.parametrize("name", MODELS)
def test_committed_schema_is_the_models_schema(name: str) -> None:
    committed = json.loads((FOLDER / f"{name}.schema.json").read_text())
    assert committed == MODELS[name].model_json_schema(), "run 'make schemas'"


def test_no_schema_without_a_model() -> None:
    assert {f.name.split(".")[0] for f in FOLDER.glob("*.json")} == set(MODELS)
