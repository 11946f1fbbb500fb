"""SIGTERM, as a cluster sends it before SIGKILL: leave at once, but leave nothing half-written."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

MESSAGE = b"stopped by SIGTERM: the same command continues after the last finished step\n"


@contextmanager
def orderly_stop() -> Iterator[None]:
    """SIGTERM unwinds the block like an exception, so that temporary files go; exit code 143.

    Nothing is waited for: a cluster gives seconds. What was finished is on disk already. Code that
    is unwound may fail on its way (a zip archive refuses to close in the middle of a member); the
    exit code is that of the signal all the same.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    came = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        os.write(2, MESSAGE)  # print could be in the middle of printing
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except Exception as error:
        if came:
            raise SystemExit(128 + signal.SIGTERM) from error
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
