"""timm's own tests and scripts, of the installed version, on the names that this suite adds.

Both are fetched when the tests run: the tests are in timm's source distribution, the scripts in its
repository alone. Where one cannot be had the test is skipped and says so.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_dataset, create_loader, resolve_input_data_config
from timm.models import (
    group_parameters,
    load_checkpoint,
    resolve_model_input_args,
    resume_checkpoint,
)
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import CheckpointSaver, ModelEmaV3, accuracy

import mednext.models.in_timm  # noqa: F401  (registers the names)

PX = 64

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "https://raw.githubusercontent.com/huggingface/pytorch-image-models"
ONLY_OURS = """
import timm
import mednext.models.in_timm

every = timm.list_models

def ours(filter="", module="", **options):
    return [name for name in every(filter, **options) if name.startswith("plos_mednext")]

timm.list_models = ours
"""
"""A plugin of pytest: the filter, without the modules that timm lists for some of its checks."""
TRACED = "cannot be used as inputs to control flow"
REFUSED = {
    "test_model_default_cfgs": "unknown value of 'global_pool'",
    "test_model_forward_torchscript": "",
    "test_model_forward_fx": TRACED,
    "test_model_backward_fx": TRACED,
    "test_model_forward_fx_torchscript": TRACED,
}
"""What ends with an error, and its words. The first asks, after all it checks of shapes, for a head
of two classes behind maps that are not pooled: refused here, and test_in_timm.py has the checks
that would follow. The others follow no checks of shapes and no work on a few images at a time,
which torch.export does; timm leaves networks of its own out of them, too."""
RUN_SCRIPT = (
    "import runpy, sys, mednext.models.in_timm; sys.argv.pop(0); "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


def python(*words: str, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python with the suite, and perhaps one more folder, to import from."""
    folders = [str(ROOT), *([str(path)] if path else [])]
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of the installed timm, unpacked."""
    folder, name = tmp_path_factory.mktemp("timm"), f"timm-{timm.__version__}"
    words = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", "timm", "-d", str(folder)]
    done = python(*words, name.replace("-", "=="), cwd=folder)
    if done.returncode:
        pytest.skip(f"{name} has no source distribution here: {done.stderr.strip()[-200:]}")
    with tarfile.open(folder / f"{name}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / name


@pytest.mark.slow
def test_timm_s_tests_pass_over_our_names(source: Path) -> None:
    (source / "only_ours.py").write_text(ONLY_OURS)
    words = ["-m", "pytest", "-q", "-p", "only_ours", "-p", "no:cacheprovider", "-W", "ignore"]
    words += ["-k", "plos_mednext", "--junitxml", "found.xml", "tests/test_models.py"]
    done = python(*words, cwd=source, path=source)
    cases = ET.parse(source / "found.xml").getroot().findall(".//testcase")
    assert len(cases) == 2 * 11 and not [c for c in cases if c.find("error") is not None]
    failures = {c.attrib["name"].partition("[")[0]: c.find("failure") for c in cases}
    found = {name: node.attrib["message"] for name, node in failures.items() if node is not None}
    assert set(found) == set(REFUSED), done.stdout[-4000:]
    assert [name for name, words in REFUSED.items() if words not in found[name]] == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of pictures of noise, one of them brighter, in timm's layout of folders."""
    root, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for subset, count in (("train", 8), ("validation", 4)):
        for k, name in enumerate(("dark", "light")):
            place = root / subset / name
            place.mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(100 * k, 100 * k + 100, (80, 80, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{i}.png")
    return root


@pytest.mark.slow
def test_what_timm_s_scripts_call_takes_our_names(folder: Path, tmp_path: Path) -> None:
    """The library's part of train.py and validate.py: arguments, data, optimizer, checkpoints."""
    unset = dict.fromkeys(("drop_path_rate", "drop_block_rate", "global_pool", "bn_momentum"))
    asked = {"img_size": PX, "in_chans": None, "input_size": None}

    def build(**options: Any) -> Any:
        words = {"pretrained": False, "scriptable": False, "num_classes": 2, **unset, **options}
        return timm.create_model(**resolve_model_input_args("plos_mednext", asked, **words))

    model = build(drop_rate=0.1, drop_path_rate=0.1)
    model.set_grad_checkpointing()
    config = resolve_input_data_config(model, asked)
    assert config["input_size"] == (3, PX, PX)
    names = ("input_size", "interpolation", "mean", "std")
    common = {name: config[name] for name in names} | {"use_prefetcher": False, "num_workers": 0}
    loaders = [
        create_loader(
            create_dataset("", root=str(folder), split=split),
            batch_size=4,
            is_training=split == "train",
            device=torch.device("cpu"),
            **common,
        )
        for split in ("train", "validation")
    ]
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.05, layer_decay=0.8)
    scales = {id(p): group["lr_scale"] for group in optimizer.param_groups for p in group["params"]}
    depth = len(group_parameters(model, model.group_matcher())) - 1
    assert scales[id(model.head.weight)] == 1
    assert scales[id(model.stem[0].weight)] == pytest.approx(0.8**depth)
    assert {g["weight_decay"] for g in optimizer.param_groups} == {0, 0.05}
    scheduler, epochs = create_scheduler_v2(optimizer, "cosine", num_epochs=2, warmup_epochs=0)
    ema, before = ModelEmaV3(model, decay=0.5), model.head.weight.detach().clone()
    for images, labels in loaders[0]:
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        ema.update(model)
    scheduler.step(1)
    assert epochs == 2 and not torch.equal(before, model.head.weight)
    saver = CheckpointSaver(model, optimizer, model_ema=ema, checkpoint_dir=str(tmp_path))
    saver.save_checkpoint(0, metric=50.0)
    file = str(tmp_path / "last.pth.tar")
    for use_ema, source in ((False, model), (True, ema.module)):
        found = build()
        load_checkpoint(found, file, use_ema=use_ema)
        for images, labels in loaders[1]:
            with torch.no_grad():
                logits = found.eval()(images)
                assert torch.equal(logits, source.eval()(images))
            assert 0 <= float(accuracy(logits, labels)[0]) <= 100
    again = build()
    resumed = create_optimizer_v2(again, opt="adamw", lr=1.0, layer_decay=0.8)
    assert resume_checkpoint(again, file, resumed, log_info=False) == 1
    state = [optim.state_dict()["state"] for optim in (optimizer, resumed)]
    assert len(state[0]) == len(list(model.parameters())) == len(state[1])


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``train.py``, ``validate.py`` and ``benchmark.py`` of the installed timm's release."""
    place = tmp_path_factory.mktemp("scripts")
    for name in ("train.py", "validate.py", "benchmark.py"):
        address = f"{REPOSITORY}/v{timm.__version__}/{name}"
        try:
            with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310
                (place / name).write_bytes(answer.read())
        except (urllib.error.URLError, TimeoutError) as error:
            pytest.skip(f"timm's {name} is in its repository alone, and {address}: {error}")
    return place


@pytest.mark.slow
def test_timm_s_scripts_take_our_names(scripts: Path, folder: Path, tmp_path: Path) -> None:
    shape = ["--img-size", str(PX), "--num-classes", "2", "-b", "4"]
    common = ["--model", "plos_mednext", "--device", "cpu", *shape]
    data = ["--data-dir", str(folder), "-j", "0"]
    options = ["--epochs", "1", "--warmup-epochs", "0", "--opt", "adamw", "--lr", "1e-4"]
    options += ["--layer-decay", "0.8", "--drop", "0.1", "--drop-path", "0.1", "--model-ema"]
    options += ["--grad-checkpointing", "--output", str(tmp_path), "--experiment", "ours"]
    done = python(
        "-c", RUN_SCRIPT, str(scripts / "train.py"), *common, *data, *options, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-4000:]
    (row,) = csv.DictReader((tmp_path / "ours/summary.csv").open())
    assert 0 < float(row["train_loss"]) < 10 and 0 <= float(row["eval_top1"]) <= 100
    weights = ["--checkpoint", str(tmp_path / "ours/last.pth.tar"), "--results-file", "found.csv"]
    words = [str(scripts / "validate.py"), *common, *data, *weights, "--split", "validation"]
    done = python("-c", RUN_SCRIPT, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    (found,) = csv.DictReader((tmp_path / "found.csv").open())
    assert float(found["top1"]) == pytest.approx(float(row["eval_top1"]), abs=1e-3)
    steps = ["--bench", "both", "--num-warm-iter", "1", "--num-bench-iter", "5"]
    words = [str(scripts / "benchmark.py"), *common, *steps, "--results-file", "bench.csv"]
    done = python("-c", RUN_SCRIPT, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    (bench,) = csv.DictReader((tmp_path / "bench.csv").open())
    assert float(bench["infer_samples_per_sec"]) > 0 and float(bench["train_samples_per_sec"]) > 0
