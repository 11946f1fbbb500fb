"""Benchmark and reproducibility suite for the 2D MedNeXt and MedUNeXt of PLoS One 2026.

DOI 10.1371/journal.pone.0340108. Not the 3D MedNeXt of DKFZ (Roy et al., MICCAI 2023), which
``monai.networks.nets.MedNeXt`` implements; the two share nothing but the name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

__all__ = ["__version__", "create_model", "optimize_for_inference"]
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
