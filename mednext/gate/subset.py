"""A part of the reference: the cells that were run again, when the whole matrix takes too long.

What was not asked for may be missing; what was asked for may not. Seeds are not chosen: the
reference's seeds say how far a number may move.
"""

from __future__ import annotations

from collections.abc import Sequence

from mednext.errors import UserError
from mednext.results import MetricRow


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


def within(value: MetricRow, part: str) -> bool:
    """Whether a number belongs to a part."""
    words = part.split("/")
    return [value.dataset, value.protocol, value.method][: len(words)] == words


def chosen(values: Sequence[MetricRow], parts: Sequence[str]) -> list[MetricRow]:
    """The numbers of any of the parts; all of them if there are no parts."""
    return [v for v in values if not parts or any(within(v, part) for part in parts)]


def unmatched(values: Sequence[MetricRow], parts: Sequence[str]) -> list[str]:
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
