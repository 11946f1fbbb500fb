"""Checkpoints at the ends of epochs: atomic, and used only by the run that wrote them."""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path
from typing import Any

import torch

from mednext.files import write_bytes

DIGEST_BYTES = 32


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` over ``path``; a kill at any moment leaves the old or the new file.

    The SHA-256 of the file follows its content (torch checks no digest of its own; it finds its
    archive in front of further bytes).

    Raises:
        OSError: the disk is full. (torch's own writer would hide it in a RuntimeError.)
    """
    content = io.BytesIO()
    torch.save(state, content)
    whole = content.getvalue()
    write_bytes(path, whole + hashlib.sha256(whole).digest())


def restore(path: Path, identity: dict[str, str]) -> dict[str, Any] | None:
    """The state at ``path`` if it is whole and of this run; else None, saying why on stderr."""
    if not path.is_file():
        return None
    try:
        content = path.read_bytes()
        whole, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
        if hashlib.sha256(whole).digest() != digest:
            raise ValueError("its SHA-256 is not that of its content")
        state: dict[str, Any] = torch.load(io.BytesIO(whole), map_location="cpu", weights_only=True)
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
