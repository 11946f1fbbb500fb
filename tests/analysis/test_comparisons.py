"""Paired tests between methods, from counts per case made up here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, wilcoxon
from sklearn.metrics import roc_auc_score

from mednext.analysis.comparisons import compare
from mednext.errors import UserError
from mednext.results import ComparisonRow, RankRow, read_rows
from tests.finished_runs import images, run_of, trained


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


TESTS, RANKING = Path("comparisons.csv"), Path("ranking.csv")


def with_scores(scores: list[float]) -> pd.DataFrame:
    table = images()
    table["score_1"], table["score_0"] = scores, [1 - s for s in scores]
    table["prediction"] = [int(s > 0.5) for s in scores]
    return table


PERFECT = [0.9, 0.9, 0.8, 0.7, 0.6, 0.7, 0.1, 0.3, 0.4, 0.2]
WRONG = [1 - s for s in PERFECT]


def test_classifiers_by_hand() -> None:
    tables = {"mednext": with_scores(PERFECT), "resnet18": images(), "vit": with_scores(WRONG)}
    runs = [trained(run_of("classification", method=m), t) for m, t in tables.items()]
    compare(runs, TESTS, RANKING)
    rows = {(r.test, r.method_a, r.method_b): r for r in read_rows(TESTS, ComparisonRow)}
    assert len(rows) == 4 * 3
    # mednext is right where resnet18 is not in 2 of 10 images, and in all 10 where vit is wrong
    assert rows["mcnemar", "mednext", "resnet18"].p == binomtest(2, 2).pvalue == 0.5
    assert rows["mcnemar", "mednext", "vit"].p == pytest.approx(2 / 1024)
    # vit is never right: resnet18 is alone right in 8
    assert rows["mcnemar", "resnet18", "vit"].p == pytest.approx(2 / 256)
    # sorted 2/1024, 2/256, 0.5 times 3, 2, 1
    assert rows["mcnemar", "mednext", "vit"].p_holm == pytest.approx(6 / 1024)
    assert rows["mcnemar", "mednext", "resnet18"].p_holm == pytest.approx(0.5)
    row = rows["delong", "resnet18", "vit"]
    label = images().label
    assert row.value_a == pytest.approx(roc_auc_score(label, images().score_1))
    assert row.value_b == pytest.approx(roc_auc_score(label, WRONG))
    assert (row.n_cases, row.n_groups) == (10, 5) and "independent" in str(row.note)
    # Sums of the five groups: 1, 2, 2, 2, 1; only all five with one sign are as far from 0: 2 / 32.
    by_group = rows["sign_flip", "resnet18", "vit"]
    assert by_group.p == pytest.approx(2 / 32, abs=0.01) and by_group.note is None
    assert rows["obuchowski", "resnet18", "vit"].value_a == row.value_a
    assert rows["obuchowski", "resnet18", "vit"].note is None


def test_both_adjustments_are_over_the_same_pairs() -> None:
    tables = {"mednext": with_scores(PERFECT), "resnet18": images(), "vit": with_scores(WRONG)}
    compare(
        [trained(run_of("classification", method=m), t) for m, t in tables.items()], TESTS, RANKING
    )
    for test in ("mcnemar", "sign_flip", "delong", "obuchowski"):
        rows = [r for r in read_rows(TESTS, ComparisonRow) if r.test == test and r.p is not None]
        smallest = min(rows, key=lambda r: r.p or 0.0)
        assert smallest.p_holm == pytest.approx(min(1.0, len(rows) * (smallest.p or 0.0)))


def test_ranks_of_classifiers() -> None:
    tables = {"mednext": with_scores(PERFECT), "vit": with_scores(WRONG)}
    runs = [trained(run_of("classification", method=m), t) for m, t in tables.items()]
    compare(runs, TESTS, RANKING)
    shares = {(r.method, r.rank): r.share for r in read_rows(RANKING, RankRow)}
    assert shares == {("mednext", 1): 1, ("mednext", 2): 0, ("vit", 1): 0, ("vit", 2): 1}


def volumes(shift: int) -> pd.DataFrame:
    """Six patients with two frames; the more ``shift``, the fewer voxels are found."""
    rows = []
    for patient in range(6):
        for frame in ("ED", "ES"):
            for organ in ("rv", "lv"):
                missed = min(90, shift * (patient + 1))
                rows.append(
                    {
                        "case": f"p{patient}_{frame}",
                        "group": f"p{patient}",
                        "organ": organ,
                        "tp": 100 - missed,
                        "fp": 0,
                        "fn": missed,
                    }
                )
    return pd.DataFrame(rows)


def test_segmenters_are_compared_by_patient() -> None:
    tables = {"medunext": volumes(2), "unet": volumes(5)}
    runs = [trained(run_of("segmentation", method=m), t) for m, t in tables.items()]
    compare(runs, TESTS, RANKING)
    row, by_group = sorted(read_rows(TESTS, ComparisonRow), key=lambda r: r.test == "sign_flip")
    assert by_group.test == "sign_flip" and by_group.p == pytest.approx(2 / 64, abs=0.01)
    a, b = (np.array([2 * (100 - s * k) / (200 - s * k) for k in range(1, 7)]) for s in (2, 5))
    assert row.test == "wilcoxon" and row.n_cases == row.n_groups == 6
    assert row.p == pytest.approx(wilcoxon(a, b).pvalue) == pytest.approx(2 / 64)
    assert (row.value_a, row.value_b) == pytest.approx((a.mean(), b.mean()))


def test_runs_that_failed_are_left_out() -> None:
    good = trained(run_of("classification", method="mednext"), images())
    bad = run_of("classification", method="resnet18")
    trained(bad, status="failed", reason="diverged", weights={})
    compare([good, bad], TESTS, RANKING)
    assert read_rows(TESTS, ComparisonRow) == []


def test_other_cases_are_refused() -> None:
    short = images().iloc[:9]
    runs = [
        trained(run_of("classification", method=m), t)
        for m, t in (("mednext", images()), ("resnet18", short))
    ]
    with pytest.raises(UserError, match=r"resnet18(.|\n)*mednext"):
        compare(runs, TESTS, RANKING)
    assert not TESTS.exists()
