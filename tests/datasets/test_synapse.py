"""Synapse: orientation, intensities and labels as TransUNet has them; both layouts; bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from mednext.config import DatasetRun, SplitCounts, benchmarks_dir, load_datasets
from mednext.datasets.fetch import fetch
from mednext.datasets.phantom import synapse as phantom
from mednext.datasets.prepare import prepare, prepared_key
from mednext.datasets.reader import Volume
from mednext.datasets.source import open_files, resolve_source
from mednext.datasets.splits import PROTOCOLS
from mednext.datasets.verify import verify
from mednext.errors import UserError
from mednext.layout import data_root

RUN = DatasetRun(source="local", methods=("unet",), img_size=32, epochs=1, batch_size=2)
SPEC = load_datasets()["synapse"]


@pytest.fixture
def tree(roots: Path) -> Path:
    """Three phantom cases as the user's own copy."""
    phantom.generate(roots / "synapse", SplitCounts(train=1, val=0, test=2), SPEC)
    return roots / "synapse"


def volume(case: str, run: DatasetRun = RUN) -> Volume:
    source = resolve_source("synapse", run)
    files = open_files(source)
    item = next(i for i in source.reader.items(files, source.spec) if i.name == case)
    found = source.reader.read(item, files, source.spec)
    assert isinstance(found, Volume)
    return found


def save(tree: Path, image: np.ndarray, label: np.ndarray, affine: np.ndarray) -> None:
    """Case 1 with (x, y, slice) arrays."""
    folder = tree / "RawData" / "Training"
    for name, values in (("img/img", image), ("label/label", label)):
        file = folder / f"{name}0001.nii.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(values, affine), file)


def test_the_paper_split_is_transunets(local_data: Callable[[str], Path]) -> None:
    root = local_data("synapse-lists")
    listed = pd.read_csv(benchmarks_dir() / "splits" / "synapse_paper.csv")
    train = {line.split("_")[0] for line in (root / "train.txt").read_text().split()}
    test = set((root / "test_vol.txt").read_text().split())
    assert (len(train), len(test)) == (18, 12)  # Table 1
    assert set(listed.group[listed.subset == "train"]) == train
    assert set(listed.group[listed.subset == "test"]) == test
    cases = sorted(train | test)
    index = pd.DataFrame({"row": range(30), "item": cases, "group": cases, "label": ""})
    source = resolve_source("synapse", RUN.model_copy(update={"source": "official"}))
    for protocol in ("paper", "grouped"):
        table = PROTOCOLS[protocol](source, RUN, index)
        assert set(table.group[table.subset == "train"]) == train
        assert set(table.group[table.subset == "test"]) == test


@pytest.mark.parametrize("x", [1, -1])
@pytest.mark.parametrize("y", [1, -1])
@pytest.mark.parametrize("z", [1, -1])
def test_the_affine_turns_every_volume_the_same_way(roots: Path, x: int, y: int, z: int) -> None:
    """NIfTI's world grows to the right, front and head; ours to the left, back and head."""
    image = np.random.default_rng(0).integers(-100, 200, (8, 9, 4)).astype(np.int16)
    label = np.random.default_rng(1).integers(0, 14, image.shape).astype(np.uint8)
    flips = tuple(slice(None, None, sign) for sign in (x, y, z))
    affine = np.diag([2.0 * x, 3.0 * y, 5.0 * z, 1])
    save(roots / "synapse", image[flips], label[flips], affine)
    fetch("synapse", RUN)
    found = volume("case0001")
    # x and y of the stored right-front-head array run the other way here
    upright = image[::-1, ::-1].transpose(2, 1, 0).astype(float)
    span = upright.max() - upright.min()
    assert np.allclose(found.image, (upright - upright.min()) / span, atol=1e-6)
    assert found.spacing == (5.0, 3.0, 2.0)


