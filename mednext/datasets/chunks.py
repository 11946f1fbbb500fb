"""Work on many files: in parallel, and continued after a kill where it stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from mednext.files import atomic_path

T = TypeVar("T")


def default_jobs() -> int:
    """The CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_chunks(
    items: Sequence[T],
    size: int,
    make: Callable[[Sequence[T], Path], None],
    folder: Path,
    suffix: str,
    jobs: int,
) -> list[Path]:
    """Call ``make(chunk, file)`` for every ``size`` items; a file that is there is not made again.

    Threads suffice: decoding, resampling and digests release Python's lock. Each file appears as a
    whole or not at all, and depends on its items alone, so neither ``jobs`` nor a kill can show in
    the result. The first error in the order of the items is the one that is raised.
    """

    def one(start: int) -> Path:
        file = folder / f"{start:06d}{suffix}"
        if not file.is_file():
            with atomic_path(file) as part:
                make(items[start : start + size], part)
        return file

    with ThreadPoolExecutor(max(jobs, 1)) as pool:
        try:
            return list(pool.map(one, range(0, len(items), size)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
