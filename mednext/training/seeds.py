"""Random streams of training, derived from named axes."""

from __future__ import annotations

import torch

from mednext.config import RunConfig
from mednext.files import seed_of


def stream(run: RunConfig, purpose: str, epoch: int = 0) -> torch.Generator:
    """The CPU generator of one purpose in one epoch; the same for every method of a data set."""
    generator = torch.Generator()
    generator.manual_seed(seed_of(run.seed, run.dataset, epoch, purpose) >> 1)  # of 63 bits
    return generator
