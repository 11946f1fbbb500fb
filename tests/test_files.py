from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mednext.errors import UserError
from mednext.files import atomic_path, exclusive, hash_json, sha256_file, write_text


def test_a_failing_writer_leaves_the_old_file_and_no_trace(tmp_path: Path) -> None:
    target = tmp_path / "table.csv"
    write_text(target, "old")
    with pytest.raises(RuntimeError), atomic_path(target) as part:
        part.write_text("half of the new")
        raise RuntimeError("disk full")
    assert target.read_text() == "old"
    assert [f.name for f in tmp_path.iterdir()] == ["table.csv"]


def test_the_sibling_keeps_the_suffix_that_writers_look_at(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "arrays.npz") as part:
        assert part.suffix == ".npz"
        assert part.parent == tmp_path
        part.write_bytes(b"x")


def test_sha256_of_known_bytes(tmp_path: Path) -> None:
    file = tmp_path / "abc"
    file.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256_file(file).startswith("ba7816bf8f01cfea414140de5dae2223")
    assert sha256_file(file) == hashlib.sha256(b"abc").hexdigest()


TEXT = st.text()
TEXT.validate()  # lists all of Unicode once, in no example's time


@given(st.dictionaries(TEXT, st.integers() | TEXT | st.none()))
def test_hash_ignores_the_order_of_keys(value: dict[str, object]) -> None:
    assert hash_json(value) == hash_json(dict(reversed(list(value.items()))))


def test_hash_sees_a_changed_value() -> None:
    assert hash_json({"a": 1}) != hash_json({"a": 2})


def test_the_lock_is_free_again_and_survives_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "work" / "seed0"
    for _ in range(2):
        with exclusive(folder, "it"):
            folder.mkdir()
            folder.rmdir()
            with pytest.raises(UserError, match="another process"), exclusive(folder, "it"):
                pass
