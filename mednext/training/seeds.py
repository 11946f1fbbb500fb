"""Random streams of training, derived from named axes, and the settings that make sums repeat."""

from __future__ import annotations

import hashlib
import os

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


def prepare_torch(run: RunConfig) -> None:
    """Set threads, determinism and the global seed that initial weights are drawn from."""
    torch.set_num_threads(run.threads)
    if run.deterministic:
        # Without it CUDA's matrix products refuse to run deterministically.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(run.deterministic)
    torch.backends.cudnn.benchmark = not run.deterministic
    # Subnormal numbers make a CPU many times slower and carry nothing here.
    torch.set_flush_denormal(True)
    torch.manual_seed(seed_of(run.seed, run.dataset, "weights"))


def pick_device(run: RunConfig) -> torch.device:
    """``auto`` is the GPU where there is one."""
    if run.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(run.device)
