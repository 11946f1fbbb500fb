"""Freed memory stays with the process, where the C library is glibc.

Every pass over a network frees maps of tens of megabytes and asks for as much again. By default
glibc hands such memory back to the kernel, which has to clear each page anew: in a training step of
MedNeXt a sixth of the CPU time (``benchmarks/speed/NOTES.md``). No value that is computed changes;
the process keeps the memory of its peak until it ends.
"""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of mallopt(3), from glibc's ``malloc.h``."""


def keep_freed_memory() -> bool:
    """Ask glibc to serve large blocks from its heap and never to shrink it; for the whole process.

    Returns:
        Whether the C library took both settings; False (and nothing is changed) without glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, -1))
