"""Perceptual near-duplicates: images whose hashes (imagehash's pHash, 256 bits) are close.

Both images are reduced to 32 x 32 first, so size and format do not matter. Besides the image itself
its mirror image, its middle and two rotations are looked up, since a copy is often one of these.
The radius was fixed on one half of the real SARS-COV-2 images and tried on the other; how much is
found with it stands in ``benchmarks/near_duplicates.csv`` (:mod:`mednext.datasets.calibrate`).
"""

from __future__ import annotations

from functools import cache

import imagehash
import numpy as np
from PIL import Image, ImageOps

from mednext.config import benchmarks_dir
from mednext.datasets.hamming import Links, within
from mednext.errors import UserError
from mednext.files import read_csv

FILE = "near_duplicates.csv"
HASH_SIDE = 16
BITS = HASH_SIDE**2
# 32 x 32 pixels make 16 x 16 bits.
OVERSAMPLING = 2
MIDDLE = 0.94
"""Share of each side that the variant ``middle`` keeps."""
TURN = 4.0
"""Degrees of the two rotated variants."""
VARIANTS = ("itself", "mirrored", "middle", "left turn", "right turn")


def variants(small: Image.Image) -> list[Image.Image]:
    """The grey thumbnail and what it would be as a changed copy, in the order of ``VARIANTS``."""
    side = small.width
    edge = side * (1 - MIDDLE) / 2
    box = (edge, edge, side - edge, side - edge)
    bicubic = Image.Resampling.BICUBIC
    turned = [small.rotate(angle, bicubic, fillcolor=_border(small)) for angle in (TURN, -TURN)]
    return [small, ImageOps.mirror(small), small.resize((side, side), bicubic, box=box), *turned]


def _border(small: Image.Image) -> int:
    """Median grey of the border: what a rotation uncovers."""
    pixels = np.asarray(small)
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return int(np.median(edges))


def codes(thumbnail: np.ndarray) -> np.ndarray:
    """(32, 32) uint8 grey -> (variants, 32) uint8: the 256 bits of each variant, packed."""
    hashes = [
        imagehash.phash(image, HASH_SIDE, OVERSAMPLING).hash
        for image in variants(Image.fromarray(thumbnail))
    ]
    return np.packbits(np.stack(hashes).reshape(len(hashes), BITS), axis=1)


def unpacked(packed: np.ndarray) -> np.ndarray:
    """(..., 32) uint8 -> (..., 256) boolean."""
    return np.unpackbits(packed, axis=-1).astype(bool)


def near_graph(packed: np.ndarray, radius: int) -> tuple[np.ndarray, Links]:
    """Which of (N, variants, 32) codes are close to a variant of one another.

    Returns:
        node (N,): equal codes are one node, so that many copies of one image cost nothing; and the
        pairs (left < right) of different nodes, each once.
    """
    flat = packed.reshape(len(packed), -1)
    _, first, node = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    bits = unpacked(packed[first])
    found = [within(bits[:, variant], bits[:, 0], radius) for variant in range(packed.shape[1])]
    pairs = np.sort(np.concatenate([np.stack(f) for f in found], axis=1), axis=0)
    pairs = np.unique(pairs[:, pairs[0] < pairs[1]], axis=1)
    return node.ravel(), (pairs[0], pairs[1])


def near_links(packed: np.ndarray, radius: int) -> Links:
    """Links between rows that join all near-duplicates into groups; equal rows form a chain."""
    node, (left, right) = near_graph(packed, radius)
    _, first = np.unique(node, return_index=True)
    rows = np.arange(len(node))
    return np.concatenate([rows, first[left]]), np.concatenate([first[node], first[right]])


@cache
def fixed_radius() -> int:
    """Bits that the hashes of near-duplicates may differ in, as calibrated.

    Raises:
        UserError: the file of the calibration is missing or malformed.
    """
    file = benchmarks_dir() / FILE
    try:
        (radius,) = set(read_csv(file, {"radius": "int64"}).radius)
        return int(radius)
    except (UserError, AttributeError, ValueError) as error:
        raise UserError(
            "the radius of near-duplicates cannot be read",
            file=file,
            found=error.found if isinstance(error, UserError) else str(error),
            expected="a column 'radius' with one value",
            remedy="restore the file, or make it again with 'mednext datasets calibrate'",
        ) from None
