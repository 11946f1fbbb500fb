"""The one reader of counts per case: classes as recorded, names as they stand, what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mednext.analysis.cases import by_method, read
from mednext.analysis.cases import test_sets as sets_of
from mednext.analysis.metrics import collect
from mednext.errors import UserError
from mednext.results import MetricRow, case_columns, read_cases, read_rows
from tests.finished_runs import images, paths, run_of, trained


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_labels_are_places_in_the_classes_of_the_record() -> None:
    """A run whose classes stood the other way round when it was trained."""
    turned = images()
    for name in ("label", "prediction"):
        turned[name] = 1 - turned[name]
    turned = turned.rename(columns={"score_0": "score_1", "score_1": "score_0"})
    old = run_of("classification", classes=("covid19", "normal"))
    trained(old, turned)
    today = old.model_copy(update={"classes": ("normal", "covid19")})
    cases = read(today)
    assert cases is not None
    assert cases.orientations == ["disease", "non_disease"] and cases.disease == 0
    assert cases.ill.tolist() == (images().label == 1).tolist()
    assert cases.ill_scores == pytest.approx(images().score_1)
    collect([today], Path("turned.csv"))
    trained(today, images())
    collect([today], Path("plain.csv"))
    found = [
        {(r.metric, r.target): (r.value, r.ci_low, r.ci_high) for r in read_rows(f, MetricRow)}
        for f in (Path("turned.csv"), Path("plain.csv"))
    ]
    assert found[0] == found[1]


def test_a_class_that_is_known_no_more_keeps_its_name() -> None:
    trained(run_of("classification", classes=("one", "two", "covid19")), other_columns())
    cases = read(run_of("classification"))
    assert cases is not None and cases.orientations == ["one", "two", "disease"]
    assert cases.disease == 2


def other_columns() -> pd.DataFrame:
    return images().assign(score_2=0.0)


def test_names_are_read_as_they_stand() -> None:
    table = images().assign(group=["007", "NA", "nan", "None", "1e3"] * 2)
    run = trained(run_of("classification"), table)
    cases = read(run)
    assert cases is not None and cases.groups == ["007", "NA", "nan", "None", "1e3"] * 2


def test_scores_by_image_and_by_patient() -> None:
    run = trained(run_of("classification"), images())
    cases = read(run)
    assert cases is not None
    assert cases.scored().tolist() == [1, 1, 1, 1, 1, 0, 1, 1, 1, 0]
    assert list(cases.scored().index) == [str(i // 2) for i in range(10)]
    counts = [("b", "1", "rv", 1, 0, 0), ("a", "1", "rv", 0, 1, 0), ("c", "2", "rv", 1, 1, 1)]
    table = pd.DataFrame(counts, columns=["case", "group", "organ", "tp", "fp", "fn"])
    organs = read(trained(run_of("segmentation"), table))
    assert organs is not None
    # Dice 1; 1 by the TransUNet policy (truth empty, prediction not); 2 / (2 + 1 + 1).
    assert organs.scored().to_dict() == {"1": 1.0, "2": 0.5}


def test_methods_of_one_test_set() -> None:
    runs = [trained(run_of("classification", method=m), images()) for m in ("vit", "mednext")]
    runs.append(run_of("classification", method="failed"))
    trained(runs[-1], status="failed", reason="diverged", weights={})
    other = trained(run_of("classification", seed=1), images())
    assert [[r.method for r in peers] for peers in sets_of([*runs, other])] == [
        ["vit", "mednext", "failed"], ["mednext"]
    ]  # fmt: skip
    assert list(by_method(runs)) == ["vit", "mednext"]
    trained(runs[1], images().assign(path=list("abcdefghij")))
    with pytest.raises(UserError, match="hold different cases"):
        by_method(runs)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label": 2}, "label 2 of 2 classes"),
        ({"prediction": -1}, "prediction -1 of 2 classes"),
        ({"score_1": np.nan}, "empty cells in column score_1"),
        ({"row": "x"}, "invalid literal"),
    ],
)
def test_damaged_counts_are_refused(change: dict[str, object], words: str) -> None:
    run = trained(run_of("classification"), images().assign(**change))
    with pytest.raises(UserError, match="counts per case are damaged") as raised:
        read(run)
    assert words in str(raised.value) and "cases.last.csv" in str(raised.value)


def test_organs_and_columns_are_those_of_the_run() -> None:
    run = run_of("segmentation")
    trained(run, pd.DataFrame([["c", "g", "spleen", 1, 0, 0]],
                              columns=["case", "group", "organ", "tp", "fp", "fn"]))  # fmt: skip
    with pytest.raises(UserError, match="organ 'spleen' instead of rv, myo, lv"):
        read(run)
    images().drop(columns="group").to_csv("short.csv", index=False)
    with pytest.raises(UserError, match="no column group"):
        read_cases(Path("short.csv"), run_of("classification"))
    with pytest.raises(UserError, match="has not been evaluated"):
        read_cases(paths(run).cases("best_val"), run)
    assert list(images().columns) == case_columns(run_of("classification"))
