from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mednext.config import DatasetRun, SplitCounts
from mednext.datasets.fetch import fetch
from mednext.datasets.prepare import padded_size, prepare, prepared_key
from mednext.datasets.source import resolve_source
from mednext.datasets.splits import split
from mednext.datasets.verify import verify
from mednext.layout import data_root

RUN = DatasetRun(source="local", methods=("unet",), img_size=32, epochs=1, batch_size=2)


def prepared(dataset: str, run: DatasetRun = RUN) -> Path:
    fetch(dataset, run)
    verify(dataset, run)
    prepare(dataset, run)
    return resolve_source(dataset, run).paths.prepared(prepared_key(dataset, run.img_size))


def test_images_are_those_that_pillow_reads(images: Path) -> None:
    folder = prepared("sars_cov2_ct")
    arrays = np.load(folder / "images.npy", mmap_mode="r")
    index = pd.read_csv(folder / "index.csv")
    assert arrays.dtype == np.uint8 and arrays.shape == (20, 1, 37, 37)  # 32 * 8 / 7 = 36.6
    for row in (0, 13):
        with Image.open(images / index.item[row]) as image:
            side = image.convert("RGB").convert("L").resize((37, 37), Image.Resampling.BICUBIC)
        assert np.array_equal(arrays[row, 0], np.asarray(side))
    assert index.label.tolist() == [0] * 10 + [1] * 10
    assert index.item[0].startswith("non-COVID/")


def test_8_over_7_of_224_is_256() -> None:
    assert padded_size(224) == 256


def test_volumes_keep_their_intensities(volumes: Path) -> None:
    folder = prepared("acdc")
    flat = np.load(folder / "volumes_image.npy", mmap_mode="r")
    table = pd.read_csv(folder / "volumes.csv")
    assert flat.dtype == np.float32 and table.frame.tolist() == ["ED", "ES"] * 5
    row = table[table.case == "patient004_frame09"].iloc[0]
    with h5py.File(volumes / "ACDC_training_volumes" / "patient004_frame09.h5") as stored:
        expected, label = stored["image"][()], stored["label"][()]
    span = slice(row.offset, row.offset + expected.size)
    assert np.array_equal(flat[span].reshape(expected.shape), expected)
    native = np.load(folder / "volumes_label.npy", mmap_mode="r")
    assert np.array_equal(native[span].reshape(label.shape), label)
    slices = np.load(folder / "slices_image.npy", mmap_mode="r")
    assert slices.dtype == np.float32 and slices.shape == (30, 32, 32)
    assert len(np.unique(slices)) > 256 * 20  # far more values than 8 bits could hold


def test_nifti_and_h5_forms_of_one_volume_are_equal(roots: Path) -> None:
    random = np.random.default_rng(3)
    stored = np.sort(random.integers(0, 900, 3 * 20 * 24)).reshape(3, 20, 24).astype(np.int16)
    label = random.integers(0, 4, stored.shape).astype(np.uint8)
    folder = roots / "acdc" / "database" / "training" / "patient001"
    folder.mkdir(parents=True)
    for frame in ("01", "12"):
        for name, values in (("", stored), ("_gt", label)):
            image = nib.Nifti1Image(values.transpose(2, 1, 0), np.eye(4))
            image.header.set_zooms((1.5, 1.5, 10.0))
            nib.save(image, folder / f"patient001_frame{frame}{name}.nii.gz")
    arrays = prepared("acdc")
    flat = np.load(arrays / "volumes_image.npy")[: stored.size].reshape(stored.shape)
    # WSL4MIS: clip at the 99 % point, scale to [0, 1]
    high = np.percentile(stored, 99)
    expected = (np.clip(stored, stored.min(), high) - stored.min()) / (high - stored.min())
    assert np.allclose(flat, expected, atol=1e-6)
    labels = np.load(arrays / "volumes_label.npy")[: label.size].reshape(label.shape)
    assert np.array_equal(labels, label)
    row = pd.read_csv(arrays / "volumes.csv").iloc[0]
    assert (row.spacing_z, row.spacing_y, row.spacing_x) == (10.0, 1.5, 1.5)


@pytest.mark.parametrize("dataset", ["sars_cov2_ct", "acdc"])
def test_phantom_and_local_share_no_file(dataset: str, images: Path, volumes: Path) -> None:
    counts = SplitCounts(train=6, val=2, test=2)
    phantom = RUN.model_copy(update={"source": "phantom", "phantom": counts})
    folders = []
    for run in (phantom, RUN):
        prepared(dataset, run)
        split(dataset, run, "paper")
        folders.append(resolve_source(dataset, run).paths.root)
    files = [{f.relative_to(data_root()) for f in g.rglob("*") if f.is_file()} for g in folders]
    assert files[0] and files[1] and not files[0] & files[1]


def test_real_images_and_a_phantom_of_their_layout(
    local_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = local_data("sars-cov-2-ct-scan")
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path))
    run = RUN.model_copy(update={"folder": root.name})
    folder = prepared("sars_cov2_ct", run)
    index = pd.read_csv(folder / "index.csv")
    # 50 of each class, from both ends of the numbering (README of the data)
    assert index.label.tolist() == [0] * 50 + [1] * 50
    arrays = np.load(folder / "images.npy", mmap_mode="r")
    with Image.open(root / index.item[99]) as image:
        expected = image.convert("RGB").convert("L").resize((37, 37), Image.Resampling.BICUBIC)
    assert np.array_equal(arrays[99, 0], np.asarray(expected))
