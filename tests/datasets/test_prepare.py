"""What is prepared is what the files hold; what is loaded is what was prepared."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mednext.config import DatasetRun, RunConfig, SplitCounts, load_datasets
from mednext.datasets.counts import dataset_rows
from mednext.datasets.fetch import fetch
from mednext.datasets.load import ClassificationData, SegmentationData, load
from mednext.datasets.prepare import padded_size, prepare, prepared_key
from mednext.datasets.source import resolve_source
from mednext.datasets.splits import split
from mednext.datasets.verify import verify
from mednext.errors import UserError
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
    assert index.label.tolist() == ["normal"] * 10 + ["covid19"] * 10
    assert index.item[0].startswith("non-COVID/")


def test_8_over_7_of_224_is_256() -> None:
    assert padded_size(224) == 256


def test_volumes_keep_their_intensities(volumes: Path) -> None:
    folder = prepared("acdc")
    flat = np.load(folder / "volumes_image.npy", mmap_mode="r")
    table = pd.read_csv(folder / "index.csv")
    assert flat.dtype == np.float32 and table.frame.tolist() == ["ED", "ES"] * 5
    row = table[table["item"] == "patient004_frame09"].iloc[0]
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
            image = nib.Nifti1Image(values.transpose(2, 1, 0), np.diag([-1.5, -1.5, 10.0, 1.0]))
            nib.save(image, folder / f"patient001_frame{frame}{name}.nii.gz")
    arrays = prepared("acdc")
    flat = np.load(arrays / "volumes_image.npy")[: stored.size].reshape(stored.shape)
    # WSL4MIS: clip at the 99 % point of the cumulated histogram, scale to [0, 1]
    high = int(np.argmax(np.cumsum(np.bincount(stored.ravel())) / stored.size >= 0.99))
    expected = (np.clip(stored, stored.min(), high) - stored.min()) / (high - stored.min())
    assert np.allclose(flat, expected, atol=1e-6)
    labels = np.load(arrays / "volumes_label.npy")[: label.size].reshape(label.shape)
    assert np.array_equal(labels, label)
    row = pd.read_csv(arrays / "index.csv").iloc[0]
    assert (row.spacing_z, row.spacing_y, row.spacing_x) == (10.0, 1.5, 1.5)

    shutil.rmtree(roots / "acdc")
    (roots / "acdc" / "ACDC_training_volumes").mkdir(parents=True)
    for frame in ("01", "12"):
        file = roots / "acdc" / "ACDC_training_volumes" / f"patient001_frame{frame}.h5"
        with h5py.File(file, "w") as h5:
            h5["image"], h5["label"] = expected.astype(np.float32), label
    converted = prepared("acdc")
    assert converted != arrays
    for name in ("volumes_image", "volumes_label", "slices_image", "slices_label"):
        one, other = np.load(arrays / f"{name}.npy"), np.load(converted / f"{name}.npy")
        assert one.dtype == other.dtype and np.allclose(one, other, atol=1e-5), name
    assert pd.read_csv(converted / "index.csv").spacing_z.isna().all()


def test_hearts_are_turned_by_their_affine(roots: Path) -> None:
    """Frame 12 is frame 1 stored with other axes: x and y exchanged, the slices from the top."""
    stored = np.random.default_rng(3).integers(0, 900, (20, 24, 3)).astype(np.int16)
    label = np.random.default_rng(4).integers(0, 4, stored.shape).astype(np.uint8)
    affine = np.diag([-1.5, -1.6, 10.0, 1.0])
    folder = roots / "acdc" / "database" / "training" / "patient001"
    folder.mkdir(parents=True)
    for name, values in (("", stored), ("_gt", label)):
        nib.save(nib.Nifti1Image(values, affine), folder / f"patient001_frame01{name}.nii.gz")
        turned = nib.Nifti1Image(
            values.transpose(1, 0, 2)[:, :, ::-1],
            np.array([[0, -1.5, 0, 0], [-1.6, 0, 0, 0], [0, 0, -10.0, 20.0], [0, 0, 0, 1]]),
        )
        turned.set_sform(np.sign(turned.affine), code=1)  # unit scales, as the original has them
        nib.save(turned, folder / f"patient001_frame12{name}.nii.gz")
    arrays = prepared("acdc")
    for name in ("volumes_image", "volumes_label"):
        one, other = np.load(arrays / f"{name}.npy").reshape(2, 3, 24, 20)
        assert np.array_equal(one, other)
    assert np.array_equal(other, label.transpose(2, 1, 0))
    table = pd.read_csv(arrays / "index.csv")
    assert table[["spacing_z", "spacing_y", "spacing_x"]].round(4).drop_duplicates().to_numpy()[
        0
    ].tolist() == [10.0, 1.6, 1.5]


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
    assert index.label.tolist() == ["normal"] * 50 + ["covid19"] * 50
    arrays = np.load(folder / "images.npy", mmap_mode="r")
    with Image.open(root / index.item[99]) as image:
        expected = image.convert("RGB").convert("L").resize((37, 37), Image.Resampling.BICUBIC)
    assert np.array_equal(arrays[99, 0], np.asarray(expected))


def test_integers_of_the_h5_form_are_multiplied_by_their_scale(volumes: Path) -> None:
    file = volumes / "ACDC_training_volumes" / "patient001_frame01.h5"
    counts = np.random.default_rng(1).integers(0, 2001, (3, 40, 36)).astype(np.uint16)
    with h5py.File(file, "r+") as stored:
        del stored["image"]
        stored["image"] = counts
        stored["image"].attrs["scale"] = 0.0005
    flat = np.load(prepared("acdc") / "volumes_image.npy")[: counts.size]
    assert np.allclose(flat, counts.ravel() * 0.0005, atol=1e-7)


def test_a_real_heart(
    local_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = Path("ACDC_training_volumes") / "patient001_frame12.h5"
    origin = local_data("acdc")
    (tmp_path / "local" / "acdc" / name.parent).mkdir(parents=True)
    for frame in ("01", "12"):
        file = name.with_name(f"patient001_frame{frame}.h5")
        shutil.copy(origin / file, tmp_path / "local" / "acdc" / file)
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MEDNEXT_LOCAL", str(tmp_path / "local"))
    folder = prepared("acdc")
    with h5py.File(origin / name) as stored:
        image = stored["image"][()] * stored["image"].attrs["scale"]
        label = stored["label"][()]
    row = pd.read_csv(folder / "index.csv").iloc[1]
    assert (row["item"], row.frame) == ("patient001_frame12", "ES")
    assert (row.depth, row.height, row.width) == image.shape
    span = slice(row.offset, row.offset + image.size)
    flat = np.load(folder / "volumes_image.npy", mmap_mode="r")[span]
    assert np.allclose(flat, image.ravel(), atol=1e-6)
    assert len(np.unique(flat)) > 256
    assert np.array_equal(np.load(folder / "volumes_label.npy")[span], label.ravel())


def resolved(dataset: str, **changes: object) -> RunConfig:
    spec = load_datasets()[dataset]
    base: dict[str, object] = {
        "profile": "p",
        "source": "local",
        "source_id": resolve_source(dataset, RUN).id,
        "task": spec.task,
        "dataset": dataset,
        "protocol": "paper",
        "method": "m",
        "method_kwargs": {},
        "constructor": "a:b",
        "seed": 0,
        "img_size": 32,
        "channels": 1,
        "classes": tuple(c.slug for c in spec.classes),
        "epochs": 1,
        "batch_size": 2,
        "limit": None,
        "recipe": {},
        "threads": 1,
        "device": "cpu",
        "deterministic": True,
        "selections": ("last",),
    }
    return RunConfig.model_validate(base | changes)


def test_loaded_images_keep_their_labels(images: Path) -> None:
    prepared("sars_cov2_ct")
    split("sars_cov2_ct", RUN, "paper")
    data = load(resolved("sars_cov2_ct"))
    assert isinstance(data, ClassificationData)
    assert isinstance(data.images, np.memmap) and data.labels.dtype == np.int64
    every = np.concatenate(list(data.subsets.values()))
    assert sorted(every) == list(range(20))
    assert [len(data.subsets[s]) for s in ("train", "val", "test")] == [12, 4, 4]
    for row in every:
        assert data.labels[row] == int(data.items[row].startswith("COVID/"))
    few = load(resolved("sars_cov2_ct", limit=SplitCounts(train=6, val=2, test=2)))
    assert set(few.subsets["train"]) < set(data.subsets["train"]) and len(few.subsets["train"]) == 6
    again = load(resolved("sars_cov2_ct", limit=SplitCounts(train=6, val=2, test=2)))
    assert np.array_equal(few.subsets["train"], again.subsets["train"])


def test_loaded_volumes_match_their_slices(volumes: Path) -> None:
    prepared("acdc")
    split("acdc", RUN, "paper")
    data = load(resolved("acdc"))
    assert isinstance(data, SegmentationData)
    case = data.cases[3]
    image, label = data.volume(case)
    with h5py.File(volumes / "ACDC_training_volumes" / f"{case.case}.h5") as stored:
        assert np.array_equal(image, stored["image"][()])
        assert np.array_equal(label, stored["label"][()])
    assert case.spacing is None and case.stop - case.start == case.shape[0]
    # nearest neighbour: the corners of a slice stay where they are
    assert data.labels[case.start, 0, 0] == label[0, 0, 0]
    assert data.labels[case.stop - 1, -1, -1] == label[-1, -1, -1]
    assert sorted(i for side in data.subsets.values() for i in side) == list(range(10))


def test_the_facts_count_what_is_used(images: Path) -> None:
    run = RUN.model_copy(update={"limit": SplitCounts(train=6, val=2, test=2)})
    prepared("sars_cov2_ct", run)
    split("sars_cov2_ct", run, "paper")
    rows = dataset_rows("sars_cov2_ct", run, "paper")
    assert [r.klass for r in rows] == ["normal", "covid19"]
    for row, printed in zip(rows, ((737, 246, 246), (751, 251, 250)), strict=True):
        assert (row.train, row.val, row.test, row.unused, row.total) == (3, 1, 1, 5, 10)
        assert (row.printed_train, row.printed_val, row.printed_test) == printed
        assert row.groups == 10 and row.groups_in_two_subsets == 0


def test_loading_before_preparing_says_what_to_run(images: Path) -> None:
    with pytest.raises(UserError, match=r"not ready(.|\n)*mednext datasets prepare"):
        load(resolved("sars_cov2_ct"))
