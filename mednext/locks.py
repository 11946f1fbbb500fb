"""Locks that last as long as the process: the kernel frees them at its end, however it ends."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from mednext.files import exclusive

_HELD: dict[Path, ExitStack] = {}


def hold(folder: Path, work: str) -> None:
    """Lock ``folder`` for the rest of this process; once is enough.

    Raises:
        UserError: another process holds it; ``work`` says what it is working on.
    """
    if folder not in _HELD:
        stack = ExitStack()
        stack.enter_context(exclusive(folder, work))
        _HELD[folder] = stack
