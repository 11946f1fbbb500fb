"""Random streams of the data side, derived from named axes."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(*axes: object) -> np.random.Generator:
    """A generator that depends on the named axes alone, e.g. ``stream("split", dataset, 0)``."""
    digest = hashlib.sha256("\0".join(str(axis) for axis in axes).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))
