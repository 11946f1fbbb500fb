"""Random streams of training, derived from named axes."""

from __future__ import annotations

import torch

from mednext import files
from mednext.config import RunConfig


def seed_of(*axes: object) -> int:
    """A 63-bit seed that depends on the named axes alone. (One bit less than elsewhere: the first
    runs were trained with these.)
    """
    return files.seed_of(*axes) >> 1


def stream(run: RunConfig, purpose: str, epoch: int = 0) -> torch.Generator:
    """The CPU generator of one purpose in one epoch; the same for every method of a data set."""
    generator = torch.Generator()
    generator.manual_seed(seed_of(run.seed, run.dataset, epoch, purpose))
    return generator
