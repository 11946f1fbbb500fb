"""``mednext score`` as the README shows it, without torch, and what it refuses."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mednext.cli import main
from mednext.files import sha256_file
from mednext.results import read_rows
from mednext.results.score import AgainstRow, ScoreReport, ScoreRow

from ..report.made_up import slugs_in

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = "results/reference/reduced/runs/sars_cov2_ct/grouped/mednext/seed0/cases.last.csv.gz"
SMALL = ("--dataset", "monkeypox_msld", "--protocol", "grouped_originals")
SECONDS = 60


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "results").mkdir()
    (tmp_path / "results/reference").symlink_to(ROOT / "results/reference")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands() -> list[str]:
    text = (ROOT / "README.md").read_text().partition("## Score your own predictions\n")[2]
    text = text.partition("\n## ")[0]
    block = re.search(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    return block[1].splitlines()


def test_the_readme_followed(checkout: Path) -> None:
    template, score = commands()
    assert len(commands()) <= 5
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    folder = checkout / "bin"
    folder.mkdir()
    (folder / "torch.py").write_text("raise ImportError('torch is not to be imported')\n")
    env["PYTHONPATH"] = f"{folder}{os.pathsep}{env['PYTHONPATH']}"

    def run(command: str) -> str:
        words = command.split()
        assert words[0] == "python"
        done = subprocess.run([sys.executable, *words[1:]], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run(template) == "mine.csv: 496 cases\n"
    mine = pd.read_csv("mine.csv")
    assert list(mine) == ["path", "score"] and mine.score.isna().all()
    cases = pd.read_csv(ROOT / COMMITTED).set_index("path")
    mine.assign(score=cases.score_1[mine.path].to_numpy()).to_csv("mine.csv", index=False)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    printed = run(score)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < SECONDS
    assert "rank " in printed and printed.endswith("my_score/score.html\n")
    out = Path("my_score")
    metrics = {(str(r.metric), r.target): r.value for r in read_rows(out / "metrics.csv", ScoreRow)}
    assert metrics["accuracy", "disease"] == (cases.label == cases.prediction).mean()
    rows = read_rows(out / "against.csv", AgainstRow)
    assert {r.method for r in rows} == {"mednext", "mednext_nc", "resnet18", "densenet121"}
    report = ScoreReport.model_validate_json((out / "score.json").read_text())
    assert len(report.worst) == 20
    page = (out / "score.html").read_text()
    assert not re.search(r"(src|href)=|url\(|https?:", page)  # nothing beside it is needed
    for word in (report.sha256, "ResNet18", "protocol <code>grouped</code>", report.worst[0].case):
        assert word in page
    shown = re.sub(r"<[^>]*>", " ", page).replace(f"mednext {report.version}", "")
    assert "<td>COVID-19</td>" in page and slugs_in(shown) == set()
    assert len(pd.read_csv(out / "cases.csv")) == 496


def test_a_name_that_is_markup_stays_text(checkout: Path) -> None:
    main(["score", *SMALL, "--template", "mine.csv"])
    name = "<script>alert(1)<b>.csv"
    pd.read_csv("mine.csv").assign(score=0.5).to_csv(name, index=False)
    assert main(["score", name, *SMALL, "--out", "out"]) == 0
    assert "<script>" not in Path("out/score.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no predictions are given"),
        (["none.csv"], "there are no predictions"),
        (["--template", "t.csv", "--protocol", "fold1"], "no finished run"),
        (["--template", "t.csv", "--against", "nowhere"], "the folder holds no run"),
        (["results/reference", "--out", "results/reference"], "the results cannot be written"),
        (["x.csv", "--out", "results/reference/reduced/metrics.csv/x"], "metrics.csv"),
    ],
)
def test_nothing_is_written_if_something_is_wrong(
    words: list[str], message: str, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", *words, "--dataset", "sars_cov2_ct"]) == 2
    assert message in capsys.readouterr().err
    assert sorted(p.name for p in checkout.iterdir()) == ["results"]


@pytest.mark.parametrize("out", [".", "cases.csv", "cases.csv/in"])
def test_predictions_are_not_written_over(
    out: str, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cases.csv").write_text("path,score\n")
    assert main(["score", "cases.csv", *SMALL, "--out", out]) == 2
    assert "the results cannot be written there" in capsys.readouterr().err
    assert Path("cases.csv").read_text() == "path,score\n"


def test_outside_a_checkout_it_is_said_where_the_runs_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["score", *SMALL, "--template", "mine.csv"]) == 2
    assert "--against CHECKOUT/results/reference/reduced" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_other_data_than_those_of_the_runs_are_refused(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The label maps of a segmentation come from the data set: it must be that of the runs."""
    monkeypatch.setenv("MEDNEXT_LOCAL", str(checkout / "local"))
    monkeypatch.setenv("MEDNEXT_DATA", str(checkout / "data"))
    masks = checkout / "masks"
    masks.mkdir()
    assert main(["score", "--dataset", "acdc", "--template", "cases.csv"]) == 0
    for case in pd.read_csv("cases.csv").case:
        (masks / f"{case}.nii").write_bytes(b"")
    assert main(["score", "masks", "--dataset", "acdc"]) == 2
    assert "the data set 'acdc' is not there" in capsys.readouterr().err
    folder = checkout / "local/acdc/ACDC_training_volumes"
    folder.mkdir(parents=True)
    for frame in (1, 9):
        (folder / f"patient001_frame{frame:02}.h5").write_bytes(b"other")
    assert main(["score", "masks", "--dataset", "acdc"]) == 2
    assert "not those that the runs were tested on" in capsys.readouterr().err


def test_the_same_predictions_give_the_same_files(checkout: Path) -> None:
    main(["score", *SMALL, "--template", "mine.csv"])
    pd.read_csv("mine.csv").assign(score=0.5).to_csv("mine.csv", index=False)
    digests = []
    for _ in range(2):
        shutil.rmtree("out", ignore_errors=True)
        main(["score", "mine.csv", *SMALL, "--out", "out"])
        digests.append([sha256_file(file) for file in sorted(Path("out").iterdir())])
    assert digests[0] == digests[1] and len(digests[0]) == 5
