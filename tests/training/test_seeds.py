"""Random streams: each purpose, epoch and seed has its own, whatever the method."""

from __future__ import annotations

import hashlib
import struct
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mednext.training.seeds import seed_of, stream

from .conftest import tiny_run

NAMES = st.lists(st.text(), min_size=1)
# The first text of a fresh clone has Hypothesis list all of Unicode, which takes a second or two:
# here that is no part of the first example, whose time is checked.
NAMES.validate()


@given(NAMES, NAMES)
def test_other_axes_are_other_seeds(first: list[str], second: list[str]) -> None:
    plain = all("\0" not in axis for axis in first + second)  # names of data sets and purposes
    assert 0 <= seed_of(*first) < 2**63
    if plain:
        assert (seed_of(*first) == seed_of(*second)) == (first == second)


def test_the_border_between_axes_counts() -> None:
    assert seed_of("ab", "c") != seed_of("a", "bc") != seed_of("abc")


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"method": "vit"}, True),
        ({"protocol": "grouped"}, True),
        ({"threads": 7}, True),
        ({"seed": 1}, False),
        ({"dataset": "large_covid_ct"}, False),
    ],
)
def test_what_a_stream_depends_on(changes: dict[str, object], same: bool) -> None:
    run = tiny_run("classification")
    draws = [
        torch.rand(4, generator=stream(r, "order", epoch=2)).tolist()
        for r in (run, run.model_copy(update=changes))
    ]
    assert (draws[0] == draws[1]) == same


def test_purposes_and_epochs_are_apart() -> None:
    run = tiny_run("classification")
    found = [
        torch.rand(4, generator=stream(run, purpose, epoch)).tolist()
        for purpose in ("order", "augment")
        for epoch in (0, 1)
    ]
    assert all(a != b for a, b in pairwise(sorted(found)))


def test_seeds_are_those_of_the_first_runs() -> None:
    """SHA-256 of the axes with a zero byte between them, its first eight bytes without the lowest
    bit: committed weights and metrics rest on it."""
    digest = hashlib.sha256(b"0\0acdc\0weights").digest()
    assert seed_of(0, "acdc", "weights") == struct.unpack("<Q", digest[:8])[0] // 2
