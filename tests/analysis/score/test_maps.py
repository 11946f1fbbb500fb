"""Label maps in every form count as scikit-learn's and medpy's own reading of the files says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from medpy.metric import binary
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from PIL import Image

from mednext.analysis.score import Truth, judge
from mednext.analysis.score.maps import read_maps
from mednext.errors import UserError
from mednext.results import Metric

ORGANS = {"rv": 1, "myo": 2, "lv": 3}


def labels(hearts: Truth) -> dict[str, nib.Nifti1Image]:
    """Case -> the label file of the phantom, as nibabel reads it."""
    root = hearts.source().root.resolve()
    return {
        case: nib.load(next(root.rglob(f"{case}_gt.nii*"))) for case in hearts.cases.case.tolist()
    }


@pytest.fixture
def masks(hearts: Truth, tmp_path: Path) -> Path:
    """Predictions as NIfTI files: the truth, moved, with holes; written in several orientations."""
    folder = tmp_path / "masks"
    folder.mkdir()
    turns = ["LPS", "RAS", "PIR", "SRA"]
    for n, (case, image) in enumerate(labels(hearts).items()):
        values = np.asarray(image.dataobj).astype(np.uint8)
        moved = np.roll(values, (n, 2, 0), axis=(0, 1, 2))
        moved[:, ::5] = 0
        found = nib.Nifti1Image(moved, image.affine)
        there = axcodes2ornt(turns[n % 4])
        found = found.as_reoriented(ornt_transform(io_orientation(image.affine), there))
        nib.save(found, folder / f"{case}.nii.gz")
    return folder


def stacks(hearts: Truth, masks: Path) -> dict[str, np.ndarray]:
    """The same as (slice, y, x), to the patient's left, back and head: what other formats hold."""
    found = {}
    for case in hearts.cases.case:
        image = nib.load(masks / f"{case}.nii.gz")
        turn = ornt_transform(io_orientation(image.affine), axcodes2ornt("LPS"))
        found[case] = np.asarray(image.as_reoriented(turn).dataobj).transpose(2, 1, 0)
    return found


def test_medpy_agrees_with_what_is_scored(hearts: Truth, masks: Path) -> None:
    report, table = judge(masks, hearts, "last", None, "0")
    truths = labels(hearts)
    dice = {}
    for row in table.itertuples():
        truth, found = truths[row.case], nib.load(masks / f"{row.case}.nii.gz")
        # Outside the suite: the prediction is turned to the axes of the label file instead.
        turn = ornt_transform(io_orientation(found.affine), io_orientation(truth.affine))
        mine = np.asarray(found.as_reoriented(turn).dataobj) == ORGANS[row.organ]
        real = np.asarray(truth.dataobj) == ORGANS[row.organ]
        assert row.tp == (mine & real).sum() and row.fp == (mine & ~real).sum()
        dice[row.case, row.organ] = binary.dc(mine, real)
        spacing = [float(v) for v in truth.header.get_zooms()]
        assert row.hd95_pooled_vox == pytest.approx(binary.hd95(mine, real))
        assert row.hd95_pooled_mm == pytest.approx(binary.hd95(mine, real, spacing))
    values = {
        r.target: r.value
        for r in report.metrics
        if r.metric is Metric.DICE and r.policy == "transunet"
    }
    expected = pd.Series(dice).unstack()
    assert values["mean"] == pytest.approx(expected.to_numpy().mean())
    for organ in ORGANS:
        assert values[organ] == pytest.approx(expected[organ].mean())
    assert report.worst[0].case == expected.mean(axis=1).idxmin()


def write_npz(folder: Path, stacked: dict[str, np.ndarray]) -> Path:
    for case, values in stacked.items():
        np.savez(folder / f"{case}.npz", label=values, image=values * 0.1)
    return folder


