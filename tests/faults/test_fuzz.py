"""Damaged files of every kind that is read: a clear error or a result, in bounded time and memory.

Each example takes a good file and changes, inserts, removes, doubles or cuts some of its bytes.
"""

from __future__ import annotations

import gzip
import io
import resource
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mednext.config import load_profile
from mednext.datasets.archive import Limits, unpack
from mednext.datasets.decode import read_intensities, read_label_map, read_picture
from mednext.datasets.labels import whole
from mednext.datasets.manifest import Entry
from mednext.datasets.reader import Files
from mednext.datasets.volumes import oriented, read_h5, read_npz, voxels
from mednext.errors import UserError
from mednext.files import read_csv

SECONDS = 5.0
"""Of CPU."""
MOST_MEMORY = 2 << 30


class InMemory(Files):
    """One file, whatever a manifest says."""

    def __init__(self, content: bytes) -> None:
        super().__init__(Path("fuzz"), [Entry("file", len(content), "")])
        self.content = content

    def read(self, path: str) -> io.BytesIO:
        return io.BytesIO(self.content)


def picture(form: str, mode: str) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (12, 10, 3)).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(stream, format=form)
    return stream.getvalue()


def volume() -> bytes:
    content: bytes = nib.Nifti1Image(np.ones((6, 5, 3), np.int16), np.eye(4)).to_bytes()
    return content


def hdf5() -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as stored:
        stored.create_dataset("image", data=np.ones((3, 6, 5), np.float32), compression="gzip")
        stored["label"] = np.ones((3, 6, 5), np.uint8)
    return stream.getvalue()


def packed(kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "npz":
        np.savez_compressed(stream, image=np.ones((6, 5), np.float32), label=np.ones((6, 5)))
    elif kind == "zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("a/b.txt", "a/c.txt"):
                archive.writestr(name, "content" * 20)
    else:
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for name in ("a/b.txt", "a/c.txt"):
                info = tarfile.TarInfo(name)
                info.size = 140
                archive.addfile(info, io.BytesIO(b"content" * 20))
    return stream.getvalue()


CONFIG = yaml.safe_dump(
    {
        "profile": "mine",
        "seeds": [0],
        "threads": 1,
        "custom_datasets": {
            "my_set": {
                "task": "classification",
                "patient": "^(p[0-9]+)_",
                "classes": [{"slug": "a", "name": "A"}, {"slug": "b", "name": "B"}],
            }
        },
        "datasets": {
            "my_set": {
                "source": "local",
                "methods": ["resnet18"],
                "img_size": 32,
                "epochs": 1,
                "batch_size": 4,
            }
        },
    }
).encode()
SEEDS = {
    "png": picture("PNG", "RGBA"),
    "palette": picture("PNG", "P"),
    "jpeg": picture("JPEG", "RGB"),
    "webp": picture("WEBP", "RGB"),
    "tiff": picture("TIFF", "L"),
    "bmp": picture("BMP", "RGB"),
    "nii": volume(),
    "nii.gz": gzip.compress(volume(), mtime=0),
    "h5": hdf5(),
    "npz": packed("npz"),
    "zip": packed("zip"),
    "tar": packed("tar"),
    "csv": b"row,item,patient,score_0\n0,a.png,007,0.5\n1,b.png,1.10,0.25\n",
    "yaml": CONFIG,
}


def pictured(content: bytes) -> None:
    for read in (lambda f: read_picture(f, "file", "RGB"), lambda f: read_intensities(f, "file")):
        allowed(lambda read=read: read(InMemory(content)))  # type: ignore[misc]
    values, _ = read_label_map(InMemory(content), "file")
    whole(values, Path("file"))


def nifti(content: bytes) -> None:
    image, _, _ = oriented(InMemory(content), "file")
    voxels(InMemory(content), "file", image, np.float64)


@contextmanager
def on_disk(content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "file").write_bytes(content)
        yield Path(folder) / "file"


def unpacked(content: bytes) -> None:
    with on_disk(content) as file:
        (file.parent / "out").mkdir()
        try:
            unpack(file, file.parent / "out", Limits(1_000_000, 100))
        finally:  # nothing outside the folder that is thrown away on an error
            assert {f.name for f in file.parent.iterdir()} == {"file", "out"}


def table(content: bytes) -> None:
    with on_disk(content) as file:
        read_csv(file, {"row": "int64", "score_*": "float64"})


def configured(content: bytes) -> None:
    with on_disk(content) as file:
        load_profile(file)


READERS: dict[str, Callable[[bytes], object]] = {
    **dict.fromkeys(("png", "palette", "jpeg", "webp", "tiff", "bmp"), pictured),
    **dict.fromkeys(("nii", "nii.gz"), nifti),
    "h5": lambda content: read_h5(InMemory(content), "file"),
    "npz": lambda content: read_npz(InMemory(content), "file"),
    **dict.fromkeys(("zip", "tar"), unpacked),
    "csv": table,
    "yaml": configured,
}


def allowed(read: Callable[[], object]) -> None:
    """A result, or the one exception that reaches a user."""
    try:
        read()
    except UserError as error:
        assert str(error).strip()


EDIT = st.tuples(
    st.sampled_from(("change", "insert", "remove", "double", "cut")),
    st.floats(0, 1),
    st.binary(min_size=1, max_size=4),
)


def edited(content: bytes, edits: list[tuple[str, float, bytes]]) -> bytes:
    for what, place, data in edits:
        at = int(place * len(content))
        if what == "change":
            content = content[:at] + data + content[at + len(data) :]
        elif what == "insert":
            content = content[:at] + data + content[at:]
        elif what == "remove":
            content = content[:at] + content[at + len(data) :]
        elif what == "double":
            content = content[:at] + content[at : at + 64] + content[at:]
        else:
            content = content[:at]
    return content


def fuzz(examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(sorted(SEEDS)), st.lists(EDIT, min_size=1, max_size=4))
    def one(kind: str, edits: list[tuple[str, float, bytes]]) -> None:
        content = edited(SEEDS[kind], edits)
        start = time.process_time()  # a busy machine is no hang
        allowed(lambda: READERS[kind](content))
        assert time.process_time() - start < SECONDS, kind

    before = peak()
    one()
    assert peak() - before < MOST_MEMORY


def peak() -> int:
    """Most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_good_file_of_each_kind_is_read() -> None:
    for kind, content in SEEDS.items():
        if kind in ("png", "jpeg", "webp", "bmp"):  # their colours are no label map
            assert read_picture(InMemory(content), "file", "RGB").image.size == (10, 12)
        else:
            READERS[kind](content)


def test_500_damaged_files() -> None:
    fuzz(500)


@pytest.mark.slow
def test_20000_damaged_files() -> None:
    fuzz(20_000)
