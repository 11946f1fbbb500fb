"""Names that a shell, a CSV file or a path would stumble over, and data changed behind a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from mednext.cli import main
from mednext.config import load_profile
from mednext.datasets.source import open_files, resolve_source
from mednext.errors import UserError
from mednext.runs.resolve import resolve_runs, run_paths
from tests.faults.conftest import Outcome

NAMES = {
    "blanks": "two  words.png",
    "quotes": 'it\'s "quoted".png',
    "a command": "$(touch pwned) `touch pwned`;touch pwned.png",
    "a newline": "a\nnew\r\nline.png",
    "options, commas and other letters": "-rf, 50% ünï 肺.png",
}
CONFIG = {
    "profile": "mine",
    "seeds": [0],
    "threads": 1,
    "device": "cpu",
    "selections": ["last"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a name of that kind, too."""
    folder = tmp_path / "my $(touch pwned) 'folder'"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MEDNEXT_DATA", "some data")
    monkeypatch.setenv("MEDNEXT_LOCAL", 'local "data"')
    return folder


def everything(dataset: str) -> None:
    """What the workflow's rules do, one after the other."""
    for verb in ("fetch", "verify", "prepare", "split --protocol paper"):
        words = ["datasets", *verb.split(), "--configfile", "mine.yaml", "--dataset", dataset]
        assert main(words) == 0
    gathered = ("results collect", "datasets table", "tables --custom")
    for verb in ("train", "predict", "evaluate", *gathered):
        assert main([*verb.split(), "--configfile", "mine.yaml"]) == 0


def paint(file: Path, value: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(value).integers(0, 100, (36, 40)) + value
    Image.fromarray(pixels.astype(np.uint8)).save(file)


def scans(local: Path) -> None:
    classes = [{"slug": "healthy", "name": "Healthy"}, {"slug": "ill", "name": "Ill"}]
    entry = {"source": "local", "methods": ["mednext"], "img_size": 32, "epochs": 1}
    own = {"my_scans": {"task": "classification", "classes": classes}}
    datasets = {"my_scans": entry | {"batch_size": 8}}
    text = yaml.safe_dump(CONFIG | {"custom_datasets": own, "datasets": datasets})
    Path("mine.yaml").write_text(text)
    for number, klass in enumerate(("healthy", "ill")):
        for place, name in enumerate((*NAMES.values(), *(f"{n}.png" for n in range(7)))):
            paint(local / "my_scans" / klass / name, 60 * number + place)


def test_hostile_names_of_images(folder: Path, outcome: Outcome) -> None:
    scans(folder / 'local "data"')
    everything("my_scans")
    (split,) = folder.glob("some data/local-*/my_scans/splits/paper.csv")
    items = set(pd.read_csv(split, lineterminator="\n").item)
    (run,) = resolve_runs(load_profile("mine.yaml"))
    cases = pd.read_csv(run_paths(run).cases("last"), lineterminator="\n")
    assert len(items) == 24 and set(cases.path) <= items
    for what, name in NAMES.items():
        assert {f"healthy/{name}", f"ill/{name}"} <= items, what
        became = "whole pipeline, name kept in every file"
        outcome(f"file names with {what}", "", became, in_words="the results as usual")
    assert not list(folder.parent.rglob("pwned"))
    assert "MedNeXt" in Path("results/mine/tables/custom.my_scans.md").read_text()


def test_hostile_names_of_label_maps(folder: Path, outcome: Outcome) -> None:
    organs = [{"slug": "nothing", "name": "nothing"}, {"slug": "liver", "name": "Liver"}]
    entry = {"source": "local", "methods": ["unet"], "img_size": 32, "epochs": 1, "batch_size": 4}
    own = {"my_organs": {"task": "segmentation", "classes": organs}}
    text = yaml.safe_dump(CONFIG | {"custom_datasets": own, "datasets": {"my_organs": entry}})
    Path("mine.yaml").write_text(text)
    local = folder / 'local "data"/my_organs'
    for place, name in enumerate((*NAMES.values(), "6.png", "7.png")):
        paint(local / "images" / name, place)
        label = np.zeros((36, 40), np.uint8)
        label[8:20, 10:30] = 1
        (local / "labels").mkdir(exist_ok=True)
        Image.fromarray(label).save(local / "labels" / name)
    everything("my_organs")
    table = pd.read_csv("results/mine/tables/custom.my_organs.csv")
    assert set(table.target) == {"liver", "mean"} and (table.n_cases == 1).all()
    words = ["predict", "--configfile", "mine.yaml", "--images", str(local / "images")]
    assert main([*words, "--out", "label maps"]) == 0
    assert {f.name for f in Path("label maps").iterdir()} == {
        f.name for f in (local / "images").iterdir()
    }
    with Image.open(Path("label maps") / NAMES["a newline"]) as image:
        assert image.size == (40, 36) and set(np.unique(np.asarray(image))) <= {0, 1}
    assert not list(folder.parent.rglob("pwned"))
    became = "whole pipeline and prediction"
    outcome("image/label pairs with such names", "", became, in_words="the results as usual")


def test_data_changed_under_a_finished_run(
    folder: Path, outcome: Outcome, capfd: pytest.CaptureFixture[str]
) -> None:
    scans(folder / 'local "data"')
    everything("my_scans")
    (before,) = resolve_runs(load_profile("mine.yaml"))
    paint(folder / 'local "data"/my_scans/ill/3.png', 9)
    (after,) = resolve_runs(load_profile("mine.yaml"))
    assert after.source_id != before.source_id and after.config_hash != before.config_hash
    capfd.readouterr()
    assert main(["train", "--configfile", "mine.yaml"]) == 2
    said = capfd.readouterr().err
    assert "the data set is not ready" in said and after.source_id in said
    old = run_paths(before).run_json.read_text()
    everything("my_scans")
    assert before.source_id in old and after.source_id in run_paths(after).run_json.read_text()
    # Both stay apart on the disk; the results are those of the new data alone.
    assert len(list(folder.glob("some data/local-*"))) == 2
    assert set(pd.read_csv("results/mine/metrics.csv").source_id) == {after.source_id}
    outcome("data changed under a finished run", said, "another source: prepared and trained anew")


def test_a_file_changes_between_two_steps(folder: Path, outcome: Outcome) -> None:
    scans(folder / 'local "data"')
    words = ["--configfile", "mine.yaml", "--dataset", "my_scans"]
    assert main(["datasets", "fetch", *words]) == 0
    source = resolve_source("my_scans", load_profile("mine.yaml").datasets["my_scans"])
    paint(folder / 'local "data"/my_scans/ill/3.png', 9)
    with pytest.raises(UserError, match="has changed since it was listed") as caught:
        open_files(source).read("ill/3.png")
    outcome("a file changes while the data are read", str(caught.value), "refused")
