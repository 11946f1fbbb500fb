"""Test images that overlap with train against the others: counts, means and intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from mednext.analysis.train_overlap import overlap_groups, train_overlap
from mednext.config import RunConfig
from mednext.errors import UserError
from mednext.layout import DataPaths
from mednext.results import OverlapGroupRow, OverlapRow, read_rows, write_rows
from tests.finished_runs import images, paths, run_of, trained

FILE, OUT = Path("overlap_groups.csv"), Path("train_overlap.csv")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))


def finished(cases: pd.DataFrame, **changes: object) -> RunConfig:
    run = run_of("classification", **changes)
    paths(run).root.mkdir(parents=True)
    return trained(run, cases)


def related(in_train: dict[object, int]) -> None:
    rows = [
        OverlapGroupRow(dataset="sars_cov2_ct", protocol="paper", group=str(g), test=2, train=n)
        for g, n in in_train.items()
    ]
    write_rows(FILE, OverlapGroupRow, rows)


def test_both_kinds_by_hand() -> None:
    # Of images 0 to 9 in pairs, 5 (a miss) and 9 (a false alarm) are wrong.
    run = finished(images())
    other = images()
    other["prediction"] = other.label ^ (other.row == 0)
    second = finished(other, method="vit")
    related({0: 3, 1: 1, 2: 4, 3: 0, 4: 0})
    train_overlap([run, second], FILE, OUT)
    rows = {row.method: row for row in read_rows(OUT, OverlapRow) if row.klass == "all"}
    assert list(rows) == ["mednext", "vit", "all"]
    counted = {(r.n_overlap, r.n_clean, r.groups_overlap, r.groups_clean) for r in rows.values()}
    assert counted == {(6, 4, 3, 2)}
    assert (rows["mednext"].accuracy_overlap, rows["mednext"].accuracy_clean) == (
        pytest.approx(5 / 6), pytest.approx(3 / 4)
    )  # fmt: skip
    assert (rows["vit"].accuracy_overlap, rows["vit"].accuracy_clean) == (pytest.approx(5 / 6), 1.0)
    assert rows["all"].accuracy_clean == pytest.approx(7 / 8) and rows["all"].methods == 2
    for row in rows.values():
        assert row.difference == pytest.approx(row.accuracy_overlap - row.accuracy_clean)
        assert row.ci_low < row.difference < row.ci_high
    before = OUT.read_bytes()
    train_overlap([run, second], FILE, OUT)
    assert OUT.read_bytes() == before


def many(wrong_overlap: int, wrong_clean: int) -> pd.DataFrame:
    """200 images, each a group of its own: the first 100 overlap with train."""
    wrong = np.r_[np.arange(100) < wrong_overlap, np.arange(100) < wrong_clean]
    label = np.arange(200) % 2
    return pd.DataFrame(
        {
            "row": range(200),
            "path": [f"{i}.png" for i in range(200)],
            "group": range(200),
            "subset": "test",
            "label": label,
            "score_0": 0.5,
            "score_1": 0.5,
            "prediction": label ^ wrong,
        }
    )


@pytest.mark.parametrize(("wrong_overlap", "wrong_clean"), [(5, 20), (20, 5), (10, 10), (0, 0)])
def test_independent_images_have_newcombes_interval(wrong_overlap: int, wrong_clean: int) -> None:
    run = finished(many(wrong_overlap, wrong_clean))
    related({g: int(g < 100) for g in range(200)})
    train_overlap([run], FILE, OUT)
    row = read_rows(OUT, OverlapRow)[0]
    low, high = confint_proportions_2indep(
        100 - wrong_overlap, 100, 100 - wrong_clean, 100, method="newcomb"
    )
    # The spread comes from draws, and Student's quantile is a little larger than the normal one.
    assert (row.ci_low, row.ci_high) == pytest.approx((low, high), abs=0.012)


def test_classes_in_other_shares_are_standardised_by_hand() -> None:
    """Normal images are right in 9 of 10, diseased ones in half, in train's groups and outside: the
    overlap, three quarters normal, looks easier, and is not.
    """
    label = np.repeat([0, 1, 0, 1], [60, 20, 20, 60])
    right = np.concatenate(
        [np.arange(n) % 10 < tenths for n, tenths in ((60, 9), (20, 5), (20, 9), (60, 5))]
    )
    cases = many(0, 0).iloc[:160].assign(label=label, prediction=np.where(right, label, 1 - label))
    related({g: int(g < 80) for g in range(160)})
    train_overlap([finished(cases)], FILE, OUT)
    rows = {r.klass: r for r in read_rows(OUT, OverlapRow) if r.method == "mednext"}
    assert list(rows) == ["all", "normal", "covid19", "standardised"]
    assert rows["all"].difference == pytest.approx(0.8 - 0.6) and rows["all"].ci_low > 0
    assert (rows["normal"].n_overlap, rows["normal"].n_clean) == (60, 20)
    for klass in ("normal", "covid19", "standardised"):
        assert rows[klass].difference == pytest.approx(0)
        assert rows[klass].ci_low < 0 < rows[klass].ci_high
    assert rows["standardised"].accuracy_overlap == pytest.approx(0.5 * 0.9 + 0.5 * 0.5)


def test_without_both_kinds_there_is_no_row() -> None:
    run = finished(images())
    related(dict.fromkeys(range(5), 2))
    train_overlap([run], FILE, OUT)
    assert read_rows(OUT, OverlapRow) == []
    related({0: 1, 1: 0, 2: 0, 3: 0, 4: 0})  # one group says nothing of groups
    train_overlap([run], FILE, OUT)
    assert read_rows(OUT, OverlapRow) == []


def test_failed_runs_and_segmenters_are_left_out() -> None:
    run = finished(images())
    failed = run_of("classification", method="vit")
    paths(failed).root.mkdir(parents=True)
    trained(failed, status="failed", reason="loss is nan", weights={})
    related({0: 3, 1: 1, 2: 4, 3: 0, 4: 0})
    train_overlap([run, failed, run_of("segmentation")], FILE, OUT)
    found = [row.method for row in read_rows(OUT, OverlapRow) if row.klass == "all"]
    assert found == ["mednext", "all"]


def test_groups_of_another_split_are_refused() -> None:
    run = finished(images())
    related({0: 1, 1: 0, 2: 0, 3: 0})
    with pytest.raises(UserError, match="of another split") as raised:
        train_overlap([run], FILE, OUT)
    assert "no group 4" in str(raised.value) and not OUT.exists()


def test_groups_of_the_test_set_are_counted() -> None:
    run = run_of("classification")
    file = DataPaths(run.source_id, run.dataset).split("paper")
    with pytest.raises(UserError, match="a split is missing"):
        overlap_groups([run], FILE)
    file.parent.mkdir(parents=True)
    file.write_text(
        "row,item,group,label,subset\n"
        "0,a,g1,normal,train\n1,b,g1,normal,train\n2,c,g1,normal,test\n"
        "3,d,g2,covid19,test\n4,e,g2,covid19,test\n5,f,g2,covid19,val\n"
        "6,g,g3,covid19,train\n"
    )
    overlap_groups([run, run_of("classification", method="vit")], FILE)
    found = [(row.group, row.test, row.train) for row in read_rows(FILE, OverlapGroupRow)]
    assert found == [("g1", 1, 2), ("g2", 2, 0)]  # g3 is not tested; val is neither
