"""A part of the reference: the cells that were run again, when the whole matrix takes too long.

What was not asked for may be missing; what was asked for may not. Seeds are not chosen: the
reference's seeds say how far a number may move.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from mednext.errors import UserError


class InCell(Protocol):
    """A number of one data set, protocol and method."""

    dataset: str
    protocol: str
    method: str


N = TypeVar("N", bound=InCell)


def check_parts(parts: Sequence[str]) -> None:
    """Every part reads ``DATASET``, ``DATASET/PROTOCOL`` or ``DATASET/PROTOCOL/METHOD``.

    Raises:
        UserError: one has an empty or a fourth word.
    """
    for part in parts:
        words = part.split("/")
        if len(words) > 3 or not all(words):
            raise UserError(
                "a part of the results is named wrongly",
                found=f"--only {part}",
                expected="DATASET, DATASET/PROTOCOL or DATASET/PROTOCOL/METHOD",
                remedy="name the cell as below results/<profile>/runs, without the seed",
            )


def within(value: InCell, part: str) -> bool:
    """Whether a number belongs to a part."""
    words = part.split("/")
    return [value.dataset, value.protocol, value.method][: len(words)] == words


def chosen(values: Sequence[N], parts: Sequence[str]) -> list[N]:
    """The numbers of any of the parts; all of them if there are no parts."""
    return [v for v in values if not parts or any(within(v, part) for part in parts)]


def unmatched(values: Sequence[InCell], parts: Sequence[str]) -> list[str]:
    """Parts to which no number belongs."""
    return [part for part in parts if not any(within(v, part) for v in values)]


def check_whole(parts: Sequence[str]) -> None:
    """A reference is replaced as a whole.

    Raises:
        UserError: parts are named.
    """
    if parts:
        raise UserError(
            "a reference is replaced as a whole",
            found=" ".join(f"--only {part}" for part in parts),
            expected="--update-reference without --only",
            remedy="run the whole profile first",
        )
