"""The made-up results folder as fixtures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mednext.audit.schema import CellRow
from mednext.layout import audit_cells, results_root
from mednext.report.figures import write_figures
from mednext.report.tables import write_tables
from mednext.results import MetricRow, write_rows

from .made_up import full_profile, make_profile, metric_rows, synapse_rows
from .made_up_results import write_results


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A function: source -> the results folder, written below a fresh current folder."""
    monkeypatch.chdir(tmp_path)
    return write_results


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tables of a run at the paper's scale were written once."""
    folder = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_tables(make_profile(), write_results("local") / "tables")
    return folder


@pytest.fixture(scope="session")
def table5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Table 5 with every cell of two segmenters, without its ending: written once, to be read."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("table5")
        patch.chdir(folder)
        root = write_results("local")
        write_rows(root / "metrics.csv", MetricRow, [*metric_rows(), *synapse_rows()])
        write_tables(full_profile(), root / "tables", partial=True)
    return folder / root / "tables" / "table5"


@pytest.fixture
def local(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of those tables, which a test may change, below a fresh current folder."""
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return Path("results/made_up/tables")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Source -> a results folder with its figures, drawn once."""
    folders = {}
    for source in ("local", "phantom"):
        with pytest.MonkeyPatch.context() as patch:
            folder = tmp_path_factory.mktemp(source)
            patch.chdir(folder)
            root = folder / write_results(source)
            write_figures(full_profile(source), root / "figures", partial=True)
            folders[source] = root
    return folders


@pytest.fixture
def reduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of profile 'reduced' below a fresh current folder, for rows of FINDINGS.md."""
    monkeypatch.chdir(tmp_path)
    write_rows(audit_cells(), CellRow, [])
    return results_root("reduced")