def write_h5(folder: Path, stacked: dict[str, np.ndarray]) -> Path:
    for case, values in stacked.items():
        with h5py.File(folder / f"{case}.h5", "w") as stored:
            stored["prediction"] = values
    return folder


def write_png(folder: Path, stacked: dict[str, np.ndarray]) -> Path:
    for case, values in stacked.items():
        for n, plane in enumerate(values):
            Image.fromarray(plane).save(folder / f"{case}_slice{n:03}.png")
    return folder


def write_one(folder: Path, stacked: dict[str, np.ndarray]) -> Path:
    """As ``mednext predict`` stores the predictions of a run."""
    np.savez_compressed(folder / "predictions.last.npz", **stacked)
    return folder / "predictions.last.npz"


@pytest.mark.parametrize("write", [write_npz, write_h5, write_png, write_one])
def test_every_format_gives_the_same(
    write: Callable[[Path, dict[str, np.ndarray]], Path],
    hearts: Truth,
    masks: Path,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    place = write(folder, stacks(hearts, masks))
    pd.testing.assert_frame_equal(read_maps(place, hearts)[0], read_maps(masks, hearts)[0])


def change(masks: Path, how: Callable[[np.ndarray], np.ndarray], name: str = "") -> None:
    """Change the values of the first map, and how it is stored."""
    file = masks / (name or min(f.name for f in masks.iterdir()))
    image = nib.load(file)
    values = how(np.asarray(image.dataobj))
    nib.save(nib.Nifti1Image(values, image.affine), file)


def half(values: np.ndarray) -> np.ndarray:
    return values[::2]


def with_nan(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float32)
    values[0, 0, 0] = np.nan
    return values


def empty(masks: Path) -> None:
    shutil.rmtree(masks)
    masks.mkdir()


def first(masks: Path) -> Path:
    return min(masks.iterdir())


def doubled(masks: Path) -> None:
    file = first(masks)
    np.savez(masks / file.name.replace(".nii.gz", ".npz"), label=np.zeros(3))


def as_picture(masks: Path, name: str, pixels: np.ndarray) -> None:
    file = first(masks)
    file.unlink()
    Image.fromarray(pixels.astype(np.uint8)).save(masks / file.name.replace(".nii.gz", name))


def two_arrays(masks: Path) -> None:
    file = first(masks)
    file.unlink()
    np.savez(masks / file.name.replace(".nii.gz", ".npz"), a=np.zeros(3), b=np.zeros(3))


def stored(masks: Path, ending: str, **arrays: np.ndarray) -> None:
    file = first(masks)
    file.unlink()
    np.savez(masks / file.name.replace(".nii.gz", ending), **arrays)


def group_alone(masks: Path) -> None:
    file = first(masks)
    file.unlink()
    with h5py.File(masks / file.name.replace(".nii.gz", ".h5"), "w") as place:
        place["network/label"] = np.zeros((2, 8, 8))


def slice_doubled(masks: Path) -> None:
    as_picture(masks, "_slice000.png", np.zeros((8, 8)))
    file = first(masks)
    shutil.copy(file, file.with_name(file.name.replace("000", "0")))


def into_a_folder(masks: Path) -> None:
    (masks / "in").mkdir()
    for file in masks.glob("*.nii.gz"):
        file.rename(masks / "in" / file.name)


def lost_affine(masks: Path) -> None:
    file = first(masks)
    nib.save(nib.Nifti1Image(np.asarray(nib.load(file).dataobj), np.eye(4)), file)


def slices_missing(masks: Path) -> None:
    file = first(masks)
    file.unlink()
    for n in (0, 2):
        name = file.name.replace(".nii.gz", f"_slice{n:03}.png")
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(masks / name)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "there are no predictions"),
    "empty folder": (empty, "holds no label map"),
    "missing": (lambda m: first(m).unlink(), "1 of 4 test cases have no label map"),
    "doubled": (doubled, "a case has two label maps"),
    "unknown": (lambda m: shutil.copy(first(m), m / "heart.nii.gz"), "are of no test case"),
    "misnamed": (
        lambda m: first(m).rename(m / first(m).name.replace("_frame", "_fr")),
        "did you mean patient",
    ),
    "another size": (lambda m: change(m, half), "predict at the resolution"),
    "axes exchanged": (lambda m: change(m, lambda v: v.transpose(1, 0, 2)), "turn its axes"),
    "a label too many": (lambda m: change(m, lambda v: v + 2), "values that no class has"),
    "probabilities": (lambda m: change(m, lambda v: v * 0.3), "not whole numbers"),
    "NaN": (lambda m: change(m, with_nan), "holds NaN"),
    "a channel per class": (
        lambda m: change(m, lambda v: np.stack([v, v], axis=-1)),
        "not a channel per class",
    ),
    "damaged": (lambda m: first(m).write_bytes(b"\x1f\x8b no"), "cannot be read"),
    "lossy": (lambda m: as_picture(m, ".jpg", np.zeros((8, 8))), "lossy format"),
    "colours": (
        lambda m: as_picture(m, ".png", np.arange(192).reshape(8, 8, 3)),
        "its pixels are colours",
    ),
    "the truth beside it": (
        lambda m: stored(m, ".npz", label=np.zeros((2, 8, 8)), pred=np.zeros((2, 8, 8))),
        "another could be the truth",
    ),
    "classes on an axis": (
        lambda m: stored(m, ".npz", label=np.zeros((4, 2, 8, 8))),
        "not a channel per class",
    ),
    "one number": (lambda m: stored(m, ".npz", label=np.array(3)), "is not a volume"),
    "a group": (group_alone, "write the label map again"),
    "a slice doubled": (slice_doubled, "0, 0"),
    "in a folder below": (into_a_folder, "none; not read: 4 in in/"),
    "in another form": (
        lambda m: first(m).rename(m / first(m).name.replace(".nii.gz", ".npy")),
        "1 .npy",
    ),
    "in capitals": (
        lambda m: first(m).rename(m / (first(m).name.split(".")[0].upper() + ".nii.gz")),
        "did you mean patient",
    ),
    "two arrays": (two_arrays, "which array is the label map"),
    "without its affine": (lost_affine, "lies elsewhere"),
    "a slice missing": (slices_missing, "slices of a case are missing"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_said(what: str, hearts: Truth, masks: Path) -> None:
    harm, message = BAD[what]
    harm(masks)
    with pytest.raises(UserError) as error:
        read_maps(masks, hearts)
    assert message in str(error.value)


@pytest.mark.parametrize("kind", ["<U1", "complex64", "datetime64[s]"])
def test_what_is_no_number_is_refused(kind: str, hearts: Truth, masks: Path) -> None:
    (case, values) = next(iter(stacks(hearts, masks).items()))
    (masks / f"{case}.nii.gz").unlink()
    np.savez(masks / f"{case}.npz", label=values.astype("int64").astype(kind))
    with pytest.raises(UserError, match="does not hold numbers"):
        read_maps(masks, hearts)


def test_a_class_that_is_never_predicted_and_the_truth_itself_are_noted(
    hearts: Truth, tmp_path: Path
) -> None:
    for case, image in labels(hearts).items():
        nib.save(image, tmp_path / f"{case}.nii.gz")
    assert any("equals the truth" in note for note in read_maps(tmp_path, hearts)[1])
    for case, image in labels(hearts).items():
        values = np.asarray(image.dataobj) > 0
        nib.save(
            nib.Nifti1Image(values.astype(np.uint8), image.affine), tmp_path / f"{case}.nii.gz"
        )
    notes = read_maps(tmp_path, hearts)[1]
    assert [note for note in notes if "no voxel" in note] == [
        "no voxel of any case is predicted as left ventricle",
        "no voxel of any case is predicted as myocardium",
    ]
