"""Stored weights of networks."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from mednext.errors import UserError


def load_weights(model: nn.Module, file: Path) -> None:
    """Load the weights of a ``weights.*.safetensors`` file.

    Raises:
        UserError: no such file, not a safetensors file, or the weights of another network.

    >>> from safetensors.torch import save_file
    >>> trained, fresh = nn.Linear(3, 2), nn.Linear(3, 2)
    >>> save_file(trained.state_dict(), "weights.last.safetensors")
    >>> load_weights(fresh, Path("weights.last.safetensors"))
    >>> bool((fresh.weight == trained.weight).all())
    True
    """
    try:
        model.load_state_dict(load_file(file))
    except (OSError, SafetensorError) as error:
        raise UserError("the weights cannot be read", file=file, found=str(error)) from error
    except RuntimeError as error:
        raise UserError(
            "the weights are those of another network",
            file=file,
            found=" ".join(str(error).split())[:300],
            remedy="give the method, classes, channels and image size that they were trained with",
        ) from error
