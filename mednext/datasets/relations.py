"""Which items of a data set are related, and how many of these pairs a split parts.

Items that are equal in some respect share a node; near-duplicates are edges between nodes. Pairs
are counted from the sizes of the nodes, so a thousand equal images cost no more than two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mednext.datasets.hamming import Links
from mednext.datasets.subsets import SUBSETS

NO_LINKS: Links = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


@dataclass(frozen=True)
class Relation:
    """Items of one node are related, and so are those of two nodes with an edge between them."""

    node: np.ndarray
    """(N,) node of each item."""
    edges: Links = NO_LINKS
    """Pairs of different nodes, each once."""


@dataclass(frozen=True)
class Counts:
    """Pairs of related items, and the test items that overlap with train."""

    pairs: int
    within_class: int
    across_classes: int
    train_val: int
    train_test: int
    val_test: int
    clusters: int
    """Connected sets of at least two items."""
    largest_cluster: int
    overlap: np.ndarray
    """(N,) boolean: a test item related to one in train."""


def equal(names: Sequence[str]) -> Relation:
    """Items of one name are related; an empty name is no name."""
    places: dict[str, int] = {}
    unnamed = len(names)
    node = [places.setdefault(n, i) if n else unnamed + i for i, n in enumerate(names)]
    return Relation(np.unique(np.asarray(node, dtype=np.int64), return_inverse=True)[1])


def chosen(relation: Relation, used: np.ndarray) -> Relation:
    """The relation among the items that ``used`` (N, boolean) selects."""
    kept, node = np.unique(relation.node[used], return_inverse=True)
    place = np.full(int(relation.node.max(initial=-1)) + 1, -1)
    place[kept] = np.arange(len(kept))
    left, right = (place[end] for end in relation.edges)
    both = (left >= 0) & (right >= 0)
    return Relation(node, (left[both], right[both]))


def count(relation: Relation, labels: np.ndarray, subsets: np.ndarray) -> Counts:
    """Count the related pairs.

    Args:
        relation: among N items.
        labels: (N,) class codes from 0.
        subsets: (N,) places in ``SUBSETS``.
    """
    nodes = int(relation.node.max(initial=-1)) + 1
    by_class = _sizes(relation.node, labels, nodes, int(labels.max(initial=0)) + 1)
    by_subset = _sizes(relation.node, subsets, nodes, len(SUBSETS))
    total = by_subset.sum(axis=1)
    left, right = relation.edges
    pairs = int((total * (total - 1) // 2).sum() + (total[left] * total[right]).sum())
    within = int((by_class * (by_class - 1) // 2).sum() + (by_class[left] * by_class[right]).sum())

    def across(one: int, other: int) -> int:
        inside = (by_subset[:, one] * by_subset[:, other]).sum()
        between = by_subset[left, one] * by_subset[right, other]
        between = between + by_subset[left, other] * by_subset[right, one]
        return int(inside + between.sum())

    in_train = by_subset[:, 0] > 0
    reached = in_train.copy()
    np.logical_or.at(reached, left, in_train[right])
    np.logical_or.at(reached, right, in_train[left])
    graph = coo_matrix((np.ones(len(left)), (left, right)), shape=(nodes, nodes))
    _, cluster = connected_components(graph, directed=False)
    sizes = np.bincount(cluster, weights=total).astype(int)
    return Counts(
        pairs=pairs,
        within_class=within,
        across_classes=pairs - within,
        train_val=across(0, 1),
        train_test=across(0, 2),
        val_test=across(1, 2),
        clusters=int((sizes > 1).sum()),
        largest_cluster=int(sizes.max(initial=0)),
        overlap=(subsets == SUBSETS.index("test")) & reached[relation.node],
    )


def _sizes(node: np.ndarray, kind: np.ndarray, nodes: int, kinds: int) -> np.ndarray:
    """(nodes, kinds): items of each kind at each node."""
    return np.bincount(node * kinds + kind, minlength=nodes * kinds).reshape(nodes, kinds)
