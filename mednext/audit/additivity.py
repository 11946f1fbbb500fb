"""Do printed costs add up over modules? Rank, independent checks, least squares, smallest repairs.

Row i of a table should cost ``rest + sum of its modules``, a linear system. Whether a set of cells
can be made consistent is a linear programme over the unknown module costs: every kept cell may be
off by what rounding or cutting off leaves. Relations between rows are exact (rational null space).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations

import numpy as np
import sympy
from scipy.optimize import linprog

from mednext.audit.paper import Additive, Paper
from mednext.audit.printed import units
from mednext.errors import UserError

REST = "rest of the network"
HALF_WIDTH = 0.75
"""Largest distance, in printed units, under the mixed convention: a cell k stands for a value in
[k - 0.5, k + 1), which is 0.75 to either side of k + 0.25; the 0.25 goes into the rest."""
SLACK = 1e-6
"""Tolerance of the linear programme, in printed units; cells are whole."""


@dataclass(frozen=True)
class Relation:
    """A combination of rows that additivity makes zero."""

    weights: dict[str, Fraction]
    left_over: Fraction
    """What the printed cells leave, in units."""
    tolerance: Fraction
    """What rounding or cutting off could leave at most, in units."""

    @property
    def holds(self) -> bool:
        """Whether rounding explains what is left."""
        return abs(self.left_over) <= self.tolerance


@dataclass(frozen=True)
class Repair:
    """Cells whose change makes the column additive, and what they would be (units).

    None for a cell that the others leave open.
    """

    needed: dict[str, float | None]


class Column:
    """One printed cost of one table as a linear system.

    Args:
        cells: row -> printed cell, in units.
        parts: row -> names of the modules it has.
        modules: all modules; the rest of the network is added to them.
    """

    def __init__(
        self, cells: dict[str, int], parts: dict[str, frozenset[str]], modules: Sequence[str]
    ) -> None:
        self.cells = cells
        self.names = list(cells)
        self.modules = [REST, *modules]
        self.design = np.array(
            [[1, *(int(m in parts[name]) for m in modules)] for name in self.names], dtype=float
        )
        self.printed = np.array([cells[name] for name in self.names], dtype=float)

    @cached_property
    def rank(self) -> int:
        """Of the system."""
        return int(sympy.Matrix(self.design.astype(int).tolist()).rank())

    @cached_property
    def fit(self) -> np.ndarray:
        """(1 + modules,): least squares over all cells, in units."""
        return self.solve_rows(range(len(self.names)), self.printed)

    @cached_property
    def doubt(self) -> np.ndarray:
        """(1 + modules,): how far rounding or cutting off may have moved the fit, in units."""
        return np.asarray(np.abs(np.linalg.pinv(self.design)).sum(axis=1) * HALF_WIDTH)

    def solve_rows(self, rows: Sequence[int], values: Sequence[float] | np.ndarray) -> np.ndarray:
        """Least squares of any costs of some rows (smallest solution if not determined)."""
        return np.asarray(
            np.linalg.lstsq(self.design[list(rows)], np.asarray(values), rcond=None)[0]
        )

    @cached_property
    def relations(self) -> list[Relation]:
        """A basis of the row combinations that additivity makes zero, sparse ones first.

        Candidates are the relations with the fewest rows; each that is independent of the earlier
        ones is kept, so a reader sees ``#7 - #3 - #4 + #1`` and not a mixture.
        """
        exact = sympy.Matrix(self.design.astype(int).tolist())
        wanted = len(self.names) - self.rank
        basis: list[sympy.Matrix] = []
        for size in range(2, len(self.names) + 1):
            for rows in combinations(range(len(self.names)), size):
                if len(basis) == wanted:
                    return [self._relation(vector) for vector in basis]
                for null in exact.extract(list(rows), list(range(exact.cols))).T.nullspace():
                    vector = sympy.zeros(len(self.names), 1)
                    for row, weight in zip(rows, null, strict=True):
                        vector[row] = weight
                    if sympy.Matrix.hstack(*basis, vector).rank() > len(basis):
                        basis.append(vector)
        return [self._relation(vector) for vector in basis]

    def _relation(self, vector: sympy.Matrix) -> Relation:
        weights = {
            name: Fraction(int(weight.p), int(weight.q))
            for name, weight in zip(self.names, vector, strict=True)
            if weight != 0
        }
        spread = sum((abs(w) for w in weights.values()), Fraction(0))
        return Relation(
            weights,
            sum((w * self.cells[name] for name, w in weights.items()), Fraction(0)),
            # The shift by 0.25 cancels only where the weights sum to 0, as they do with a rest.
            spread * Fraction(HALF_WIDTH),
        )

    @cached_property
    def repairs(self) -> list[Repair]:
        """All smallest sets of cells without which the others are additive; empty set: all are.

        Raises:
            UserError: no set leaves a consistent rest (cannot happen with rank >= 1).
        """
        for size in range(len(self.names) + 1):
            found = [
                repair
                for rows in combinations(range(len(self.names)), size)
                if (repair := self._without(rows)) is not None
            ]
            if found:
                return found
        raise UserError("no rows are additive", found=self.names)

    def _without(self, rows: tuple[int, ...]) -> Repair | None:
        keep = [i for i in range(len(self.names)) if i not in rows]
        distance, costs = self._closest(keep)
        if distance > HALF_WIDTH + SLACK:
            return None
        rank = np.linalg.matrix_rank
        known = rank(self.design[keep])
        return Repair(
            {
                self.names[i]: float(self.design[i] @ costs)
                if rank(self.design[[*keep, i]]) == known
                else None
                for i in rows
            }
        )

    def _closest(self, keep: list[int]) -> tuple[float, np.ndarray]:
        """Least largest distance of the kept cells to an additive model, and that model."""
        unknowns = self.design.shape[1]
        design, printed = self.design[keep], self.printed[keep]
        ones = np.ones((len(keep), 1))
        result = linprog(
            [0.0] * unknowns + [1.0],
            A_ub=np.block([[design, -ones], [-design, -ones]]),
            b_ub=np.concatenate([printed, -printed]),
            bounds=[(None, None)] * unknowns + [(0, None)],
            method="highs",
        )
        if result.status != 0:
            raise UserError("the linear programme failed", found=result.message)
        # Among the models at that distance take the least-squares one, which is symmetric.
        costs = np.linalg.lstsq(design, printed, rcond=None)[0]
        if np.abs(design @ costs - printed).max() > result.fun + HALF_WIDTH:
            costs = result.x[:-1]
        return float(result.fun), np.asarray(costs)


def columns(paper: Paper, rule: Additive) -> Iterator[tuple[str, Column]]:
    """The additive columns of a table; rows without a cell are left out."""
    rows = paper.rows(rule.table)
    parts = {
        slug: frozenset(name for c, name in rule.modules.items() if row[c].strip() == "1")
        for slug, row in rows.items()
    }
    for column in rule.quantities:
        cells = {slug: units(row[column], rule.decimals) for slug, row in rows.items()}
        known = {slug: cell for slug, cell in cells.items() if cell is not None}
        if known:
            yield column, Column(known, parts, list(rule.modules.values()))
