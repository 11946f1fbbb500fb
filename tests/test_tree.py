"""The tree of the library: few modules at its root, every test in the folder of what it tests."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_root_of_the_library_holds_only_what_every_folder_uses() -> None:
    found = {file.stem for file in (ROOT / "mednext").glob("*.py")}
    shared = {"errors", "files", "layout", "provenance", "architecture", "templates"}
    assert found == {"__init__", "__main__", *shared}


def test_every_folder_of_the_library_has_tests() -> None:
    folders = {init.parent.name for init in (ROOT / "mednext").glob("*/__init__.py")}
    assert folders <= {folder.name for folder in (ROOT / "tests").iterdir() if folder.is_dir()}
    assert len(list((ROOT / "tests").glob("test_*.py"))) <= 3
