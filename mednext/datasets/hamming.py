"""All pairs of binary codes within a Hamming distance: exact, and without comparing every pair.

Multi-index hashing (Norouzi et al. 2012, 10.1109/CVPR.2012.6248043): codes are cut into m pieces;
with r = m s + a, two codes within distance r differ in at most s bits in one of the first a + 1
pieces, or in at most s - 1 in one of the others (pigeonhole: else they differ in more than r), so
only those that share a piece, or nearly so, are compared in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

Links = tuple[np.ndarray, np.ndarray]
PIECE_BITS = 16
BATCH = 1 << 21
"""Candidates compared at a time: 2 million of 32 bytes."""


def within(queries: np.ndarray, codes: np.ndarray, radius: int) -> Links:
    """Pairs (query, code) at Hamming distance ``radius`` or less, each once, sorted.

    Args:
        queries: (Q, bits) boolean.
        codes: (N, bits) boolean.
        radius: in bits.
    """
    count = max(len(codes), 1)
    packed_queries, packed = _words(queries), _words(codes)
    pieces = _pieces(codes, radius)
    found = [np.empty(0, dtype=np.int64)]
    spare, more = divmod(radius, len(pieces))
    for i, columns in enumerate(pieces):
        allowed = spare if i <= more else spare - 1
        for left, right in _candidates(queries[:, columns], codes[:, columns], allowed):
            apart = np.bitwise_count(packed_queries[left] ^ packed[right]).sum(axis=1)
            near = apart <= radius
            found.append(left[near] * count + right[near])
    pairs = np.unique(np.concatenate(found))
    return pairs // count, pairs % count


def _words(bits: np.ndarray) -> np.ndarray:
    """(N, bits) boolean -> (N, ceil(bits / 64)) uint64."""
    packed = np.packbits(bits, axis=1)
    packed = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
    return np.ascontiguousarray(packed).view(np.uint64)


def _pieces(codes: np.ndarray, radius: int) -> list[np.ndarray]:
    """Columns of each piece. About log2(N) bits each, so that a piece has few equals by chance.

    Bits that vary most are dealt out in turn: a piece that is the same in most codes selects
    nothing.
    """
    bits = codes.shape[1]
    wide = int(np.clip(np.ceil(np.log2(max(len(codes), 2))), 4, PIECE_BITS))
    number = max(bits // wide, 1)
    number = min(number, radius + 1)  # more pieces than that cannot all differ
    mean = codes.mean(axis=0) if len(codes) else np.zeros(bits)
    order = np.argsort(np.abs(mean - 0.5), kind="stable")
    return [order[start::number][:wide] for start in range(number)]


def _candidates(queries: np.ndarray, codes: np.ndarray, spare: int) -> Iterator[Links]:
    """Pairs whose piece differs in at most ``spare`` bits, in batches."""
    width = codes.shape[1]
    weights = 1 << np.arange(width, dtype=np.int64)
    asked, keys = queries @ weights, codes @ weights
    order = np.argsort(keys, kind="stable")
    first = np.searchsorted(keys[order], np.arange((1 << width) + 1))
    for flipped in _masks(width, spare):
        wanted = asked ^ flipped
        starts, sizes = first[wanted], first[wanted + 1] - first[wanted]
        ends = np.cumsum(sizes)
        begin = 0
        while begin < len(sizes):
            # At least one query at a time, however many codes share its piece.
            done = ends[begin - 1] if begin else 0
            stop = max(int(np.searchsorted(ends, done + BATCH, side="right")), begin + 1)
            size = sizes[begin:stop]
            total = int(size.sum())
            if total:
                left = np.repeat(np.arange(begin, stop), size)
                offset = np.arange(total) - np.repeat(np.cumsum(size) - size, size)
                yield left, order[np.repeat(starts[begin:stop], size) + offset]
            begin = stop


def _masks(width: int, spare: int) -> list[int]:
    """Every set of at most ``spare`` of ``width`` bits."""
    sizes = range(min(spare, width) + 1)
    return [
        sum(1 << b for b in flips) for size in sizes for flips in combinations(range(width), size)
    ]
