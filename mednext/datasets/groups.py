"""What must stay in one subset: patients, scans, near-duplicate images.

Images are near-duplicates if their thumbnails correlate highly; groups are the connected
components of all links together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

SIDE = 32
BLOCK = 2048
Links = tuple[np.ndarray, np.ndarray]


def thumbnail(image: Image.Image) -> np.ndarray:
    """Area means of a grey image, (32, 32) uint8."""
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.uint8)


def normalised(thumbnails: np.ndarray) -> np.ndarray:
    """(N, 32, 32) -> (N, 1024) float32 of mean 0 and norm 1: products are then correlations."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(norms, 1e-6), dtype=np.float32)


def similar(thumbnails: np.ndarray, threshold: float) -> Links:
    """Pairs of images correlated above ``threshold``; in blocks, as N x N would not fit."""
    small = normalised(thumbnails)
    found = list(_blocks(small, threshold))
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])


def _blocks(small: np.ndarray, threshold: float) -> Iterator[Links]:
    for top in range(0, len(small), BLOCK):
        for start in range(top, len(small), BLOCK):
            product = small[top : top + BLOCK] @ small[start : start + BLOCK].T
            left, right = np.nonzero(product > threshold)
            left, right = left + top, right + start
            yield left[left < right], right[left < right]


def neighbours(
    thumbnails: np.ndarray, labels: Sequence[str], order: Sequence[int], threshold: float
) -> Links:
    """Pairs with successive numbers in one class that correlate above ``threshold``: one scan."""
    place = {(k, n): row for row, (k, n) in enumerate(zip(labels, order, strict=True)) if n >= 0}
    pairs = [(row, place[k, n + 1]) for (k, n), row in place.items() if (k, n + 1) in place]
    if not pairs:
        return np.empty(0, int), np.empty(0, int)
    left, right = np.asarray(pairs).T
    small = normalised(thumbnails)
    near = np.einsum("ij,ij->i", small[left], small[right]) > threshold
    return left[near], right[near]


def same(names: Sequence[str]) -> Links:
    """Each item with the first one of the same name; an empty name is no name."""
    first: dict[str, int] = {}
    pairs = [(first.setdefault(n, row), row) for row, n in enumerate(names) if n]
    left, right = np.asarray(pairs, dtype=int).reshape(-1, 2).T
    return left, right


def components(count: int, links: Sequence[Links]) -> np.ndarray:
    """Number of the group of each of ``count`` items."""
    left = np.concatenate([np.empty(0, int), *(a for a, _ in links)])
    right = np.concatenate([np.empty(0, int), *(b for _, b in links)])
    graph = coo_matrix((np.ones(len(left)), (left, right)), shape=(count, count))
    _, number = connected_components(graph, directed=False)
    return np.asarray(number)


def group_names(numbers: np.ndarray, patients: Sequence[str]) -> list[str]:
    """A name for each item's group: its patients, or ``near<number>`` where none is known.

    Patients joined by near-duplicates share one group: ``M01+M07``.
    """
    known: dict[int, set[str]] = {}
    for number, patient in zip(numbers.tolist(), patients, strict=True):
        known.setdefault(number, set()).update({patient} - {""})
    names = {n: "+".join(sorted(p)) if p else f"near{n}" for n, p in known.items()}
    return [names[n] for n in numbers.tolist()]
