"""Every kind of bad input: one message that names file, value and remedy, and nothing written."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from mednext.config import DatasetRun, SplitCounts, load_datasets
from mednext.datasets.fetch import fetch
from mednext.datasets.phantom import acdc as phantom
from mednext.datasets.prepare import prepare, prepared_key
from mednext.datasets.source import resolve_source
from mednext.datasets.verify import verify
from mednext.errors import UserError

RUN = DatasetRun(source="local", methods=("unet",), img_size=32, epochs=1, batch_size=2)


def refused(dataset: str) -> str:
    """The message with which verification ends; the facts must not have been written."""
    fetch(dataset, RUN)
    with pytest.raises(UserError) as caught:
        verify(dataset, RUN)
    assert not resolve_source(dataset, RUN).paths.facts.exists()
    assert "remedy:" in str(caught.value)
    return str(caught.value)


def test_a_truncated_png(images: Path) -> None:
    file = images / "COVID" / "Covid (3).png"
    file.write_bytes(file.read_bytes()[:900])
    message = refused("sars_cov2_ct")
    assert "Covid (3).png" in message and "damaged" in message and "900 bytes" in message


def test_every_bad_file_is_in_the_one_report(images: Path) -> None:
    content = (images / "COVID" / "Covid (5).png").read_bytes()
    (images / "COVID" / "Covid (2).png").write_text("not an image")
    (images / "COVID" / "Covid (5).png").write_bytes(content[:500])
    message = refused("sars_cov2_ct")
    assert "2 files are bad" in message and message.count("remedy:") == 1
    for words in ("Covid (2).png", "not an image", "Covid (5).png: the image is damaged"):
        assert words in message


def test_a_bad_file_is_looked_at_again_once_it_is_mended(roots: Path) -> None:
    counts = SplitCounts(train=4, val=2, test=2)
    run = RUN.model_copy(update={"source": "phantom", "phantom": counts})
    fetch("sars_cov2_ct", run)
    source = resolve_source("sars_cov2_ct", run)
    file = source.root / "COVID" / "Covid (2).png"
    content = file.read_bytes()
    file.write_bytes(content[:500])
    with pytest.raises(UserError, match=r"has changed(.|\n)*Covid \(2\).png"):
        verify("sars_cov2_ct", run)
    file.write_bytes(content)
    verify("sars_cov2_ct", run)
    assert source.paths.facts.exists()


def test_a_text_named_png(images: Path) -> None:
    (images / "non-COVID" / "Non-Covid (4).png").write_text("not an image")
    message = refused("sars_cov2_ct")
    assert "Non-Covid (4).png" in message and "not an image" in message


def test_an_empty_class_folder(images: Path) -> None:
    for file in (images / "COVID").iterdir():
        file.unlink()
    with pytest.raises(UserError, match=r"'covid19' holds no image(.|\n)*COVID(.|\n)*remedy"):
        fetch("sars_cov2_ct", RUN)


def test_a_missing_class_folder(images: Path) -> None:
    shutil.rmtree(images / "non-COVID")
    with pytest.raises(UserError, match=r"'normal' is missing(.|\n)*non-COVID(.|\n)*remedy"):
        fetch("sars_cov2_ct", RUN)


def test_a_missing_data_set_names_the_folders_that_were_tried(roots: Path) -> None:
    with pytest.raises(UserError) as caught:
        fetch("sars_cov2_ct", RUN)
    for word in ("sars-cov-2-ct-scan-256", "MEDNEXT_LOCAL", str(roots)):
        assert word in str(caught.value)


def test_more_images_than_the_original_has(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = resolve_source("sars_cov2_ct", RUN).spec
    few = tuple(c.model_copy(update={"expected": 9}) for c in spec.classes)
    monkeypatch.setattr(
        "mednext.datasets.source.load_datasets",
        lambda: {"sars_cov2_ct": spec.model_copy(update={"classes": few})},
    )
    assert "at most 9" in refused("sars_cov2_ct")


def edit(
    root: Path, change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
) -> None:
    file = root / "ACDC_training_volumes" / "patient002_frame09.h5"
    with h5py.File(file, "r+") as stored:
        image, label = change(stored["image"][()], stored["label"][()])
        del stored["image"], stored["label"]
        stored["image"], stored["label"] = image, label


def with_nine(image: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    label[1, 2, 3] = 9
    return image, label


def with_nan(image: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    image[0, 0, 0] = np.nan
    return image, label


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_nine, ["unknown values", "found:    9"]),
        (with_nan, ["1 NaN"]),
        (lambda i, t: (i, t[:, :-1]), ["different shapes", "(3, 40, 36)", "(3, 39, 36)"]),
    ],
    ids=["label-9", "nan", "shapes"],
)
def test_bad_volumes(
    volumes: Path,
    change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    words: list[str],
) -> None:
    edit(volumes, change)
    message = refused("acdc")
    for word in [*words, "patient002_frame09.h5"]:
        assert word in message


def test_a_patient_with_one_frame(volumes: Path) -> None:
    (volumes / "ACDC_training_volumes" / "patient003_frame01.h5").unlink()
    message = refused_frames("acdc")
    assert "patient003 does not have exactly two" in message and "1:" in message


def refused_frames(dataset: str) -> str:
    fetch(dataset, RUN)
    with pytest.raises(UserError) as caught:
        verify(dataset, RUN)
    return str(caught.value)


def test_a_damaged_volume(volumes: Path) -> None:
    file = volumes / "ACDC_training_volumes" / "patient001_frame01.h5"
    file.write_bytes(file.read_bytes()[:200])
    assert "patient001_frame01.h5" in refused("acdc")


def test_a_file_that_changed_after_it_was_listed(images: Path) -> None:
    fetch("sars_cov2_ct", RUN)
    source = resolve_source("sars_cov2_ct", RUN)
    file = images / "COVID" / "Covid (1).png"
    file.write_bytes((images / "COVID" / "Covid (2).png").read_bytes())
    manifest = source.paths.manifest.read_text()
    changed = resolve_source("sars_cov2_ct", RUN)
    assert changed.id != source.id
    changed.paths.manifest.parent.mkdir(parents=True, exist_ok=True)
    changed.paths.manifest.write_text(manifest)
    with pytest.raises(UserError, match=r"has changed(.|\n)*Covid \(1\)"):
        verify("sars_cov2_ct", RUN)


@pytest.mark.parametrize("step", [prepare, verify])
def test_a_file_that_is_gone(images: Path, step: Callable[[str, DatasetRun], None]) -> None:
    fetch("sars_cov2_ct", RUN)
    source = resolve_source("sars_cov2_ct", RUN)
    manifest = source.paths.manifest.read_text()
    (images / "COVID" / "Covid (1).png").unlink()
    paths = resolve_source("sars_cov2_ct", RUN).paths
    paths.manifest.parent.mkdir(parents=True, exist_ok=True)
    paths.manifest.write_text(manifest)
    with pytest.raises(UserError, match=r"is gone(.|\n)*Covid \(1\)(.|\n)*remedy"):
        step("sars_cov2_ct", RUN)
    assert not paths.facts.exists()
    assert not paths.prepared_meta(prepared_key("sars_cov2_ct", RUN.img_size)).exists()


def test_a_missing_heart_data_set(roots: Path) -> None:
    with pytest.raises(UserError, match=r"'acdc' is not there(.|\n)*MEDNEXT_LOCAL"):
        fetch("acdc", RUN)


def test_a_single_slice(volumes: Path) -> None:
    edit(volumes, lambda image, label: (image[:1], label[:1]))
    message = refused("acdc")
    assert "single slice" in message and "patient002_frame09.h5" in message


def nifti(root: Path) -> Path:
    """Phantom hearts as if they were the user's own, in the challenge's layout: one patient."""
    counts = SplitCounts(train=1, val=1, test=1)
    phantom.generate(root / "acdc", counts, load_datasets()["acdc"])
    return root / "acdc" / "database" / "training" / "patient002"


def test_info_that_names_other_frames(roots: Path) -> None:
    folder = nifti(roots)
    text = (folder / "Info.cfg").read_text()
    (folder / "Info.cfg").write_text(text.replace("ED: 1\n", "ED: 2\n"))
    message = refused("acdc")
    assert "patient002/Info.cfg" in message and "ED: 2" in message and "ED: 1" in message


@pytest.mark.parametrize("place", [0, 4000, -40], ids=["start", "middle", "end"])
def test_damaged_nifti(roots: Path, place: int) -> None:
    file = next(nifti(roots).glob("*_frame01.nii.gz"))
    content = bytearray(file.read_bytes())
    for offset in range(30):
        content[place + offset] ^= 0xFF
    file.write_bytes(bytes(content))
    message = refused("acdc")
    assert file.name in message and "cannot be read" in message


def test_a_nifti_whose_header_is_nonsense(roots: Path) -> None:
    file = next(nifti(roots).glob("*_frame01.nii.gz"))
    file.write_bytes(gzip.compress(b"\x07" * 4000))
    assert file.name in refused("acdc")


def test_a_missing_label_file(roots: Path) -> None:
    file = next(nifti(roots).glob("*_frame01_gt.nii.gz"))
    file.unlink()
    assert file.name in refused("acdc")
