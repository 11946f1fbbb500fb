"""Orders: over seeds by hand, none from a single one, and the size of the borrowed rule."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mednext.analysis.contrasts import Scores
from mednext.analysis.orders import borrowed, orders, seed_variance
from mednext.config import RunConfig
from mednext.results import read_rows
from mednext.results.orders import OrderRow
from tests.finished_runs import paths, run_of, trained

OUT = Path("orders.csv")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def finished(right: list[int], method: str, seed: int, size: int = 1) -> RunConfig:
    """A run whose images, in groups of ``size``, are right (1) or wrong (0)."""
    run = run_of("classification", method=method, seed=seed)
    paths(run).root.mkdir(parents=True)
    label = np.arange(len(right)) % 2
    prediction = np.where(right, label, 1 - label)
    table = pd.DataFrame(
        {
            "row": range(len(right)),
            "path": [f"{i}.png" for i in range(len(right))],
            "group": [f"g{i // size}" for i in range(len(right))],
            "side": "test",
            "label": label,
            "score_0": 1.0 - prediction,
            "score_1": prediction.astype(float),
            "prediction": prediction,
        }
    )
    return trained(run, table)


GOOD, BAD = [1, 1, 1, 1, 1, 0, 1, 1], [1, 0, 1, 0, 1, 0, 1, 0]


def test_three_equal_seeds_leave_only_the_cases() -> None:
    runs = [finished(r, m, s) for s in range(3) for m, r in (("mednext", GOOD), ("vit", BAD))]
    orders(runs, OUT)
    row = next(r for r in read_rows(OUT, OrderRow) if r.basis == "seeds")
    paired = np.subtract(GOOD, BAD)
    assert (row.method_a, row.method_b, row.seeds, row.family) == ("mednext", "vit", "0 1 2", 1)
    assert row.difference == pytest.approx(3 / 8)
    assert row.error == pytest.approx(stats.sem(paired)) and row.df == 7
    assert row.p == pytest.approx(stats.ttest_1samp(paired, 0).pvalue) == row.p_holm
    assert (row.n_cases, row.n_groups, row.design_effect) == (8, 8, pytest.approx(1))


def test_fewer_than_three_seeds_of_either_place_nothing() -> None:
    runs = [finished(GOOD, "mednext", s) for s in range(3)]
    runs += [finished(BAD, "vit", s) for s in range(2)]
    orders(runs, OUT)
    assert [r.basis for r in read_rows(OUT, OrderRow)] == ["borrowed"]
    orders([runs[0], runs[3]], OUT)
    assert read_rows(OUT, OrderRow) == []  # nor is there anything to borrow


def test_one_bad_seed_of_one_method_is_no_order() -> None:
    """What Table 8 rested on: eight right of forty in one seed, all in the others."""
    perfect, bad = [1] * 40, [1] * 8 + [0] * 32
    runs = [finished(perfect, "mednext", s) for s in range(3)]
    runs += [finished(bad if s == 0 else perfect, "vit", s) for s in range(3)]
    orders(runs, OUT)
    found = {r.basis: r for r in read_rows(OUT, OrderRow)}
    assert found["seeds"].difference == pytest.approx(0.8 / 3)
    assert found["seeds"].p > 0.1 and found["borrowed"].p > 0.1
    # Of the first seed's weights alone the difference is beyond doubt.
    assert stats.ttest_1samp(np.subtract(perfect, bad), 0).pvalue < 1e-10


def test_equal_methods_whose_seeds_move_nothing_are_not_told_apart() -> None:
    runs = [finished(GOOD, m, s) for m, s in (("mednext", 0), ("mednext", 1), ("vit", 0))]
    orders(runs, OUT)
    (row,) = read_rows(OUT, OrderRow)
    assert (row.basis, row.difference, row.error, row.df) == ("borrowed", 0, 0, 1)
    assert (row.p, row.p_holm, row.detectable) == (1, 1, 0)


def test_a_borrowed_variance_by_hand() -> None:
    """Accuracies of 0.5, 0.75, 1 in one method, hence s = 0.25; the pair has a standard error."""
    shares = [[1, 0] * 2, [1, 1, 1, 0], [1] * 4]
    runs = [finished(r, "mednext", s) for s, r in enumerate(shares)]
    runs.append(finished([0, 0, 1, 0], "vit", 0))
    orders(runs, OUT)
    (row,) = read_rows(OUT, OrderRow)
    of_cases = stats.sem([1, 0, 0, 0]) ** 2
    variance = of_cases + 2 * 0.25**2
    assert row.borrowed_from == "mednext (3 seeds)" and row.seeds == "0"
    assert row.error == pytest.approx(variance**0.5)
    df = variance**2 / (of_cases**2 / 3 + (2 * 0.25**2) ** 2 / 2)
    assert row.df == pytest.approx(df)
    assert row.p == pytest.approx(2 * stats.t.sf(0.25 / variance**0.5, df))


def test_groups_that_are_alike_have_their_design_effect() -> None:
    right = [1] * 4 + [0] * 4
    runs = [finished(right, "mednext", s, size=2) for s in range(3)]
    runs += [finished([1] * 8, "vit", s, size=2) for s in range(3)]
    orders(runs, OUT)
    row = next(r for r in read_rows(OUT, OrderRow) if r.basis == "seeds")
    # Twice the variance, but for the divisors: 4 groups with s^2 = 1/3, 8 cases with s^2 = 2/7.
    assert row.n_groups == 4 and row.design_effect == pytest.approx((1 / 3 / 4) / (2 / 7 / 8))
    # The groups are what is tested, not the images: two of four differ.
    assert row.error == pytest.approx(stats.sem([0, 0, 1, 1])) and row.df == 3


@pytest.mark.parametrize(
    ("training", "group", "cell", "groups"),
    [(0.005, 0.08, 0.13, 60), (0.05, 0.02, 0.03, 20)],
    ids=["images", "patients"],
)
def test_the_borrowed_rule_is_at_its_level(
    training: float, group: float, cell: float, groups: int
) -> None:
    """Two methods without a difference; the variance comes from three seeds of two others."""
    random = np.random.default_rng(3)
    names = [str(g) for g in range(groups)]

    def method(seeds: int) -> Scores:
        values = random.normal(0, training, (seeds, 1)) + random.normal(0, group, groups)
        values = values + random.normal(0, cell, (seeds, groups))
        return Scores(tuple(range(seeds)), values, names, ["paper"] * groups)

    spoke, repeats = 0, 1200
    for _ in range(repeats):
        known = {"a": method(1), "b": method(1)}
        between = seed_variance({"c": method(3), "d": method(3)})
        (row,) = borrowed(known, between)
        spoke += row["p"] < 0.05
    assert spoke / repeats <= 0.05 + 3 * (0.05 * 0.95 / repeats) ** 0.5


def test_detectable_differences_shrink_with_the_family() -> None:
    runs = [
        finished(list(np.random.default_rng(s).integers(0, 2, 40)), m, k)
        for s, (m, k) in enumerate((m, k) for m in ("mednext", "vit", "resnet18") for k in range(3))
    ]
    orders(runs, OUT)
    rows = [r for r in read_rows(OUT, OrderRow) if r.basis == "seeds"]
    assert len(rows) == 3 and all(r.detectable < r.detectable_holm for r in rows)
    assert all(a.family == b.family == 3 for a, b in pairwise(rows))
