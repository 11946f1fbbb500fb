"""What requirements.lock pins can be installed with every Python that the package names."""

from __future__ import annotations

import tomllib
from importlib.metadata import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.checkout import ROOT


def test_every_pinned_package_takes_the_lowest_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lowest = project["requires-python"].removeprefix(">=")
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.lock").open()]
    pins = [Requirement(line) for line in lines if line and not line.startswith("-")]
    assert len(pins) > 100
    wants = {pin.name: metadata(pin.name).get("Requires-Python") for pin in pins}
    # A distribution of Python 3.11 may be as old as 3.11.0: Debian 12 has 3.11.2.
    assert {
        name: range_
        for name, range_ in wants.items()
        if range_ and not SpecifierSet(range_).contains(f"{lowest}.0")
    } == {}
