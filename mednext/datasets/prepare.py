"""Decode a data set once into memory-mapped arrays of the training size.

Classification: ``images.npy`` (N, C, P, P) uint8 with P = 8/7 of the training size, to be cropped,
and ``thumbnails.npy`` (N, 32, 32) uint8 of the decoded images, from which near-duplicates are found
(not from ``images.npy``: the groups are to be the same at every training size).
Segmentation: ``slices_image.npy`` (N, S, S) float32 (cubic spline, as ``zoom(order=3)`` upstream),
``slices_label.npy`` (N, S, S) uint8 (nearest), and the volumes in their own resolution, flat:
``volumes_image.npy`` float32, ``volumes_label.npy`` uint8.
Both: ``index.csv``, one row per image or volume; for a volume also where it begins and its spacing;
and ``codes.npy`` (N, 5, 32) uint8, perceptual hashes of the image or of the volume's middle slice
(:mod:`mednext.datasets.near`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import zoom

from mednext.config import DatasetRun, load_datasets, reader_module
from mednext.datasets import groups, images, near
from mednext.datasets.chunks import default_jobs, in_chunks
from mednext.datasets.reader import Item, Picture, Volume
from mednext.datasets.source import Source, open_files, resolve_source
from mednext.files import hash_json, sha256_file, write_json
from mednext.provenance import closure_hash

CHUNK = {"classification": 32, "segmentation": 1}
VOLUME_COLUMNS = ("start", "depth", "height", "width", "offset")
SPACING = ("spacing_z", "spacing_y", "spacing_x")


def padded_size(img_size: int) -> int:
    """Side of prepared classification images: 8/7 of the training size (256 for 224)."""
    return round(img_size * 8 / 7)


def prepared_key(dataset: str, img_size: int) -> str:
    """Name of the prepared folder: the size, and a digest of what makes the arrays: code, and the
    data set's classes as its delivery has them.
    """
    names = {"slug", "folder", "original_label"}
    spec = load_datasets()[dataset].model_dump(
        include={"channels": True, "patient": True, "classes": {"__all__": names}}
    )
    code = closure_hash(__name__, reader_module(dataset))
    return f"px{img_size}-{hash_json([dataset, img_size, spec, code])[:8]}"


def prepare(dataset: str, run: DatasetRun, jobs: int | None = None) -> None:
    """Write the prepared folder: in a temporary sibling first, then renamed as a whole.

    After a kill the chunks that were decoded are not decoded again. The bytes are the same for any
    number of ``jobs`` (threads; default: the CPU cores).
    """
    source = resolve_source(dataset, run)
    files = open_files(source)
    items = source.reader.items(files, source.spec)
    target = source.paths.prepared(prepared_key(dataset, run.img_size))
    part = target.with_name(f".{target.name}.part")

    def make(chunk: Sequence[Item], file: Path) -> None:
        decoded = [source.reader.read(item, files, source.spec) for item in chunk]
        parts = [_arrays(one, run.img_size) for one in decoded]
        whole = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
        facts = json.dumps([_shape(one) for one in decoded])
        with file.open("wb") as stream:
            np.savez(stream, facts=np.asarray(facts), **whole)  # type: ignore[arg-type]

    size = CHUNK[source.spec.task]
    chunks = in_chunks(items, size, make, part / "chunks", ".npz", jobs or default_jobs())
    count, facts = _join(chunks, part)
    _index(items, facts, source).to_csv(part / "index.csv", index=False, lineterminator="\n")
    shutil.rmtree(part / "chunks")
    digests = {f.name: sha256_file(f) for f in sorted(part.iterdir()) if f.name != "meta.json"}
    data_hash = hash_json(digests)[:16]
    write_json(part / "meta.json", {"data_hash": data_hash, "files": digests, "count": count})
    for file in part.iterdir():
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())
    # Aside first: a kill while a folder is being removed would leave half of it under its name.
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    print(f"{dataset} ({source.id}): {count} images prepared at {run.img_size} px")


def _arrays(decoded: Picture | Volume, img_size: int) -> dict[str, np.ndarray]:
    """What is kept of one image or volume, each array with the axis to join first."""
    if isinstance(decoded, Picture):
        thumbnail = groups.thumbnail(decoded.image.convert("L"))
        return {
            "images": images.resized(decoded.image, padded_size(img_size))[None],
            "thumbnails": thumbnail[None],
            "codes": near.codes(thumbnail)[None],
        }
    slices = [resize_slice(plane, img_size, order=3) for plane in decoded.image]
    labels = [resize_slice(plane, img_size, order=0) for plane in decoded.label]
    middle = np.clip(decoded.image[len(decoded.image) // 2] * 255, 0, 255).astype(np.uint8)
    return {
        "codes": near.codes(groups.thumbnail(Image.fromarray(middle)))[None],
        "slices_image": np.stack(slices).astype(np.float32),
        "slices_label": np.stack(labels).astype(np.uint8),
        "volumes_image": decoded.image.astype(np.float32).ravel(),
        "volumes_label": decoded.label.astype(np.uint8).ravel(),
    }


def _shape(decoded: Picture | Volume) -> dict[str, float | None]:
    if isinstance(decoded, Picture):
        return {}
    spacing = decoded.spacing or (None, None, None)
    shape = dict(zip(("depth", "height", "width"), decoded.image.shape, strict=True))
    return shape | dict(zip(SPACING, spacing, strict=True))


def _join(chunks: Sequence[Path], part: Path) -> tuple[int, list[dict[str, float | None]]]:
    """Put the arrays of all chunks one behind the other; they pass one by one.

    The sizes are known only when the last chunk has been read, so that the bytes are written first
    and the header is put before them at the end.
    """
    facts: list[dict[str, float | None]] = []
    shapes: dict[str, tuple[np.dtype, int, tuple[int, ...]]] = {}
    for number, chunk in enumerate(chunks):
        with np.load(chunk) as stored:
            facts += json.loads(str(stored["facts"]))
            for name in sorted(set(stored.files) - {"facts"}):
                array = stored[name]
                with (part / f"{name}.raw").open("ab" if number else "wb") as stream:
                    stream.write(array.data)
                before = shapes[name][1] if name in shapes else 0
                shapes[name] = (array.dtype, before + len(array), array.shape[1:])
    for name, (kind, length, rest) in shapes.items():
        _with_header(part / f"{name}.raw", part / f"{name}.npy", kind, (length, *rest))
    return next(shapes[n][1] for n in ("images", "slices_image") if n in shapes), facts


def _index(
    items: Sequence[Item], facts: list[dict[str, float | None]], source: Source
) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "row": range(len(items)),
            "item": [i.name for i in items],
            **{
                name: [getattr(i, name) for i in items]
                for name in ("label", "patient", "frame", "part")
            },
            # The file is part of data_hash, which stands in the records of all runs before 0.2.
            "side": [i.subset for i in items],
            "order": [i.order for i in items],
        }
    )
    if source.spec.task == "segmentation":
        more = pd.DataFrame(facts)
        voxels = more.depth * more.height * more.width
        more.insert(0, "start", more.depth.cumsum() - more.depth)
        more.insert(4, "offset", voxels.cumsum() - voxels)
        table = table.join(more[[*VOLUME_COLUMNS, *SPACING]])
    return table


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
