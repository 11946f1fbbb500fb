"""metrics.csv from counts that were worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import binomtest

from mednext.analysis.metrics import collect
from mednext.errors import UserError
from mednext.results import Metric, MetricRow, read_rows
from tests.finished_runs import images, run_of, trained

OUT = Path("metrics.csv")


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_both_orientations_by_hand() -> None:
    collect([trained(run_of("classification"), images())], OUT)
    rows = read_rows(OUT, MetricRow)
    value = {(r.target, str(r.metric)): r.value for r in rows}
    assert len(rows) == 2 * 10 + 1 == len(value)
    assert value.pop(("train", "train_loss")) == 0.5  # of the last of two epochs
    rows = [r for r in rows if r.metric is not Metric.TRAIN_LOSS]
    assert value["disease", "recall"] == value["non_disease", "specificity"] == 5 / 6
    assert value["disease", "specificity"] == value["non_disease", "recall"] == 3 / 4
    assert value["disease", "precision"] == 5 / 6
    assert value["non_disease", "precision"] == 3 / 4
    assert value["disease", "accuracy"] == value["non_disease", "accuracy"] == 8 / 10
    # of 24 pairs in order: 4 for each of 0.9, 0.9, 0.8; 3 for each of 0.7, 0.6; 1 for 0.2
    assert value["disease", "auc"] == pytest.approx(19 / 24)
    assert {(r.n_cases, r.n_groups, r.status, r.policy) for r in rows} == {(10, 5, "ok", None)}
    accuracy = next(r for r in rows if r.metric is Metric.ACCURACY)
    assert accuracy.ci_low is not None and accuracy.ci_high is not None
    # 5 groups say less than 10 independent images would.
    alone = binomtest(8, 10).proportion_ci(method="wilson")
    assert accuracy.ci_high - accuracy.ci_low > alone.high - alone.low
    for row in rows:
        if row.metric is Metric.ECE:  # its estimate is biased: it has no interval
            assert row.ci_low is None and row.ci_high is None
            continue
        assert row.ci_low is not None and row.ci_high is not None and row.value is not None
        assert row.ci_low < row.value < row.ci_high


def organs() -> pd.DataFrame:
    """Two cases of two patients; the myocardium of the second is neither there nor found."""
    counts = {
        ("a", "rv"): (8, 2, 2),
        ("a", "myo"): (5, 0, 5),
        ("a", "lv"): (4, 4, 0),
        ("b", "rv"): (0, 0, 3),  # not found
        ("b", "myo"): (0, 0, 0),
        ("b", "lv"): (0, 6, 0),  # not there
    }
    missing = ("hd95_pooled_mm", "hd95_max_mm", "diagonal_mm")  # no spacing
    return pd.DataFrame(
        [
            {
                "case": case,
                "group": case,
                "organ": organ,
                "side": "test",
                **dict(zip(("tp", "fp", "fn"), three, strict=True)),
                "hd95_pooled_vox": 3.0 if case == "a" else float("nan"),
                "hd95_max_vox": 4.0 if case == "a" else float("nan"),
                "diagonal_vox": 50.0 if case == "a" else 60.0,
                **dict.fromkeys(missing, float("nan")),
            }
            for (case, organ), three in counts.items()
        ]
    )


def test_dice_under_three_policies_by_hand() -> None:
    collect([trained(run_of("segmentation"), organs())], OUT)
    rows = read_rows(OUT, MetricRow)
    value = {(str(r.metric), r.policy, r.target): r.value for r in rows}
    a = {"rv": 16 / 20, "myo": 10 / 15, "lv": 8 / 12}
    expected = {
        "transunet": {"rv": (a["rv"] + 0) / 2, "myo": (a["myo"] + 0) / 2, "lv": (a["lv"] + 1) / 2},
        "nan": a,
        "worst": {"rv": a["rv"] / 2, "myo": a["myo"], "lv": a["lv"] / 2},
    }
    for policy, by_organ in expected.items():
        for organ, number in by_organ.items():
            assert value["dice", policy, organ] == pytest.approx(number), (policy, organ)
        mean = sum(by_organ.values()) / 3
        assert value["dice", policy, "mean"] == pytest.approx(mean)
    # One set of predictions, three numbers.
    for metric in ("dice", "hd95_pooled_vox"):
        assert len({value[metric, policy, "mean"] for policy in expected}) == 3
    far = {
        "transunet": {"rv": (3 + 0) / 2, "myo": (3 + 0) / 2, "lv": (3 + 0) / 2},
        "nan": {"rv": 3, "myo": 3, "lv": 3},
        "worst": {"rv": (3 + 60) / 2, "myo": 3, "lv": (3 + 60) / 2},
    }
    for policy, by_organ in far.items():
        for organ, number in by_organ.items():
            assert value["hd95_pooled_vox", policy, organ] == pytest.approx(number), policy
    assert value["hd95_max_vox", "nan", "rv"] == 4.0
    assert not any(str(r.metric).endswith("_mm") for r in rows)  # no spacing, no millimetres


def test_a_run_without_numbers_is_one_row_with_its_reason() -> None:
    failed = trained(run_of("classification"), status="failed", reason="diverged", weights={})
    no_val = trained(
        run_of("segmentation", selections=("last", "best_val")), organs(), weights={"last": "0"}
    )
    collect([failed, no_val], OUT)
    rows = read_rows(OUT, MetricRow)
    (first,) = [r for r in rows if r.status == "failed"]
    assert (first.reason, first.metric, first.value) == ("diverged", None, None)
    (second,) = [r for r in rows if r.status == "skipped"]
    assert second.selection == "best_val" and "validation" in str(second.reason)


def test_collecting_twice_gives_the_same_bytes() -> None:
    runs = [trained(run_of("classification"), images()), trained(run_of("segmentation"), organs())]
    collect(runs, OUT)
    first = OUT.read_bytes()
    collect(runs, OUT)
    assert OUT.read_bytes() == first


@pytest.mark.parametrize("missing", ["run", "cases"])
def test_what_is_missing_is_named(missing: str) -> None:
    run = run_of("classification")
    if missing == "cases":
        trained(run)
    file = "run.json" if missing == "run" else "cases.last.csv"
    with pytest.raises(UserError, match=file):
        collect([run], OUT)
    assert not OUT.exists()
