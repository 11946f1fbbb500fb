"""Decode a data set once into memory-mapped arrays of the training size.

Classification: ``images.npy`` (N, C, P, P) uint8 with P = 8/7 of the training size, to be cropped,
and ``thumbnails.npy`` (N, 32, 32) uint8 of the decoded images, from which near-duplicates are found
(not from ``images.npy``: the groups are to be the same at every training size).
Segmentation: ``slices_image.npy`` (N, S, S) float32 (cubic spline, as ``zoom(order=3)`` upstream),
``slices_label.npy`` (N, S, S) uint8 (nearest), and the volumes in their own resolution, flat:
``volumes_image.npy`` float32, ``volumes_label.npy`` uint8, described by ``volumes.csv``.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import zoom

from mednext.config import DatasetRun
from mednext.datasets import acdc, groups, sars_cov2_ct
from mednext.datasets.manifest import read_checked, read_manifest
from mednext.datasets.source import Source, resolve_source
from mednext.files import hash_json, sha256_file, write_json
from mednext.provenance import folder_hash

# The arrays of a segmentation set; their sizes are known only when the last volume has been read,
# so that the bytes are written first and the header is put before them at the end.
VOLUME_ARRAYS: dict[str, type[np.generic]] = {
    "slices_image": np.float32,
    "slices_label": np.uint8,
    "volumes_image": np.float32,
    "volumes_label": np.uint8,
}


def padded_size(img_size: int) -> int:
    """Side of prepared classification images: 8/7 of the training size (256 for 224)."""
    return round(img_size * 8 / 7)


def prepared_key(dataset: str, img_size: int) -> str:
    """Name of the prepared folder: the size, and a digest of the code that makes the arrays."""
    return f"px{img_size}-{hash_json([dataset, img_size, folder_hash('datasets')])[:8]}"


def prepare(dataset: str, run: DatasetRun) -> None:
    """Write the prepared folder: to a temporary sibling first, then renamed as a whole."""
    source = resolve_source(dataset, run)
    target = source.paths.prepared(prepared_key(dataset, run.img_size))
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    make = _images if source.spec.task == "classification" else _volumes
    count = make(source, run.img_size, part)
    digests = {f.name: sha256_file(f) for f in sorted(part.iterdir())}
    data_hash = hash_json(digests)[:16]
    write_json(part / "meta.json", {"data_hash": data_hash, "files": digests, "count": count})
    for file in part.iterdir():
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    print(f"{dataset} ({source.id}): {count} images prepared at {run.img_size} px")


def _images(source: Source, img_size: int, part: Path) -> int:
    entries = read_manifest(source.paths.manifest)
    side = padded_size(img_size)
    shape = (len(entries), source.spec.channels, side, side)
    images = np.lib.format.open_memmap(part / "images.npy", "w+", np.uint8, shape)
    small = np.empty((len(entries), groups.SIDE, groups.SIDE), dtype=np.uint8)
    for row, entry in enumerate(entries):
        image = sars_cov2_ct.read_image(read_checked(source.root, entry), source.root / entry.path)
        images[row, 0] = sars_cov2_ct.resized(image, side)
        small[row] = groups.thumbnail(image)
    images.flush()
    np.save(part / "thumbnails.npy", small)
    index = pd.DataFrame(
        {
            "row": range(len(entries)),
            "item": [e.path for e in entries],
            "label": [sars_cov2_ct.label_of(e.path, source.spec) for e in entries],
        }
    )
    index.to_csv(part / "index.csv", index=False, lineterminator="\n")
    return len(entries)


def _volumes(source: Source, img_size: int, part: Path) -> int:
    entries = {e.path: e for e in read_manifest(source.paths.manifest)}
    rows: list[dict[str, object]] = []
    offset = start = 0
    with ExitStack() as stack:
        raw = {n: stack.enter_context((part / f"{n}.raw").open("wb")) for n in VOLUME_ARRAYS}
        for patient, paths in sorted(acdc.frames(list(entries), source.root).items()):
            for frame, path in paths.items():
                volume = acdc.read_volume(
                    path,
                    patient,
                    frame,
                    lambda p: read_checked(source.root, entries[p]),
                    source.root,
                )
                depth, height, width = volume.image.shape
                raw["volumes_image"].write(volume.image.astype(np.float32).tobytes())
                raw["volumes_label"].write(volume.label.tobytes())
                for image, label in zip(volume.image, volume.label, strict=True):
                    small = resize_slice(image, img_size, order=3).astype(np.float32)
                    raw["slices_image"].write(small.tobytes())
                    raw["slices_label"].write(resize_slice(label, img_size, order=0).tobytes())
                spacing = volume.spacing or (np.nan, np.nan, np.nan)
                rows.append(
                    {
                        "row": len(rows),
                        "case": volume.case,
                        "patient": patient,
                        "frame": frame,
                        "start": start,
                        "depth": depth,
                        "height": height,
                        "width": width,
                        "offset": offset,
                        "spacing_z": spacing[0],
                        "spacing_y": spacing[1],
                        "spacing_x": spacing[2],
                    }
                )
                start += depth
                offset += depth * height * width
    for name, kind in VOLUME_ARRAYS.items():
        shape = (start, img_size, img_size) if name.startswith("slices") else (offset,)
        _with_header(part / f"{name}.raw", part / f"{name}.npy", np.dtype(kind), shape)
    pd.DataFrame(rows).to_csv(part / "volumes.csv", index=False, lineterminator="\n")
    index = pd.DataFrame(
        [(r["case"], z) for r in rows for z in range(int(str(r["depth"])))],
        columns=["case", "slice"],
    )
    index.insert(0, "row", range(len(index)))
    index.to_csv(part / "index.csv", index=False, lineterminator="\n")
    return start


def _with_header(raw: Path, target: Path, kind: np.dtype, shape: tuple[int, ...]) -> None:
    """Turn the plain bytes ``raw`` into the ``.npy`` file ``target``; they pass in blocks."""
    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    with raw.open("rb") as source, target.open("wb") as stream:
        np.lib.format.write_array_header_2_0(stream, header)
        shutil.copyfileobj(source, stream, 1 << 20)
    raw.unlink()


def resize_slice(plane: np.ndarray, side: int, order: int) -> np.ndarray:
    """(H, W) -> (side, side) by spline interpolation of the given order."""
    height, width = plane.shape
    if (height, width) == (side, side):
        return plane
    scaled: np.ndarray = zoom(plane, (side / height, side / width), order=order)
    return scaled
