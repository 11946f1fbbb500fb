"""docs/adding-a-method.md, carried out word by word in a copy of the checkout."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from mednext.results import CostRow, read_rows

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    for name in ("mednext", "benchmarks", "tests/models", "tests/conftest.py", "pyproject.toml"):
        source, copy = ROOT / name, tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    blocks = BLOCK.findall((ROOT / "docs" / "adding-a-method.md").read_text(encoding="utf-8"))
    assert [language for language, _ in blocks] == ["python", "yaml", "csv", "console"]
    *files, (_, console) = blocks
    for language, content in files:
        head, _, body = content.partition("\n")
        file = tmp_path / head.removeprefix("# ")
        assert file.exists() == (language != "python"), f"{file} is new, the others grow"
        with file.open("a", encoding="utf-8") as end:
            end.write(body)

    env = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    said = []
    for line in console.splitlines():
        program, *words = shlex.split(line.removeprefix("$ "))
        assert program == "python"
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        said.append(done.stdout)
    assert "three_convs:three_convs" in said[0]
    passed = re.search(r"(\d+) passed", said[1])
    assert passed and int(passed[1]) >= 6 and "failed" not in said[1]
    two, thousand = read_rows(tmp_path / "three_convs.csv", CostRow)
    assert (two.params, thousand.params) == (64786, 129656)
