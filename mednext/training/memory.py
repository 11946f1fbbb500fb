"""Is this error a want of memory? No torch: the command line asks, too."""

from __future__ import annotations

import sys

WORDS = (
    "out of memory",
    "can't allocate memory",  # torch's allocator of main memory, which has no class for it
    "ALLOC_FAILED",  # CUDNN_STATUS_ALLOC_FAILED, CUBLAS_STATUS_ALLOC_FAILED
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
)


def is_memory_error(error: BaseException) -> bool:
    """Of the GPU or of the machine; libraries below torch report theirs in words alone."""
    kind = getattr(sys.modules.get("torch"), "OutOfMemoryError", None)
    if isinstance(error, MemoryError) or (kind is not None and isinstance(error, kind)):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in WORDS)