def test_intensities_are_clipped_and_scaled_and_13_labels_become_8(roots: Path) -> None:
    image = np.full((4, 4, 14), -1024, dtype=np.int16)
    image[0, 0, :4] = [-125, 75, 275, 1500]
    label = np.zeros(image.shape, dtype=np.uint8)
    label[1, 1, :] = range(14)
    save(roots / "synapse", image, label, np.diag([-1.0, -1.0, 3.0, 1.0]))
    fetch("synapse", RUN)
    found = volume("case0001")
    assert found.image[:4, 0, 0] == pytest.approx([0, 0.5, 1, 1])  # (75 + 125) / 400
    assert found.image[5, 0, 0] == 0
    # original: spleen 1, right kidney 2, left kidney 3, gallbladder 4, liver 6, stomach 7,
    # aorta 8, pancreas 11; TransUNet: 1 aorta, 2 gallbladder, 3 left kidney, 4 right kidney,
    # 5 liver, 6 pancreas, 7 spleen, 8 stomach
    assert found.label[:, 1, 1].tolist() == [0, 7, 4, 3, 2, 0, 5, 8, 1, 0, 0, 6, 0, 0]


def test_slices_for_training_are_of_the_volume(tree: Path) -> None:
    fetch("synapse", RUN)
    verify("synapse", RUN)
    prepare("synapse", RUN)
    paths = resolve_source("synapse", RUN).paths
    folder = paths.prepared(prepared_key("synapse", 32))
    row = pd.read_csv(folder / "index.csv").iloc[1]
    flat = np.load(folder / "volumes_image.npy", mmap_mode="r")
    native = flat[row.offset : row.offset + row.depth * row.height * row.width]
    expected = volume(row["item"]).image
    assert np.array_equal(native.reshape(expected.shape), expected)
    slices = np.load(folder / "slices_image.npy", mmap_mode="r")[row.start : row.start + row.depth]
    assert slices.shape == (row.depth, 32, 32) and slices.dtype == np.float32
    assert np.abs(slices.mean() - expected.mean()) < 0.01
    assert row.spacing_z in (3.0, 5.0) and row.spacing_y == pytest.approx(row.spacing_x)


@pytest.fixture
def example(local_data: Callable[[str], Path]) -> Path:
    """Looked up before ``roots`` moves MEDNEXT_LOCAL."""
    return local_data("totalsegmentator-example")


def test_nifti_and_transunet_form_of_one_real_piece_agree(example: Path, roots: Path) -> None:
    """The same CT as NIfTI in Hounsfield units and as converted by hand for a loader."""
    source = nib.load(example / "example_ct_sm.nii.gz")
    label = nib.Nifti1Image(np.zeros(source.shape, np.uint8), source.affine)
    for name, stored in (("img/img", source), ("label/label", label)):
        file = roots / "synapse" / "RawData" / "Training" / f"{name}0001.nii.gz"
        file.parent.mkdir(parents=True)
        nib.save(stored, file)
    fetch("synapse", RUN)
    ours = volume("case0001").image
    with h5py.File(example / "converted" / "test_vol_h5" / "case9002.npy.h5") as stored_h5:
        theirs = stored_h5["image"][()]
    # equal but for the axes, which theirs left as they were stored
    ways = [ours[:, ::b, ::c] for b in (1, -1) for c in (1, -1)]
    assert min(np.abs(way - theirs).max() for way in ways) < 1e-4


def refused() -> str:
    with pytest.raises(UserError) as caught:
        fetch("synapse", RUN)
        verify("synapse", RUN)
    assert not list(data_root().rglob("verified.json"))
    assert "remedy:" in str(caught.value)
    return str(caught.value)


FOLDER = "RawData/Training"


def edit(
    name: str, change: Callable[[np.ndarray], np.ndarray], affine: np.ndarray | None = None
) -> Callable[[Path], object]:
    def apply(tree: Path) -> None:
        file = tree / FOLDER / name
        stored = nib.load(file)
        values = change(np.asarray(stored.dataobj))
        nib.save(nib.Nifti1Image(values, stored.affine if affine is None else affine), file)

    return apply


def with_label_14(values: np.ndarray) -> np.ndarray:
    values[3, 3, 3] = 14
    return values


def with_nan(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float32)
    values[3, 3, 3] = np.nan
    return values


