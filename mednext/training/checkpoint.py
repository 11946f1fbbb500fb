"""Checkpoints at the ends of epochs: atomic, and used only by the run that wrote them."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mednext.errors import UserError
from mednext.files import atomic_path


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` over ``path``; a kill at any moment leaves the old or the new file."""
    with atomic_path(path) as part:
        torch.save(state, part)


def restore(path: Path, identity: dict[str, str]) -> dict[str, Any] | None:
    """The state at ``path`` if it is whole and of this run; else None, saying why on stderr."""
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        print(f"starting anew: {path} cannot be read ({error})", file=sys.stderr)
        return None
    if state["identity"] != identity:
        changed = [k for k, v in identity.items() if state["identity"].get(k) != v]
        print(f"starting anew: {path} is of another {', '.join(changed)}", file=sys.stderr)
        return None
    return state


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a lock on ``folder`` that the kernel frees when the process ends, however it ends.

    Raises:
        UserError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "another process is working on this run",
                file=folder,
                remedy="wait for it to end, or stop it",
            ) from None
        yield
