"""Rows of what the test sets of two protocols have in common."""

from __future__ import annotations

from mednext.results.base import Row


class SharedRow(Row):
    """One row of ``shared.csv``: one method and seed under ``paper`` and under another protocol."""

    dataset: str
    protocol: str
    """The other protocol."""
    method: str
    seed: int
    n_paper: int
    n_other: int
    shared: int
    """Test cases that both have."""
    shared_groups: int
    correlation: float
    """Of the two scores, from the groups that both test sets have."""
