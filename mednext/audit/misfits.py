"""What is wrong with a row that no confusion matrix gives: the nearest ones, and which cell is off.

Searches the whole grid of true and false positives under the mixed convention, the most generous.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mednext.audit.confusion import METRICS, Matrix, PrintedRow, Sizes, matrix, ratios
from mednext.audit.printed import Convention, Whole, agrees


@dataclass(frozen=True)
class Repair:
    """One cell whose change alone makes the row consistent.

    ``low`` to ``high`` (units, inclusive) are the printed values that it could have instead;
    not every one between them need be possible.
    """

    metric: str
    low: int
    high: int
    matrices: int
    """How many matrices give the other three cells."""


@dataclass(frozen=True)
class Misfit:
    """How a row without a matrix fails."""

    agreeing: tuple[tuple[str, ...], ...]
    """The largest sets of metrics that one matrix gives together."""
    repairs: tuple[Repair, ...]
    deviation: int
    """Least sum over the four cells of the distance to what a matrix gives, in printed units."""
    nearest: Matrix
    """A matrix with that sum (the one with the fewest true, then false positives)."""


class Grid:
    """Every matrix of two classes of these sizes.

    Args:
        sizes: of the two classes.
        whole: units of the value 1.
    """

    def __init__(self, sizes: Sizes, whole: int) -> None:
        self.sizes = sizes
        tp = np.arange(sizes.positive + 1, dtype=np.int64)[:, None]
        fp = np.arange(sizes.negative + 1, dtype=np.int64)[None, :]
        of = ratios(sizes, tp, fp)
        self.ratios: dict[str, tuple[Whole, Whole | int]] = {
            m: (whole * num, den) for m, (num, den) in of.items()
        }

    def misfit(self, printed: PrintedRow) -> Misfit:
        """Analyse one row that no matrix gives."""
        shape = (self.sizes.positive + 1, self.sizes.negative + 1)
        fits = {
            metric: np.broadcast_to(agrees(num, den, printed[metric], Convention.MIXED), shape)
            for metric, (num, den) in self.ratios.items()
        }
        repairs = []
        agreeing: list[tuple[str, ...]] = []
        for size in range(len(METRICS) - 1, 0, -1):
            for metrics in combinations(METRICS, size):
                together = np.logical_and.reduce([fits[m] for m in metrics])
                if together.any():
                    agreeing.append(metrics)
                    if size == len(METRICS) - 1:
                        (off,) = set(METRICS) - set(metrics)
                        repairs.append(self._repair(off, together))
            if agreeing:
                break
        total = np.zeros(shape, dtype=np.int64)
        for metric, (num, den) in self.ratios.items():
            total += _distance(num, den, printed[metric])
        tp, fp = np.unravel_index(int(total.argmin()), shape)
        return Misfit(
            tuple(agreeing),
            tuple(repairs),
            int(total.min()),
            matrix(self.sizes, int(tp), int(fp)),
        )

    def _repair(self, metric: str, where: Whole) -> Repair:
        values = list(self._values(metric, where))
        return Repair(metric, min(values), max(values), int(where.sum()))

    def _values(self, metric: str, where: Whole) -> Iterator[int]:
        """What ``metric`` would print, rounded and cut off, in the chosen matrices."""
        num, den = self.ratios[metric]
        nums = np.broadcast_to(num, where.shape)[where]
        dens = np.broadcast_to(den, where.shape)[where]
        for n, d in zip(nums.tolist(), dens.tolist(), strict=True):
            if d:
                yield n // d
                yield (2 * n + d) // (2 * d)


def _distance(num: Whole, den: Whole | int, printed: int) -> Whole:
    """Units between a cell and the nearest value that would round to what the ratio rounds to.

    0 where the ratio rounds to the cell; a ratio that is undefined is as far as can be.
    """
    safe = np.maximum(den, 1)
    away = 2 * np.abs(num - printed * den) - safe  # beyond half a unit, in halves of 1 / den
    units = np.maximum(0, -(-away // (2 * safe)))
    return np.where(den > 0, units, np.int64(1) << 40)
