"""Two steps of the paper profile itself: its size, batch and recipe, on real images."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mednext.config import RunConfig, load_profile
from mednext.datasets.fetch import fetch
from mednext.datasets.load import load
from mednext.datasets.prepare import prepare
from mednext.datasets.splits import split
from mednext.datasets.verify import verify
from mednext.models.registry import create_model
from mednext.runs.resolve import resolve_run
from mednext.training.batches import train_batches
from mednext.training.device import pick_device, prepare_torch
from mednext.training.step import Stepper

ROOT = Path(__file__).resolve().parents[2]


def paper_run(dataset: str, method: str) -> RunConfig:
    """A run of the paper profile on local data and the CPU; nothing else is changed."""
    profile = load_profile(ROOT / "config/paper.yaml")
    entry = profile.datasets[dataset].model_copy(update={"source": "local"})
    profile = profile.model_copy(update={"datasets": {dataset: entry}, "device": "cpu"})
    for step in (fetch, verify, prepare):
        step(dataset, entry)
    split(dataset, entry, "paper")
    return resolve_run(profile, dataset, "paper", method, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "method", "folder", "pattern", "batch"),
    [
        ("sars_cov2_ct", "mednext", "sars-cov-2-ct-scan-256", "*/* (1[0-9][0-9]).webp", 32),
        ("acdc", "medunext", "acdc", "ACDC_training_volumes/patient00[1-9]_*.h5", 12),
    ],
    ids=["mednext", "medunext"],
)
def test_two_steps(
    dataset: str,
    method: str,
    folder: str,
    pattern: str,
    batch: int,
    local_data: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = local_data(folder)
    for file in source.glob(pattern):
        link = tmp_path / "local" / dataset / file.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    monkeypatch.setenv("MEDNEXT_LOCAL", str(tmp_path / "local"))
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    run = paper_run(dataset, method)
    assert (run.img_size, run.batch_size) == (224, batch)
    prepare_torch(run)
    model = create_model(method, num_classes=len(run.classes), in_chans=3, img_size=224)
    before = {name: value.clone() for name, value in model.named_parameters()}
    stepper = Stepper(run, model, pick_device(run))
    losses = []
    model.train()
    for images, labels in itertools.islice(train_batches(load(run), run, 0), 2):
        assert images.shape == (batch, 3, 224, 224)
        losses.append(stepper.step(images, labels, run.recipe["lr"]))
    assert len(losses) == 2 and np.isfinite(losses).all()
    assert all(bool(v.isfinite().all()) for v in model.state_dict().values())
    moved = sum(not bool((value == before[n]).all()) for n, value in model.named_parameters())
    assert moved > 0.9 * len(before)
