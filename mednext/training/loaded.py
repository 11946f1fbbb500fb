"""A trained run as a user takes it: its network, and what its images have to go through."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import mednext
from mednext.config import RunConfig, load_datasets
from mednext.datasets.images import resized
from mednext.datasets.prepare import padded_size
from mednext.models.onnx_export import export_onnx
from mednext.models.registry import create_model
from mednext.results import RunRecord, read_run
from mednext.training.augment import center_crop
from mednext.training.batches import network_input
from mednext.training.evaluate import verified_weights
from mednext.training.predict_folder import labels_of, logits_of

T = TypeVar("T")


@dataclass(frozen=True)
class LoadedRun:
    """One trained network with all that is needed to use it; made by :func:`load_run`."""

    network: nn.Module
    """On the CPU and in evaluation mode."""
    classes: tuple[str, ...]
    """In the order of the network's outputs."""
    preprocessing: dict[str, Any]
    """What an image goes through: ``mode`` (grey or RGB), ``resize`` to this height and width by
    ``filter``, the middle ``crop`` pixels, ``divisor``, then ``(x - mean) / std``, repeated to
    ``in_chans`` channels."""
    config: RunConfig
    record: RunRecord
    """``run.json``: hashes, machine, versions."""
    selection: str

    def prepare(self, image: Image.Image | np.ndarray) -> Tensor:
        """A picture -> what the network is given, ``1 x in_chans x S x S``.

        Args:
            image: of a classifier: a Pillow image, or ``H x W`` or ``H x W x 3`` uint8.
        """
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        small = resized(image.convert(self.preprocessing["mode"]), self.preprocessing["resize"])
        pixels = center_crop(torch.from_numpy(small.copy())[None], self.preprocessing["crop"])
        return network_input(pixels, self.config)

    def predict(self, image: Image.Image | np.ndarray) -> dict[str, float] | np.ndarray:
        """Probability of each class; of a segmenter the label map, ``H x W`` uint8.

        As ``mednext predict`` computes it, with subnormal numbers as zero; the caller's own threads
        keep them.

        Args:
            image: of a classifier as :meth:`prepare` takes it, of a segmenter ``H x W``
                intensities from 0 to 1.
        """
        if self.config.task == "segmentation":
            plane = np.asarray(image)[None]
            return _flushing(lambda: labels_of(self.config, self.network, plane))[0]
        ready = self.prepare(image)
        (scores,) = _flushing(lambda: logits_of(self.config, self.network, ready)).softmax(dim=1)
        return dict(zip(self.classes, scores.tolist(), strict=True))

    def facts(self) -> dict[str, str]:
        """Where the network comes from and how it is used, as stored in exported files."""
        spec, config, record = load_datasets()[self.config.dataset], self.config, self.record
        hashes = ("config_hash", "code_hash", "data_hash", "split_hash")
        return {
            "task": config.task,
            "method": config.method,
            "classes": json.dumps(self.classes),
            "preprocessing": json.dumps(self.preprocessing),
            "dataset": spec.name,
            "dataset_licence": spec.licence,
            "protocol": config.protocol,
            "seed": str(config.seed),
            "selection": self.selection,
            "weights_sha256": record.weights[self.selection],
            **{name: getattr(record, name) for name in hashes},
            "licence": "MIT, as far as that of the data set lets it be",
            "source": f"mednext-plos-benchmark {mednext.__version__}, 10.1371/journal.pone.0340108",
        }

    def export(self, path: str | Path) -> float:
        """Write the folded network with :meth:`facts` as ONNX; see
        :func:`~mednext.models.onnx_export.export_onnx`."""
        shape = {"in_chans": self.config.in_chans, "img_size": self.config.img_size}
        return export_onnx(self.network, Path(path), facts=self.facts(), **shape)


def _flushing(work: Callable[[], T]) -> T:
    """``work()`` in a thread that takes subnormal numbers as zero.

    The switch belongs to a thread, and threads that torch has started already would not hear of
    it; those that it starts for a new one inherit it.
    """
    with ThreadPoolExecutor(1, initializer=torch.set_flush_denormal, initargs=(True,)) as pool:
        return pool.submit(work).result()


def load_run(folder: str | Path, selection: str = "last") -> LoadedRun:
    """Load a run from its folder, ``results/<profile>/runs/<dataset>/<protocol>/<method>/seed<k>``.

    A custom network or data set is known after :func:`mednext.config.load_profile` of its profile.

    Args:
        folder: holds ``run.json`` and ``weights.<selection>.safetensors``.
        selection: which weights: ``last``, ``best_val``, ``averaged``.

    Raises:
        UserError: no finished run, or not the weights that its training wrote.
    """
    folder = Path(folder)
    record = read_run(folder / "run.json")
    config = RunConfig.model_validate(record.config)
    file = verified_weights(folder / f"weights.{selection}.safetensors", record, selection)
    network = create_model(
        config.method,
        num_classes=len(config.classes),
        in_chans=config.in_chans,
        img_size=config.img_size,
        weights=file,
    )
    return LoadedRun(
        network.eval(), config.classes, _preprocessing(config), config, record, selection
    )


def _preprocessing(run: RunConfig) -> dict[str, Any]:
    common = {"crop": run.img_size, "in_chans": run.in_chans, **run.recipe["normalise"]}
    if run.task == "segmentation":
        zoom = "scipy.ndimage.zoom, order 3, of intensities from 0 to 1"
        return {"mode": "L", "resize": run.img_size, "filter": zoom, "divisor": 1, **common}
    return {
        "mode": "L" if run.channels == 1 else "RGB",
        "resize": padded_size(run.img_size),
        "filter": "Pillow, bicubic",
        "divisor": 255,
        **common,
    }
