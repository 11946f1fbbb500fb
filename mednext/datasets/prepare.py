"""Decode a data set once into memory-mapped arrays of the training size.

Classification: ``images.npy`` (N, C, P, P) uint8 with P = 8/7 of the training size, to be cropped.
Segmentation: ``slices_image.npy`` (N, S, S) float32 (cubic spline, as ``zoom(order=3)`` upstream),
``slices_label.npy`` (N, S, S) uint8 (nearest), and the volumes in their own resolution, flat:
``volumes_image.npy`` float32, ``volumes_label.npy`` uint8, described by ``volumes.csv``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import zoom

from mednext.config import DatasetRun
from mednext.datasets import acdc, sars_cov2_ct
from mednext.datasets.manifest import read_checked, read_manifest
from mednext.datasets.source import Source, resolve_source
from mednext.files import hash_json, sha256_file, write_json
from mednext.provenance import folder_hash


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
    for row, entry in enumerate(entries):
        image = sars_cov2_ct.read_image(read_checked(source.root, entry), source.root / entry.path)
        images[row, 0] = sars_cov2_ct.resized(image, side)
    images.flush()
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
    small_images: list[np.ndarray] = []
    small_labels: list[np.ndarray] = []
    offset = start = 0
    with (part / "image.raw").open("wb") as images, (part / "label.raw").open("wb") as labels:
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
                images.write(np.ascontiguousarray(volume.image, np.float32).tobytes())
                labels.write(np.ascontiguousarray(volume.label).tobytes())
                for image, label in zip(volume.image, volume.label, strict=True):
                    small_images.append(resize_slice(image, img_size, order=3))
                    small_labels.append(resize_slice(label, img_size, order=0))
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
    np.save(part / "slices_image.npy", np.stack(small_images).astype(np.float32))
    np.save(part / "slices_label.npy", np.stack(small_labels).astype(np.uint8))
    for name, kind in (("image", np.float32), ("label", np.uint8)):
        raw = part / f"{name}.raw"
        flat = np.lib.format.open_memmap(part / f"volumes_{name}.npy", "w+", kind, (offset,))
        flat[:] = np.memmap(raw, kind, "r")
        flat.flush()
        raw.unlink()
    pd.DataFrame(rows).to_csv(part / "volumes.csv", index=False, lineterminator="\n")
    index = pd.DataFrame(
        [(r["case"], z) for r in rows for z in range(int(str(r["depth"])))],
        columns=["case", "slice"],
    )
    index.insert(0, "row", range(len(index)))
    index.to_csv(part / "index.csv", index=False, lineterminator="\n")
    return start


def resize_slice(plane: np.ndarray, side: int, order: int) -> np.ndarray:
    """(H, W) -> (side, side) by spline interpolation of the given order."""
    height, width = plane.shape
    if (height, width) == (side, side):
        return plane
    scaled: np.ndarray = zoom(plane, (side / height, side / width), order=order)
    return scaled
