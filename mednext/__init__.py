"""Benchmark and reproducibility suite for the 2D MedNeXt and MedUNeXt of PLoS One 2026.

DOI 10.1371/journal.pone.0340108. Not the 3D MedNeXt of DKFZ (Roy et al., MICCAI 2023), which
``monai.networks.nets.MedNeXt`` implements; the two share nothing but the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from mednext.config import Task
    from mednext.training.loaded import LoadedRun

__all__ = ["__version__", "create_model", "list_models", "load_run", "optimize_for_inference"]
__version__ = "0.2.0"


def create_model(method: str, **kwargs: Any) -> nn.Module:
    """Build a registered method; see :func:`mednext.models.registry.create_model`.

    >>> import torch
    >>> model = create_model("mednext", num_classes=2, img_size=64).eval()
    >>> model(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 2])
    """
    from mednext.models.registry import create_model as create  # torch is loaded only on demand

    return create(method, **kwargs)


def list_models(task: Task | None = None, family: str | None = None) -> list[str]:
    """Names of the methods; see :func:`mednext.models.registry.list_models`.

    >>> list_models(task="segmentation", family="swin_unet")
    ['swin_unet']
    """
    from mednext.models.registry import list_models as listed

    return listed(task, family)


def load_run(folder: str | Path, selection: str = "last") -> LoadedRun:
    """A trained run, ready to predict; see :func:`mednext.training.loaded.load_run`.

    ``docs/networks.md`` has it at work.

    >>> from mednext.errors import UserError
    >>> try:
    ...     load_run("results/demo/runs/acdc/paper/unet/seed7")
    ... except UserError as error:
    ...     print(str(error).splitlines()[0])
    this run has not been made
    """
    from mednext.training.loaded import load_run as load

    return load(folder, selection)


def optimize_for_inference(model: nn.Module) -> nn.Module:
    """A folded copy; see :func:`mednext.models.inference.optimize_for_inference`.

    >>> import torch
    >>> model = create_model("mednext", num_classes=2, img_size=64).eval()
    >>> images = torch.zeros(1, 3, 64, 64)
    >>> torch.allclose(optimize_for_inference(model)(images), model(images), atol=1e-4)
    True
    """
    from mednext.models.inference import optimize_for_inference as fold

    return fold(model)
