"""Fix the radius of near-duplicates on one half of SARS-COV-2 CT, try it on the other half.

The halves are the lower and the upper numbers of each class, so that hardly a scan is in both. The
radius is the smallest at which 99 % of the first half's images are found again after each mild
change. On the second half, every image is changed as copies are, mildly or not, and compared with
its original (recall) and with the images of the other class: a scan has one class, so a pair of
unlike classes shows two patients, and within the radius it is a false alarm.

(The largest radius without a false alarm in the first half was tried first: 47, with 30 false
alarms in 768,728 pairs of the second. Neighbouring scans are too alike for so small a share to be
fixed on half of the images.)
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageEnhance, ImageOps
from scipy.stats import binomtest

from mednext.config import DatasetRun, reader_module
from mednext.datasets import near
from mednext.datasets.chunks import default_jobs, in_chunks
from mednext.datasets.fetch import fetch
from mednext.datasets.groups import thumbnail
from mednext.datasets.reader import Picture
from mednext.datasets.source import open_files, resolve_source
from mednext.errors import UserError
from mednext.files import write_csv
from mednext.provenance import closure_hash

DATASET = "sars_cov2_ct"
RECALL = 0.99
CHUNK = 32
BICUBIC = Image.Resampling.BICUBIC
Change = Callable[[Image.Image], Image.Image]


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("L")


def _crop(image: Image.Image, share: float) -> Image.Image:
    """Without ``share`` of the width and of the height, half of it on each side."""
    x, y = image.width * share / 2, image.height * share / 2
    return image.resize(image.size, BICUBIC, box=(x, y, image.width - x, image.height - y))


# What leaves an image as it looks to a reader; the radius is fixed by these.
MILD = (
    ("flip", "left-right"),
    ("jpeg", "quality 50"),
    ("crop", "5 %"),
    ("rotation", "2 degrees"),
    ("brightness", "x 0.8"),
    ("brightness", "x 1.2"),
)
CHANGES: dict[tuple[str, str], Change] = {
    ("none", ""): lambda i: i,
    ("flip", "left-right"): ImageOps.mirror,
    ("jpeg", "quality 50"): lambda i: _jpeg(i, 50),
    ("jpeg", "quality 20"): lambda i: _jpeg(i, 20),
    ("crop", "5 %"): lambda i: _crop(i, 0.05),
    ("crop", "10 %"): lambda i: _crop(i, 0.10),
    ("crop", "20 %"): lambda i: _crop(i, 0.20),
    ("rotation", "2 degrees"): lambda i: i.rotate(2, BICUBIC),
    ("rotation", "5 degrees"): lambda i: i.rotate(5, BICUBIC),
    ("rotation", "10 degrees"): lambda i: i.rotate(10, BICUBIC),
    ("brightness", "x 0.8"): lambda i: ImageEnhance.Brightness(i).enhance(0.8),
    ("brightness", "x 1.2"): lambda i: ImageEnhance.Brightness(i).enhance(1.2),
}


def calibrate(run: DatasetRun, out: Path) -> pd.DataFrame:
    """Write the radius and what is found with it, one row per change; no image leaves the data.

    Raises:
        UserError: the set is not complete.
    """
    fetch(DATASET, run)
    source = resolve_source(DATASET, run)
    files = open_files(source)
    items = source.reader.items(files, source.spec)
    expected = sum(c.expected or 0 for c in source.spec.classes)
    if len(items) != expected:
        raise UserError(
            "the radius is fixed on the complete data set",
            file=source.root,
            found=f"{len(items)} images",
            expected=expected,
            remedy=f"get it from {source.spec.url}",
        )

    labels = np.asarray([i.label for i in items])
    order = np.asarray([i.order for i in items])
    second = np.zeros(len(items), dtype=bool)
    for label in set(labels):
        second[labels == label] = order[labels == label] > np.median(order[labels == label])

    def hashed(half: np.ndarray, changes: Sequence[Change], name: str) -> np.ndarray:
        """(changes, images, variants, 32) of one half; after a kill it continues."""

        def make(places: Sequence[int], file: Path) -> None:
            codes = []
            for place in places:
                picture = source.reader.read(items[place], files, source.spec)
                assert isinstance(picture, Picture)  # no volume
                image = picture.image.convert("L")
                codes.append([near.codes(thumbnail(change(image))) for change in changes])
            with file.open("wb") as stream:
                np.save(stream, np.asarray(codes))

        places = np.flatnonzero(half).tolist()
        chunks = in_chunks(places, CHUNK, make, work / name, ".npy", default_jobs())
        return np.concatenate([np.load(chunk) for chunk in chunks]).swapaxes(0, 1)

    work = source.paths.root / f".calibrate-{closure_hash(__name__, reader_module(DATASET))}"
    first = hashed(~second, [CHANGES["none", ""], *(CHANGES[c] for c in MILD)], "first")
    radius = fix_radius([distances_of_pairs(first[0], changed) for changed in first[1:]])
    late = hashed(second, [*CHANGES.values()], "second")
    rows = []
    for number, (name, strength) in enumerate(CHANGES):
        own = distances_of_pairs(late[number], late[0])
        other = cross_distances(late[number], late[0], labels[second])
        rows.append(
            {
                "radius": radius,
                "change": name,
                "strength": strength,
                "fixed_by": int((name, strength) in MILD),
            }
            | _share("recall", own <= radius)
            | _share("false_alarm", other <= radius)
        )
    table = pd.DataFrame(rows)
    table["fixed_on"] = first.shape[1]
    table["source_id"] = source.id
    write_csv(out, table)
    shutil.rmtree(work)
    return table


def distances_of_pairs(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(N,) bits between rows of (N, variants, 32) codes: of one itself and any variant of the
    other, whichever is least, as the search looks them up.
    """
    ways = []
    for one, other in ((left, right), (right, left)):
        ways.append(np.bitwise_count(one ^ other[:, :1]).sum(axis=2, dtype=np.int64))
    return np.asarray(np.concatenate(ways, axis=1).min(axis=1))


def cross_distances(left: np.ndarray, right: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The same of every pair of unlike classes: rows of ``left`` with rows of ``right``; if both
    are the same array, each pair once.
    """
    names = sorted(set(labels))
    found = []
    for one, other in ((a, b) for a in names for b in names if a != b):
        if left is right and one > other:
            continue
        rows, columns = left[labels == one], right[labels == other]
        for row in rows:
            found.append(distances_of_pairs(np.broadcast_to(row, columns.shape), columns))
    return np.concatenate(found)


def fix_radius(apart: Sequence[np.ndarray]) -> int:
    """The smallest radius within which are ``RECALL`` of the distances of each change."""
    return max(int(np.quantile(one, RECALL, method="inverted_cdf")) for one in apart)


def _share(name: str, hits: np.ndarray) -> dict[str, float]:
    """Share of hits with Wilson's 95 % interval, to three significant digits, and its counts."""
    found, number = int(hits.sum()), len(hits)
    bounds = binomtest(found, number).proportion_ci(method="wilson")
    values = {"": found / number, "_low": bounds.low, "_high": bounds.high}
    rounded = {f"{name}{end}": float(f"{value:.3g}") for end, value in values.items()}
    return rounded | {f"{name}_count": found, f"{name}_of": number}
