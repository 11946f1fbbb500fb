"""docs/networks.md runs as printed, on runs that were trained for it."""

from __future__ import annotations

import dataclasses
import doctest
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import mednext
from mednext.cli import main
from mednext.config import RunConfig, load_profile
from mednext.datasets.fetch import fetch
from mednext.datasets.load import load
from mednext.datasets.prepare import prepare
from mednext.datasets.splits import split
from mednext.datasets.verify import verify
from mednext.errors import UserError
from mednext.release.int8 import _change
from mednext.runs.resolve import resolve_runs, run_paths
from mednext.training.batches import ordered_batches
from mednext.training.evaluate import predict
from mednext.training.predict_folder import predict_folder
from mednext.training.train import train

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/networks.md"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunConfig]]:
    """A trained and predicted run per task, in a working folder of their own."""
    folder = tmp_path_factory.mktemp("checkout")
    threads = torch.get_num_threads()
    common = {"source": "phantom", "epochs": 1, "batch_size": 8, "img_size": 64}
    images = {"methods": ["mednext"], "phantom": {"train": 16, "val": 4, "test": 6}}
    volumes = {"methods": ["unet"], "phantom": {"train": 1, "val": 1, "test": 1}}
    datasets = {
        "sars_cov2_ct": common | images,
        "acdc": common | volumes | {"img_size": 32, "in_chans": 1},
    }
    config = {"profile": "demo", "seeds": [0], "threads": 1, "datasets": datasets}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MEDNEXT_DATA", str(folder / "data"))
        Path("demo.yaml").write_text(yaml.safe_dump(config))
        profile = load_profile("demo.yaml")
        for dataset, entry in profile.datasets.items():
            for step in (fetch, verify, prepare):
                step(dataset, entry)
            split(dataset, entry, "paper")
        found = {run.dataset: run for run in resolve_runs(profile)}
        for run in found.values():
            assert train(run).status == "ok"
            predict(run)
        torch.use_deterministic_algorithms(False)
        torch.set_flush_denormal(False)
        yield found
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def exported(runs: dict[str, RunConfig]) -> dict[str, Path]:
    for dataset, run in runs.items():
        words = ["models", "export", "--run", str(run_paths(run).root), "--out", f"{dataset}.onnx"]
        assert main(words) == 0
    return {dataset: Path(f"{dataset}.onnx").resolve() for dataset in runs}


