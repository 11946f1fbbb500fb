"""Random streams of training, derived from named axes."""

from __future__ import annotations

import hashlib

import torch

from mednext.config import RunConfig


def seed_of(*axes: object) -> int:
    """A 63-bit seed that depends on the named axes alone."""
    digest = hashlib.sha256("\0".join(str(axis) for axis in axes).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def stream(run: RunConfig, purpose: str, epoch: int = 0) -> torch.Generator:
    """The CPU generator of one purpose in one epoch; the same for every method of a data set."""
    generator = torch.Generator()
    generator.manual_seed(seed_of(run.seed, run.dataset, epoch, purpose))
    return generator
