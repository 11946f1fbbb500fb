"""Small networks and made-up data in the shapes that training reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mednext.config import RunConfig, load_recipes
from mednext.datasets.load import Case, ClassificationData, SegmentationData

SIZE = 32


class TinyClassifier(nn.Module):
    """With batch norm and dropout: both must survive a continued training."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.BatchNorm2d(8), nn.ReLU())
        self.feature_info = [{"module": "stem"}]
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(8, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stem(x).mean((2, 3)))


class TinySegmenter(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, classes, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def tiny_model(method: str, *, num_classes: int, in_chans: int, img_size: int) -> nn.Module:
    assert (in_chans, img_size) == (3, SIZE)
    return TinyClassifier(num_classes) if method == "resnet18" else TinySegmenter(num_classes)


def tiny_run(task: str, **changes: Any) -> RunConfig:
    classification = task == "classification"
    recipe = load_recipes()[task].values()
    values: dict[str, Any] = {
        "profile": "tiny",
        "source": "phantom",
        "source_id": "phantom-00000000",
        "task": task,
        "dataset": "sars_cov2_ct" if classification else "acdc",
        "protocol": "paper",
        "method": "resnet18" if classification else "unet",
        "method_kwargs": {},
        "constructor": "mednext.models.mednext:mednext",
        "seed": 0,
        "img_size": SIZE,
        "channels": 1,
        "classes": ("normal", "covid19") if classification else ("background", "rv", "myo", "lv"),
        "epochs": 3,
        "batch_size": 4,
        "limit": None,
        "recipe": {**recipe, "lr": 0.01},
        "threads": 1,
        "device": "cpu",
        "deterministic": True,
        "selections": ("last", "best_val"),
    }
    return RunConfig(**{**values, **changes})


def tiny_data(run: RunConfig, val: bool = True) -> ClassificationData | SegmentationData:
    """21 images, bright or dark (13 to train on: the last batch holds one); or 5 volumes."""
    random = np.random.default_rng(3)
    digests = {"data_hash": "d" * 16, "split_hash": "e" * 16}
    common: dict[str, Any] = {"classes": run.classes, "img_size": SIZE, **digests}
    if run.task == "classification":
        labels = np.arange(21) % 2
        pixels = random.integers(0, 120, (21, 1, 37, 37)) + 120 * labels[:, None, None, None]
        subsets = {"train": np.arange(13), "val": np.arange(13, 17), "test": np.arange(17, 21)}
        subsets["val"] = subsets["val"] if val else np.empty(0, dtype=np.int64)
        return ClassificationData(
            images=pixels.astype(np.uint8),
            labels=labels.astype(np.int64),
            items=[f"class {k}/image ({i}).png" for i, k in enumerate(labels)],
            groups=[f"g{i // 2}" for i in range(21)],
            subsets=subsets,
            **common,
        )
    depth, height, width = 3, 40, 36
    labels = np.zeros((5, depth, SIZE, SIZE), np.uint8)
    native = np.zeros((5, depth, height, width), np.uint8)
    for value in (1, 2, 3):
        labels[:, :, 6 * value : 6 * value + 6, 4:20] = value
        native[:, :, 8 * value : 8 * value + 8, 4:20] = value
    labels[:, 0], native[:, 0] = 0, 0  # the first slice of each volume shows no organ
    noise = random.normal(0, 0.02, labels.shape)
    return SegmentationData(
        images=(labels / 4 + noise).reshape(-1, SIZE, SIZE).astype(np.float32),
        labels=labels.reshape(-1, SIZE, SIZE),
        native_images=(native / 4).astype(np.float32).ravel(),
        native_labels=native.ravel(),
        cases=[
            Case(
                case=f"patient{i:03}_ED",
                patient=f"patient{i:03}",
                frame="ED",
                start=i * depth,
                stop=(i + 1) * depth,
                shape=(depth, height, width),
                offset=i * depth * height * width,
                spacing=(10.0, 2.0, 2.0) if i != 4 else None,
            )
            for i in range(5)
        ],
        subsets={"train": [0, 1], "val": [2] if val else [], "test": [4, 3]},
        **common,
    )


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., RunConfig]]:
    """In an empty folder, with the small networks and the made-up data: task -> its run."""
    from mednext.training import browse, device, evaluate, explain, train

    threads = torch.get_num_threads()
    monkeypatch.chdir(tmp_path)
    has_val = {"val": True}
    for module in (train, evaluate, explain, browse):
        monkeypatch.setattr(module, "load", lambda run: tiny_data(run, has_val["val"]))
    monkeypatch.setattr(train, "check_prepared", lambda run: None)
    for module in (device, evaluate):
        monkeypatch.setattr(module, "create_model", tiny_model)

    def make(task: str, val: bool = True, **changes: Any) -> RunConfig:
        has_val["val"] = val
        return tiny_run(task, **changes)

    yield make
    torch.set_num_threads(threads)
