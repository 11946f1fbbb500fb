"""Pairs within a Hamming distance are those of the whole matrix, and found without it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mednext.datasets import hamming
from mednext.datasets.hamming import within


def matrix(queries: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return (queries[:, None] != codes[None]).sum(axis=2)


@given(
    st.integers(0, 2**32),
    st.integers(0, 60),
    st.integers(0, 60),
    st.sampled_from([8, 30, 64, 256]),
    st.floats(0, 0.5),
    st.integers(0, 70),
)
@settings(max_examples=60, deadline=None)
def test_all_pairs_and_no_other(
    seed: int, asked: int, stored: int, bits: int, noise: float, radius: int
) -> None:
    random = np.random.default_rng(seed)
    # a few families of codes that share most bits, as slices of scans do
    families = random.random((4, bits)) < random.random(bits)
    draw = [
        families[random.integers(0, 4, count)] ^ (random.random((count, bits)) < noise)
        for count in (asked, stored)
    ]
    left, right = within(*draw, radius)
    expected = np.argwhere(matrix(*draw) <= radius)
    assert np.array_equal(np.stack([left, right], axis=1), expected)


def test_small_batches_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    codes = random.random((3, 64))[random.integers(0, 3, 200)] < 0.5
    whole = within(codes, codes, 6)
    monkeypatch.setattr(hamming, "BATCH", 50)
    assert np.array_equal(within(codes, codes, 6), whole)
    assert len(whole[0]) > 10_000


def test_few_of_the_pairs_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    compared = []
    inner = hamming._candidates

    def counted(*arguments: object) -> object:
        for left, right in inner(*arguments):  # type: ignore[arg-type]
            compared.append(len(left))
            yield left, right

    monkeypatch.setattr(hamming, "_candidates", counted)
    codes = random.random((8000, 256)) < 0.5
    left, right = within(codes, codes, 30)
    assert np.array_equal(left, right) and len(left) == 8000  # each code with itself alone
    assert sum(compared) < 8000**2 / 20
