"""What a failure means to the user: one message and an exit code instead of a traceback.

Failures of the machine (disk, memory, GPU, a signal) may pass, so their exit codes tell Snakemake
to try again. What nobody foresaw is a fault of the suite; its traceback goes into a log.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from mednext.errors import UserError
from mednext.training.memory import is_memory_error

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
UNUSABLE = (
    "no kernel image is available",
    "driver version is insufficient",
    "driver on your system is too old",
)
"""CUDA's and torch's words for a GPU or driver that these wheels were not built for."""
BAD_INPUT, NOT_WRITTEN, NO_MEMORY, NO_GPU, INTERRUPTED = 2, 3, 4, 5, 130
FAULT = 70


def explained(error: BaseException) -> tuple[str, int] | None:
    """Message and exit code of a failure, or None if it is a mistake of the program."""
    if isinstance(error, UserError):
        return str(error), BAD_INPUT
    if (place := _in_custom_network(error)) is not None:
        return _told(
            BAD_INPUT,
            "a custom network failed",
            file=place,
            found=_kind_and_words(error),
            expected="a function f(num_classes=, in_chans=, img_size=) that gives a network",
            remedy=f"correct it; the traceback is in {_log(error)}",
        )
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; finished epochs are kept, the same command continues", INTERRUPTED
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        remedy = "make room on this disk and repeat the command; nothing finished is lost"
        return _of_file(NOT_WRITTEN, error, "a file could not be written", remedy)
    if isinstance(error, OSError) and error.errno in READ_ONLY:
        if _unreadable(error):
            remedy = "give yourself the permission to read it, and its folder"
            return _of_file(BAD_INPUT, error, "a file could not be read", remedy)
        remedy = "make the folder writable, or work in another one; nothing finished is lost"
        return _of_file(NOT_WRITTEN, error, "a file could not be written", remedy)
    if any(words in str(error) for words in UNUSABLE):
        return _told(
            BAD_INPUT,
            "this GPU or its driver is not one that the installed torch was built for",
            found=_words(error),
            expected="what 'mednext doctor' says of this machine's GPU",
            remedy="use a newer GPU or driver, install a torch built for this one, or write "
            "'device: cpu' in the profile; to try again does not help",
        )
    if is_memory_error(error):
        return _told(
            NO_MEMORY,
            "out of memory",
            found=_words(error) or type(error).__name__,
            remedy="set a smaller micro_batch for the data set, or give the job more memory; "
            "finished epochs are kept, the same command continues",
        )
    if _is_torch(error, "AcceleratorError") or "CUDA error" in str(error):
        return _told(
            NO_GPU,
            "the GPU failed or is gone",
            found=_words(error),
            expected="a GPU that stays to the end",
            remedy="look at nvidia-smi; finished epochs are kept, the same command continues on "
            "another GPU",
        )
    return None


def _told(code: int, what: str, **parts: Any) -> tuple[str, int]:
    return str(UserError(what, **parts)), code


def _of_file(code: int, error: OSError, what: str, remedy: str) -> tuple[str, int]:
    return _told(code, what, file=error.filename, found=error.strerror, remedy=remedy)


def _words(error: BaseException) -> str:
    """What it says, on one line."""
    return " ".join(str(error).split())[:200]


def _kind_and_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def fault(error: BaseException) -> tuple[str, int]:
    """Message and exit code of what nobody foresaw; writes the log that the message names."""
    networks = ", ".join(_custom_networks())
    return _told(
        FAULT,
        f"a fault of the suite, {f'or of {networks}' if networks else 'not of your input'}",
        file=_file_at_hand(error),
        found=_kind_and_words(error),
        remedy=f"{'run mednext doctor, which tries your network, or ' if networks else ''}please "
        f"report it with the log {_log(error)}; finished epochs are kept",
    )


def _log(error: BaseException) -> str:
    """Write the traceback into a file; its name."""
    text = "".join(traceback.format_exception(error))
    handle, log = tempfile.mkstemp(prefix="mednext-fault-", suffix=".log")
    with os.fdopen(handle, "wb") as stream:
        stream.write(text.encode(errors="replace"))
    return log


def _custom_networks() -> dict[str, str]:
    """Custom method -> the module of its network, of the profile that this process has loaded."""
    module = sys.modules.get("mednext.config.benchmarks")
    methods = module.CUSTOM_METHODS if module is not None else {}
    return {name: spec.constructor.partition(":")[0] for name, spec in methods.items()}


def _in_custom_network(error: BaseException) -> str | None:
    """File and line of a custom network's module in which a mistake of its author lies."""
    custom = _custom_networks()
    if not custom or not isinstance(error, Exception) or is_memory_error(error):
        return None
    if isinstance(error, OSError) or any(word in str(error) for word in ("CUDA error", *UNUSABLE)):
        return None
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__") in custom.values():
            place = f"{frame.f_code.co_filename}, line {line}"
        elif frame.f_code.co_name == "create_model" and frame.f_locals.get("method") in custom:
            place = custom[frame.f_locals["method"]]  # it does not take the arguments
    return place


def _file_at_hand(error: BaseException) -> Path | None:
    """What the innermost function that worked on a file had at hand."""
    found = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for name in ("path", "folder", "file"):
            value = frame.f_locals.get(name)
            found = value if isinstance(value, Path) else found
    return found


def _unreadable(error: OSError) -> bool:
    """Is it there, and only reading not allowed?"""
    file = error.filename
    if file is None:
        return False
    needed = os.R_OK | (os.X_OK if Path(file).is_dir() else 0)
    return Path(file).exists() and not os.access(file, needed)


def _is_torch(error: BaseException, name: str) -> bool:
    """Without importing torch: a verb that has not used it cannot have its errors."""
    kind = getattr(sys.modules.get("torch"), name, None)
    return kind is not None and isinstance(error, kind)
