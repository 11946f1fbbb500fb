"""Near-duplicate images: connected components of highly correlated thumbnails."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

SIDE = 32


def thumbnail(image: Image.Image) -> np.ndarray:
    """Area means of a grey image, (32, 32) uint8."""
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.uint8)


def normalised(thumbnails: np.ndarray) -> np.ndarray:
    """(N, 32, 32) -> (N, 1024) float32 of mean 0 and norm 1: products are then correlations."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(norms, 1e-6), dtype=np.float32)


def near_duplicates(thumbnails: np.ndarray, threshold: float) -> np.ndarray:
    """Group number of every image, (N,) int: images correlated above ``threshold`` share one."""
    small = normalised(thumbnails)
    left, right = np.nonzero(np.triu(small @ small.T > threshold, k=1))
    links = coo_matrix((np.ones(len(left)), (left, right)), shape=(len(small), len(small)))
    _, number = connected_components(links, directed=False)
    return np.asarray(number)
