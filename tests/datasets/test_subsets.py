"""The files that say which item is in which subset: their old form, and their digest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from mednext.datasets.subsets import read_split, split_hash

OLD = "row,item,group,label,side\n0,side,g,covid,train\n1,b,h,subset,test\n"
NEW = OLD.replace("label,side", "label,subset")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text(OLD)
    new.write_text(NEW)
    return old, new


def test_an_old_split_is_read_with_one_line_of_advice(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = files
    pd.testing.assert_frame_equal(read_split(old), read_split(new))
    assert read_split(new).subset.tolist() == ["train", "test"]
    (advice,) = capsys.readouterr().err.splitlines()
    assert str(old) in advice and "'subset'" in advice


def test_a_split_keeps_the_digest_that_stored_runs_have(files: tuple[Path, Path]) -> None:
    # Version 0.1 digested the file as it is, with the column "side".
    assert [split_hash(f) for f in files] == [hashlib.sha256(OLD.encode()).hexdigest()[:16]] * 2
    files[1].write_text(NEW.replace("test", "val"))
    assert split_hash(files[0]) != split_hash(files[1])