@pytest.mark.slow
def test_the_steps_of_a_user(runs: dict[str, RunConfig]) -> None:
    done = doctest.testfile(str(DOCUMENT), module_relative=False)
    assert done.attempted > 15 and done.failed == 0


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """onnxruntime and numpy, and no other package."""
    site = tmp_path_factory.mktemp("bare")
    purelib = Path(onnxruntime.__file__).parents[1]
    for name in ("numpy", "numpy.libs", "onnxruntime"):
        if (purelib / name).exists():
            (site / name).symlink_to(purelib / name)
    return site


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["sars_cov2_ct", "acdc"])
def test_ten_lines_without_torch_give_the_predictions_of_the_suite(
    dataset: str, runs: dict[str, RunConfig], exported: dict[str, Path], bare: Path
) -> None:
    text = DOCUMENT.read_text()
    (script,) = re.findall(r"^```python\n(import json, sys\n.*?)^```$", text, re.M | re.S)
    assert len(script.split("\n\n")[1].splitlines()) <= 10  # besides the imports
    run = runs[dataset]
    data = load(run)
    stored = np.load(run_paths(run).predictions("last"))
    if run.task == "classification":
        images, expected = data.images[stored["row"]], stored["score"].argmax(1)
    else:
        cases = [data.cases[k] for k in data.subsets["test"]]
        images = np.concatenate([data.images[c.start : c.stop] for c in cases])
        network = mednext.load_run(run_paths(run).root).network
        with torch.no_grad():
            expected = network(torch.from_numpy(images)[:, None]).argmax(1)
    np.save("images.npy", np.asarray(images))
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, str(exported[dataset]), "images.npy", "found.npy"],
        env={"PYTHONPATH": str(bare), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # A pixel between two classes may fall to either side of a rounded logit.
    assert (np.load("found.npy") == np.asarray(expected)).mean() > 0.9999
    assert len(np.load("found.npy")) == len(images)


@pytest.mark.slow
def test_integers_are_calibrated_and_judged_on_the_test_images(
    runs: dict[str, RunConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    root = run_paths(runs["sars_cov2_ct"]).root
    assert main(["models", "export", "--run", str(root), "--int8", "--out", "small.onnx"]) == 0
    said = capsys.readouterr().out
    assert "6 test images of" in said
    session = onnxruntime.InferenceSession("small.onnx")
    facts = session.get_modelmeta().custom_metadata_map
    change = json.loads(facts["int8"])
    assert change["calibration"] == 16 and json.loads(facts["classes"]) == ["normal", "covid19"]
    # By the suite's own predictions, and by the integers as a user takes them.
    data = load(runs["sars_cov2_ct"])
    stored = np.load(run_paths(runs["sars_cov2_ct"]).predictions("last"))
    labels = data.labels[stored["row"]]
    assert change["before"] == pytest.approx((stored["score"].argmax(1) == labels).mean())
    loaded = mednext.load_run(root)
    network = onnx.load("small.onnx").graph
    assert any(node.op_type == "QuantizeLinear" for node in network.node)
    images = torch.cat([x for x, _ in ordered_batches(data, loaded.config, stored["row"])])
    (logits,) = session.run(None, {"images": images.numpy()})
    assert change["after"] == pytest.approx((logits.argmax(1) == labels).mean())
    expected = loaded.network(images).detach().numpy()
    assert 0 < abs(logits - expected).max() < 0.2 * abs(expected).max()


def test_integers_are_for_trained_classifiers(
    runs: dict[str, RunConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    root = run_paths(runs["acdc"]).root
    for words, said in (
        (["--run", str(root)], "a segmenter"),
        (["mednext", "--num-classes", "2"], "--int8 True"),
    ):
        assert main(["models", "export", *words, "--int8", "--out", "none.onnx"]) == 2
        assert said in capsys.readouterr().err and not Path("none.onnx").exists()


def test_the_change_by_integers_by_hand() -> None:
    """One image of four is lost: each image a group, 25 points and Student's interval of it."""
    right = np.array([[1, 1], [1, 1], [1, 1], [1, 0]], float)
    change = _change(right, list("abcd"), 8, "")
    assert (change.before, change.after, change.images, change.groups) == (1, 0.75, 4, 4)
    # SD 0.5 of four differences: 3.182 * 0.5 / 2 = 0.796, by draws.
    assert change.ci_high == pytest.approx(-0.25 + 0.796, abs=0.05)
    assert change.ci_low == pytest.approx(-0.25 - 0.796, abs=0.05)
    assert "100.0 % as fp32, 75.0 % as int8: -25.0 points" in str(change)


def test_a_folder_is_predicted_as_single_images_are(runs: dict[str, RunConfig]) -> None:
    run = runs["sars_cov2_ct"]
    random = np.random.default_rng(0)
    folder = Path("mine")
    folder.mkdir()
    for k in range(run.batch_size * 3 + 1):
        pixels = random.integers(0, 255, (40 + k, 36), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{k:02}.png")
    predict_folder(run, "last", folder, Path("scores.csv"))
    table = pd.read_csv("scores.csv")
    assert table.path.tolist() == [f"{k:02}.png" for k in range(25)]
    loaded = mednext.load_run(run_paths(run).root)
    for row in table.to_dict("records"):
        with Image.open(folder / row["path"]) as image:
            scores = loaded.predict(image)
        assert row["prediction"] == max(scores, key=lambda name: scores[name])
        for name, score in scores.items():
            assert row[f"score_{name}"] == pytest.approx(score, abs=1e-5)


class Faint(nn.Linear):
    """The first logit has been as small as 1e-40 and back, in a map that two threads share."""

    def forward(self, x: Tensor) -> Tensor:
        back = torch.ones(len(x), 1 << 18) * 1e-20 * 1e-20 * 1e20 * 1e20
        return torch.stack([back.mean(1), 0 * back.mean(1)], dim=1)


def test_subnormal_numbers_are_zero_as_in_training_and_stay_the_caller_s(
    runs: dict[str, RunConfig],
) -> None:
    loaded = mednext.load_run(run_paths(runs["sars_cov2_ct"]).root)
    faint = dataclasses.replace(loaded, network=Faint(1, 1))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.set_flush_denormal(False)
    try:
        scores = faint.predict(np.zeros((40, 40), np.uint8))
        assert list(scores.values()) == [0.5, 0.5]
        assert float(torch.tensor(1e-40) * 1) > 0
    finally:
        torch.set_num_threads(before)


def test_a_damaged_image_leaves_no_table(runs: dict[str, RunConfig]) -> None:
    folder = Path("damaged")
    folder.mkdir()
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(folder / "a.png")
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes()[:40])
    with pytest.raises(UserError, match=r"b\.png"):
        predict_folder(runs["sars_cov2_ct"], "last", folder, Path("none.csv"))
    assert not Path("none.csv").exists()


def test_a_segmenter_gives_labels_in_the_size_of_the_slice(runs: dict[str, RunConfig]) -> None:
    run = mednext.load_run(run_paths(runs["acdc"]).root)
    assert run.preprocessing["in_chans"] == 1 and run.network.in_chans == 1
    labels = run.predict(np.random.default_rng(0).random((50, 70)))
    assert labels.shape == (50, 70) and labels.dtype == np.uint8 and labels.max() < 4
    assert '"resize": 32' in run.facts()["preprocessing"]


def test_other_weights_than_the_run_s_are_refused(runs: dict[str, RunConfig]) -> None:
    root = run_paths(runs["acdc"]).root
    with pytest.raises(UserError, match="best_test"):
        mednext.load_run(root, "best_test")
    file = root / "weights.last.safetensors"
    before = file.read_bytes()
    weights = load_file(file)
    save_file({name: value + 1 for name, value in weights.items()}, file)
    try:
        with pytest.raises(UserError, match="not those that the training wrote"):
            mednext.load_run(root)
    finally:
        file.write_bytes(before)
