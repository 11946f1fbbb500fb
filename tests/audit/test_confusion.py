from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from mednext.audit.confusion import METRICS, Matrix, Sizes, find, how, macro_fits
from mednext.audit.misfits import Grid
from mednext.audit.printed import Convention, agrees

WHOLE = 10_000


def scores(m: Matrix) -> dict[str, float]:
    """scikit-learn's metrics of the images that a matrix counts."""
    truth = [1] * (m.tp + m.fn) + [0] * (m.fp + m.tn)
    called = [1] * m.tp + [0] * m.fn + [1] * m.fp + [0] * m.tn
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, called, average="binary", zero_division=0
    )
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "accuracy": accuracy_score(truth, called),
    }


def printed(m: Matrix) -> dict[str, int]:
    return {metric: round(WHOLE * value) for metric, value in scores(m).items()}


def row(*cells: int) -> dict[str, int]:
    return dict(zip(METRICS, cells, strict=True))


@pytest.mark.parametrize(
    "matrix", [Matrix(238, 0, 8, 250), Matrix(241, 6, 5, 244), Matrix(1, 0, 245, 250)]
)
def test_a_hand_made_matrix_is_the_only_one_found(matrix: Matrix) -> None:
    sizes = Sizes(matrix.tp + matrix.fn, matrix.fp + matrix.tn)
    assert find(sizes, printed(matrix), WHOLE) == [matrix]


def test_rows_of_the_paper_by_hand() -> None:
    # Table 2: 238/246 = 96.748, 476/484 = 98.347, 488/496 = 98.387.
    sizes = Sizes(246, 250)
    assert find(sizes, row(10000, 9675, 9835, 9839), WHOLE) == [Matrix(238, 0, 8, 250)]
    # With COVID-19 as positive, 241/250 = 96.4 and 242/250 = 96.8: no recall of 96.75.
    assert find(Sizes(250, 246), row(10000, 9675, 9835, 9839), WHOLE) == []
    # Table 7, SA+SDFFN: 476/496 = 95.9677 is printed 95.96, 234/242 = 96.694 as 96.69.
    cut = row(9669, 9512, 9590, 9596)
    assert find(sizes, cut, WHOLE, Convention.ROUNDING) == []
    assert find(sizes, cut, WHOLE, Convention.TRUNCATION) == [Matrix(234, 8, 12, 242)]
    assert how(sizes, Matrix(234, 8, 12, 242), cut, WHOLE) == "truncation"


@st.composite
def matrices(draw: st.DrawFn, most: int = 120) -> Matrix:
    tp = draw(st.integers(1, most))
    return Matrix(tp, *(draw(st.integers(0, most)) for _ in range(3)))


@given(matrices())
def test_every_true_matrix_is_among_those_found(true: Matrix) -> None:
    sizes = Sizes(true.tp + true.fn, true.fp + true.tn)
    assert true in find(sizes, printed(true), WHOLE)
    assert true in find(sizes, printed(true), WHOLE, Convention.ROUNDING)


@given(matrices(), st.lists(st.booleans(), min_size=4, max_size=4))
def test_every_true_matrix_is_found_however_its_cells_were_printed(
    true: Matrix, cut: list[bool]
) -> None:
    sizes = Sizes(true.tp + true.fn, true.fp + true.tn)
    exact = {
        "precision": Fraction(true.tp, true.tp + true.fp),
        "recall": Fraction(true.tp, sizes.positive),
        "f1": Fraction(2 * true.tp, 2 * true.tp + true.fp + true.fn),
        "accuracy": Fraction(true.tp + true.tn, sizes.total),
    }
    cells = {
        m: int(WHOLE * value) if c else round(WHOLE * value)
        for c, (m, value) in zip(cut, exact.items(), strict=True)
    }
    assert true in find(sizes, cells, WHOLE)
    if all(cut):
        assert how(sizes, true, cells, WHOLE) in ("truncation", "both")
    assert how(sizes, true, cells, WHOLE) is not None


@settings(max_examples=25)
@given(matrices(most=12), st.integers(-3, 3))
def test_the_search_finds_what_trying_everything_finds(true: Matrix, shift: int) -> None:
    sizes = Sizes(true.tp + true.fn, true.fp + true.tn)
    cells = {m: value // 100 for m, value in printed(true).items()}  # coarse: many matrices
    cells["f1"] += shift
    expected = []
    for tp in range(sizes.positive + 1):
        for fp in range(sizes.negative + 1):
            of = [
                (tp, tp + fp, "precision"),
                (tp, sizes.positive, "recall"),
                (2 * tp, tp + fp + sizes.positive, "f1"),
                (tp + sizes.negative - fp, sizes.total, "accuracy"),
            ]
            if all(agrees(100 * n, d, cells[m], Convention.MIXED) for n, d, m in of):
                expected.append(Matrix(tp, fp, sizes.positive - tp, sizes.negative - fp))
    assert find(sizes, cells, 100) == expected


def test_macro_means_are_counted() -> None:
    # By hand: precision (30/40 + 50/60) / 2, recall (30/40 + 50/60) / 2, F1 = .75 / 2 + .8333 / 2.
    cells = row(7917, 7917, 7917, 8000)
    assert find(Sizes(40, 60), cells, WHOLE) == []
    assert macro_fits(Sizes(40, 60), cells, WHOLE) == 1
    assert macro_fits(Sizes(40, 60), cells | {"f1": 7950}, WHOLE) == 0


def test_one_cell_off_is_named_with_what_it_should_be() -> None:
    true = Matrix(229, 15, 17, 235)
    sizes = Sizes(246, 250)
    wrong = printed(true) | {"accuracy": 9365}  # 464/496 = 93.548
    misfit = Grid(sizes, WHOLE).misfit(wrong)
    assert misfit.agreeing == (("precision", "recall", "f1"),)
    (repair,) = misfit.repairs
    assert (repair.metric, repair.low, repair.high, repair.matrices) == ("accuracy", 9354, 9355, 1)
    assert (misfit.deviation, misfit.nearest) == (10, true)  # 93.65 - 93.55


def test_a_row_that_nothing_explains() -> None:
    # At 4 + 4 images accuracies are multiples of 12.5 and recalls of 25 percent.
    misfit = Grid(Sizes(4, 4), WHOLE).misfit(row(6660, 5100, 5740, 6300))
    assert misfit.repairs == ()
    # Precision 2/3 = 66.67, recall 50, F1 57.14, accuracy 62.50: 7 + 100 + 26 + 50 units away.
    assert (misfit.deviation, misfit.nearest) == (183, Matrix(2, 1, 2, 3))


@settings(max_examples=25)
@given(matrices(most=15), st.sampled_from(METRICS), st.integers(300, 900))
def test_a_spoilt_cell_is_among_the_explanations(true: Matrix, metric: str, by: int) -> None:
    sizes = Sizes(true.tp + true.fn, true.fp + true.tn)
    cells = printed(true)
    spoilt = cells | {metric: cells[metric] + by}
    if find(sizes, spoilt, WHOLE):
        return  # another matrix gives the spoilt row
    misfit = Grid(sizes, WHOLE).misfit(spoilt)
    (repair,) = [r for r in misfit.repairs if r.metric == metric]
    assert repair.low <= cells[metric] <= repair.high
    assert misfit.deviation <= by
