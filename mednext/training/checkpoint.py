"""Checkpoints at the ends of epochs: atomic, and used only by the run that wrote them."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import torch

from mednext.files import write_bytes


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` over ``path``; a kill at any moment leaves the old or the new file.

    Raises:
        OSError: the disk is full. (torch's own writer would hide it in a RuntimeError.)
    """
    content = io.BytesIO()
    torch.save(state, content)
    write_bytes(path, content.getvalue())


def restore(path: Path, identity: dict[str, str]) -> dict[str, Any] | None:
    """The state at ``path`` if it is whole and of this run; else None, saying why on stderr."""
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        print(f"starting anew: {path} cannot be read ({error})", file=sys.stderr)
        return None
    found = state.get("identity") if isinstance(state, dict) else None
    if not isinstance(found, dict):
        print(f"starting anew: {path} is not a checkpoint of a run", file=sys.stderr)
        return None
    if found != identity:
        changed = sorted(k for k in {*identity, *found} if found.get(k) != identity.get(k))
        print(f"starting anew: {path} is of another {', '.join(changed)}", file=sys.stderr)
        return None
    return state
