"""Pairs are counted as if every one were looked at."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mednext.datasets.relations import Relation, chosen, count, equal

TRAIN, VAL, TEST = 0, 1, 2


def test_by_hand() -> None:
    #            0    1    2    3    4   5   6
    relation = equal(["a", "a", "b", "a", "", "", "b"])
    labels = np.asarray([0, 0, 0, 1, 1, 0, 1])
    subsets = np.asarray([TRAIN, TEST, VAL, TEST, TEST, TRAIN, TEST])
    found = count(relation, labels, subsets)
    # a: 0-1, 0-3, 1-3; b: 2-6; unnamed items are related to nothing
    assert found.pairs == 4
    assert (found.within_class, found.across_classes) == (1, 3)
    assert (found.train_val, found.train_test, found.val_test) == (0, 2, 1)
    assert (found.clusters, found.largest_cluster) == (2, 3)
    assert found.overlap.tolist() == [False, True, False, True, False, False, False]


@given(st.integers(0, 2**32), st.integers(1, 14), st.integers(1, 10), st.integers(0, 8))
def test_as_if_every_pair_were_looked_at(seed: int, items: int, nodes: int, edges: int) -> None:
    random = np.random.default_rng(seed)
    node = random.integers(0, nodes, items)
    labels, subsets = random.integers(0, 2, items), random.integers(0, 3, items)
    drawn = {tuple(sorted(random.choice(node, 2))) for _ in range(edges)}
    links = sorted((a, b) for a, b in drawn if a != b)
    left, right = np.asarray(links, dtype=int).reshape(-1, 2).T
    used = random.random(items) < 0.8
    related = [
        (i, j)
        for i, j in combinations(np.flatnonzero(used), 2)
        if node[i] == node[j] or tuple(sorted((node[i], node[j]))) in links
    ]
    found = count(chosen(Relation(node, (left, right)), used), labels[used], subsets[used])
    assert found.pairs == len(related)
    assert found.within_class == sum(labels[i] == labels[j] for i, j in related)
    for name, ends in (
        ("train_val", {TRAIN, VAL}),
        ("train_test", {TRAIN, TEST}),
        ("val_test", {VAL, TEST}),
    ):
        assert getattr(found, name) == sum({subsets[i], subsets[j]} == ends for i, j in related)
    reached = {
        int(a)
        for pair in related
        for a, b in (pair, pair[::-1])
        if subsets[a] == TEST and subsets[b] == TRAIN
    }
    assert set(np.flatnonzero(used)[found.overlap]) == reached