IMAGE, LABEL = "img/img0002.nii.gz", "label/label0002.nii.gz"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: (t / FOLDER / LABEL).unlink(), ["lacks its label", "label0002.nii.gz"]),
        (lambda t: (t / FOLDER / IMAGE).unlink(), ["or a label its image", "img0002.nii.gz"]),
        (
            lambda t: (t / FOLDER / IMAGE).rename(t / FOLDER / "img/img2.nii.gz"),
            ["not known", "img2.nii.gz", "img0001.nii.gz"],
        ),
        (edit(LABEL, with_label_14), ["unknown values", "found:    14", "1 to 13"]),
        (edit(IMAGE, with_nan), ["1 NaN"]),
        (edit(LABEL, lambda v: v[:, :-1]), ["different shapes"]),
        (edit(LABEL, lambda v: v, np.diag([1.0, 1.0, 9.0, 1.0])), ["different spacings"]),
        (lambda t: (t / FOLDER / IMAGE).write_bytes(b"\x1f\x8b\x08\0no"), ["cannot be read"]),
        (lambda t: (t / FOLDER).rename(t / "Test"), ["holds no Synapse volume", FOLDER]),
    ],
    ids=["label", "image", "name", "14", "nan", "shape", "spacing", "damaged", "nothing"],
)
def test_bad_nifti_trees(tree: Path, change: Callable[[Path], object], words: list[str]) -> None:
    change(tree)
    message = refused()
    for word in words:
        assert word in message, message


def transunet(roots: Path, numbers: list[int], case: str = "case0005") -> Path:
    """A case of the list as slices, another as a volume."""
    random = np.random.default_rng(0)
    (roots / "synapse" / "train_npz").mkdir(parents=True)
    (roots / "synapse" / "test_vol_h5").mkdir()
    for number in numbers:
        np.savez(
            roots / "synapse" / "train_npz" / f"{case}_slice{number:03d}.npz",
            image=random.random((24, 20), dtype=np.float32),
            label=random.integers(0, 9, (24, 20)).astype(np.float32),
        )
    with h5py.File(roots / "synapse" / "test_vol_h5" / "case0001.npy.h5", "w") as stored:
        stored["image"] = random.random((3, 24, 20), dtype=np.float32)
        stored["label"] = random.integers(0, 9, (3, 24, 20)).astype(np.uint8)
    return roots / "synapse"


def test_slices_are_stacked_by_number(roots: Path) -> None:
    tree = transunet(roots, [2, 0, 1])
    fetch("synapse", RUN)
    verify("synapse", RUN)
    found = volume("case0005")
    for number in range(3):
        with np.load(tree / "train_npz" / f"case0005_slice{number:03d}.npz") as stored:
            assert np.array_equal(found.image[number], stored["image"])
            assert np.array_equal(found.label[number], stored["label"])
    assert found.spacing is None


def test_a_missing_slice(roots: Path) -> None:
    transunet(roots, [0, 1, 3])
    message = refused()
    assert "slices of case0005 are missing" in message and "the last is 3" in message


def test_a_case_in_both_forms(roots: Path) -> None:
    transunet(roots, [0, 1], case="case0001")
    assert "a case is there twice" in refused()


def test_slices_of_different_shapes(roots: Path) -> None:
    tree = transunet(roots, [0, 1])
    image, label = np.zeros((24, 19), np.float32), np.zeros((24, 19), np.float32)
    np.savez(tree / "train_npz" / "case0005_slice001.npz", image=image, label=label)
    message = refused()
    assert "different shapes" in message and "case0005_slice001.npz" in message


def test_a_slice_that_would_run_code(roots: Path) -> None:
    tree = transunet(roots, [0, 1])
    hostile = np.asarray([print], dtype=object)
    np.savez(tree / "train_npz" / "case0005_slice001.npz", image=hostile, label=hostile)
    assert "cannot be read" in refused()


def test_a_stand_in_says_so(
    local_data: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    local_data("totalsegmentator-example")
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path))
    run = RUN.model_copy(update={"folder": "totalsegmentator-example"})
    fetch("synapse", run)
    verify("synapse", run)
    out = capsys.readouterr().out
    # 7 slices of one case, 30 of the other (README of the data)
    assert "2 volumes, 37 slices" in out and "STAND-IN" in out and "case9001" in out
