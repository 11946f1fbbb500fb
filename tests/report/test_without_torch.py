"""Tables, figures and page from small result files alone, in an environment without torch."""

from __future__ import annotations

import os
import resource
import subprocess
import venv
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from mednext.report.figures import PAPER
from mednext.results import LeakageRow, write_rows

from ..checkout import copy_checkout
from ..page.results import write_browsed
from .made_up import make_profile
from .made_up_results import write_results
from .test_leakage import rows as leakage_rows

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = ("torch", "timm", "monai", "torchvision", "segmentation_models_pytorch")
REQUIREMENTS = ROOT / "requirements.in"
SECONDS = 60


def asked_for() -> list[str]:
    """The names in requirements.in."""
    lines = (line.partition("#")[0].strip() for line in REQUIREMENTS.read_text().splitlines())
    return [Requirement(line).name for line in lines if line]


def closure(name: str) -> dict[str, metadata.Distribution]:
    """The installed distributions behind ``name`` and all that it requires."""
    found: dict[str, metadata.Distribution] = {}
    todo = [name]
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # wanted by an extra or another platform alone
            continue
        for text in found[name].requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name)
    return found


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with every package that can be had without torch.

    They are linked from this one; what depends on torch, torch itself and pip are not there.
    """
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    site = next(folder.glob("lib/python*/site-packages"))
    wanted: dict[str, metadata.Distribution] = {}
    for name in asked_for():
        found = closure(name)
        if not {"torch", "onnx"} & found.keys():
            wanted |= found
    for distribution in wanted.values():
        for file in distribution.files or []:
            top = file.parts[0]
            target, link = Path(str(distribution.locate_file(top))), site / top
            if top not in ("..", "__pycache__") and not link.exists() and target.exists():
                link.symlink_to(target)
    return folder / "bin" / "python"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the small result files of a profile, without data or runs."""
    copy_checkout(tmp_path, "mednext")
    monkeypatch.chdir(tmp_path)
    root = write_results("phantom")
    rows = [*leakage_rows(), *leakage_rows(dataset="acdc", name="ACDC")]
    write_rows(root / "leakage.csv", LeakageRow, rows)
    write_browsed("phantom")
    profile = make_profile("phantom").model_dump(mode="json")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(profile))
    return tmp_path


def run(python: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = f"{python.parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
    env = {"PATH": path, "HOME": str(folder), "MPLCONFIGDIR": str(folder / "mpl")}
    return subprocess.run(
        [str(python), *words], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


def test_the_environment_is_bare(bare: Path, tmp_path: Path) -> None:
    code = f"import importlib.util as u; print([n for n in {FORBIDDEN} if u.find_spec(n)])"
    assert run(bare, tmp_path, "-c", code).stdout.strip() == "[]"
    assert run(bare, tmp_path, "-c", "import torch").returncode != 0


def test_tables_figures_and_page_by_the_workflow(bare: Path, checkout: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(
        bare, checkout, "-m", "snakemake", "--cores", "1", "--configfile", "config.yaml",
        "--allowed-rules", "tables", "figures", "leakage_report", "audit", "page", "--",
        "tables", "figures", "page",
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    # Of the processor, not of the clock: the machine may be busy with something else.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < SECONDS
    results = checkout / "results" / "made_up"
    for number in range(1, 9):
        for form in ("csv", "md", "tex", "html"):
            assert (results / "tables" / f"table{number}.{form}").stat().st_size > 500
    for name in PAPER:
        for form in ("png", "pdf", "svg"):
            assert (results / "figures" / f"{name}.{form}").stat().st_size > 1000
    page = (results / "page" / "index.html").read_text(encoding="utf-8")
    # The tables, the leakage, the audit of this checkout and the browsed cases are all in it.
    kind = '"near-duplicates", "320"'  # images of the made-up leakage
    for words in ("Table 8", "patient101_ES", "Leakage of ", "phantom", kind):
        assert words in page, words
    report = run(
        bare, checkout, "-m", "snakemake", "--cores", "1", "--configfile", "config.yaml",
        "--report", "report.html", "--", "tables", "figures",
    )  # fmt: skip
    assert report.returncode == 0, (report.stdout + report.stderr)[-3000:]
    text = (checkout / "report.html").read_text(encoding="utf-8")
    for words in ("Figures of the paper", "Further figures", "Tables", "Grad-CAM heatmaps (Fig 6)"):
        assert words in text
