"""The subsets of a split (train, val, test): their names, and how the files that list them are read
and identified.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mednext.errors import UserError
from mednext.files import read_csv

if TYPE_CHECKING:
    import pandas as pd

SUBSETS = ("train", "val", "test")
OUTSIDE = "outside"
"""The ``subset`` of an item that a protocol does not use."""


def read_split(file: Path) -> pd.DataFrame:
    """A split, or a published list below ``benchmarks/splits/``.

    The column ``subset`` was called ``side`` in version 0.1 and is read under that name until 0.3.

    Raises:
        UserError: there is no such file.
    """
    if not file.is_file():
        raise UserError("a split is missing", file=file, remedy="run 'mednext datasets split'")
    table = read_csv(file, {"row": "int64"})
    if "side" in table:
        print(f"note: the column 'side' of {file} is now 'subset'", file=sys.stderr)
    return table.rename(columns={"side": "subset"})


def split_hash(file: Path) -> str:
    """First 16 hex digits of the SHA-256 of a split.

    Its column ``subset`` is digested as ``side``: the digest says who trains and who tests, stands
    in the records of all runs before 0.2, and must not depend on what the column is called.
    """
    header, *rest = file.read_bytes().split(b"\n", 1)
    names = [b"side" if name == b"subset" else name for name in header.split(b",")]
    return hashlib.sha256(b"\n".join([b",".join(names), *rest])).hexdigest()[:16]
