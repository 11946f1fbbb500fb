"""Small data sets on disk, in the layouts of the originals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from mednext.config import DatasetRun

from . import archives as make
from .official_toy import FILES
from .servers import Files, Girder, serve


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MEDNEXT_DATA and MEDNEXT_LOCAL below a temporary folder; returns the local one."""
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MEDNEXT_LOCAL", str(tmp_path / "local"))
    (tmp_path / "local").mkdir()
    return tmp_path / "local"


def local_run(**changes: object) -> DatasetRun:
    base = {"source": "local", "methods": ["unet"], "img_size": 32, "epochs": 1, "batch_size": 2}
    return DatasetRun.model_validate(base | changes)


@pytest.fixture
def images(roots: Path) -> Path:
    """SARS-COV-2: 10 images of each class, of random content and mixed sizes."""
    random = np.random.default_rng(0)
    root = roots / "sars_cov2_ct"
    for folder, pattern in (("COVID", "Covid ({}).png"), ("non-COVID", "Non-Covid ({}).png")):
        (root / folder).mkdir(parents=True)
        for number in range(1, 11):
            size = random.integers(40, 60, 2)
            pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / folder / pattern.format(number))
    return root


def write_h5(file: Path, image: np.ndarray, label: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(file, "w") as stored:
        stored["image"], stored["label"] = image, label


@pytest.fixture
def volumes(roots: Path) -> Path:
    """ACDC in the h5 form: 5 patients with two frames."""
    random = np.random.default_rng(0)
    root = roots / "acdc"
    for number in range(1, 6):
        for frame in (1, 9):
            image = random.random((3, 40, 36)).astype(np.float32)
            label = random.integers(0, 4, image.shape).astype(np.uint8)
            name = f"patient{number:03d}_frame{frame:02d}.h5"
            write_h5(root / "ACDC_training_volumes" / name, image, label)
    return root


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with MEDNEXT_DATA in it, and MEDNEXT_LOCAL with an empty folder 'toy'."""
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MEDNEXT_LOCAL", str(tmp_path / "incoming"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    (tmp_path / "incoming" / "toy").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Files]]:
    """URL and files of a Girder that zips the toy anew each time, without ranges."""
    content = make.make_zip(tmp_path / "made.zip", FILES).read_bytes()
    (tmp_path / "made.zip").unlink()
    with serve(Girder, content) as (url, files):
        files.chunked, files.etag, files.md5, files.ranges = True, None, None, False
        yield url, files
