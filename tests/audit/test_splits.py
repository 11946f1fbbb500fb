from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from mednext.audit.confusion import METRICS, Sizes, find
from mednext.audit.matrices import at_least
from mednext.audit.run import Audit
from mednext.audit.splits import chance, coherent

WHOLE = 10_000


def test_coherent_row_by_hand() -> None:
    # P = 90 %, R = 75 %, 40 positive, 60 negative: 30 TP, 3.333 FP, accuracy 86.667 %, F1 81.818 %.
    f1, accuracy = coherent(Sizes(40, 60), np.array([9000]), np.array([7500]), WHOLE)
    assert (f1.tolist(), accuracy.tolist()) == ([8182], [8667])


@pytest.mark.parametrize(("sizes", "p", "r"), [((9, 14), 8750, 7780), ((30, 25), 9995, 9667)])
def test_chance_is_the_share_of_invented_rows_that_fit(
    sizes: tuple[int, int], p: int, r: int
) -> None:
    classes, window = Sizes(*sizes), 40
    cells = [range(max(1, middle - window), min(WHOLE, middle + window) + 1) for middle in (p, r)]
    fits = 0
    for precision, recall in product(*cells):
        f1, accuracy = coherent(classes, np.array([precision]), np.array([recall]), WHOLE)
        row = dict(zip(METRICS, (precision, recall, int(f1[0]), int(accuracy[0])), strict=True))
        fits += bool(find(classes, row, WHOLE))
    assert fits > 0
    got = chance(classes, {"precision": p, "recall": r}, WHOLE, window)
    assert got == Fraction(fits, len(cells[0]) * len(cells[1]))


def test_chance_of_some_fits() -> None:
    assert at_least(0, [0.2, 0.5]) == 1
    assert at_least(1, [0.2, 0.5]) == pytest.approx(1 - 0.8 * 0.5)
    assert at_least(2, [0.2, 0.5]) == pytest.approx(0.1)


def test_table_4_fits_other_sizes_than_stated(reported: Audit) -> None:
    # By hand for MedNeXt at 15 % of 6,893 and 7,593: recall 1028/1034 = 99.420, precision
    # 1028/1047 = 98.185, F1 2056/2081 = 98.799, accuracy 2148/2173 = 98.850.
    fifteen = {
        row.method: (row.n_positive, row.n_negative)
        for row in reported.splits
        if row.table == 4 and row.split == "15 % of the images" and row.verdict == "fits"
    }
    assert fifteen == dict.fromkeys(("resnet18", "sparse_mlp", "vit", "mednext"), (1034, 1139))
