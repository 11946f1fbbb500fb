"""What is said of predictions: by hand, by scikit-learn, and as the committed results say."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from mednext.analysis.score import Truth, judge, truth_of_runs
from mednext.results import DifferenceRow, Metric, MetricRow, read_rows
from mednext.results.score import YOURS, ScoreReport

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "results/reference/reduced"
PAIRS = sorted(
    {
        tuple(file.relative_to(REFERENCE / "runs").parts[:4])
        for file in (REFERENCE / "runs").glob("*/*/*/seed*/cases.last.csv.gz")
        if "score_0" in gzip.decompress(file.read_bytes())[:200].decode()
    }
)
"""Data set, protocol, method, seed of every committed classification run."""


def export(cell: tuple[str, ...], folder: Path) -> Path:
    """The predictions of a committed run as a user's CSV, in another order; without the suite."""
    file = (REFERENCE / "runs").joinpath(*cell, "cases.last.csv.gz")
    with gzip.open(file, "rt", newline="") as stream:
        rows = list(csv.DictReader(stream))
    np.random.default_rng(0).shuffle(rows)
    out = folder / "mine.csv"
    with out.open("w", newline="") as stream:
        names = ["path", "prediction", "score_0", "score_1"]
        writer = csv.DictWriter(stream, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return out


def scored(cell: tuple[str, ...], folder: Path) -> ScoreReport:
    truth = truth_of_runs(REFERENCE, cell[0], cell[1], "last")
    return judge(export(cell, folder), dataclasses.replace(truth, peers={}), "last", None, "0")[0]


def check(cells: list[tuple[str, ...]], folder: Path) -> None:
    rows = read_rows(REFERENCE / "metrics.csv", MetricRow)
    for cell in cells:
        expected = {
            # Of ECE older files have an interval, which its biased estimate does not deserve.
            (r.metric, r.target): (
                (r.value, None, None, r.n_cases, r.n_groups)
                if r.metric is Metric.ECE
                else (r.value, r.ci_low, r.ci_high, r.n_cases, r.n_groups)
            )
            for r in rows
            if (r.dataset, r.protocol, r.method, f"seed{r.seed}") == cell
            and r.selection == "last"
            and r.metric is not Metric.TRAIN_LOSS
        }
        found = {
            (r.metric, r.target): (r.value, r.ci_low, r.ci_high, r.n_cases, r.n_groups)
            for r in scored(cell, folder).metrics
        }
        assert len(expected) == 20 and found == expected, cell


def test_there_are_53_committed_classification_runs() -> None:
    assert len(PAIRS) == 53


def test_a_run_of_each_data_set_and_protocol_scores_exactly_as_committed(tmp_path: Path) -> None:
    firsts = {cell[:2]: cell for cell in reversed(PAIRS)}
    check(list(firsts.values()), tmp_path)


@pytest.mark.slow
def test_every_committed_classification_run_scores_exactly_as_committed(tmp_path: Path) -> None:
    check(PAIRS, tmp_path)


@pytest.mark.parametrize("cell", PAIRS[::13], ids="/".join)
def test_scikit_learn_agrees_with_what_is_scored(cell: tuple[str, ...], tmp_path: Path) -> None:
    found = {
        str(r.metric): r.value for r in scored(cell, tmp_path).metrics if r.target == "disease"
    }
    file = (REFERENCE / "runs").joinpath(*cell, "cases.last.csv.gz")
    truth = dict(pd.read_csv(file)[["path", "label"]].to_numpy().tolist())
    mine = pd.read_csv(tmp_path / "mine.csv")
    label, score = mine.path.map(truth).to_numpy(int), mine.score_1.to_numpy()
    predicted = mine.prediction.to_numpy()
    expected = {
        "accuracy": sk.accuracy_score(label, predicted),
        "precision": sk.precision_score(label, predicted),
        "recall": sk.recall_score(label, predicted),
        "f1": sk.f1_score(label, predicted),
        "specificity": sk.recall_score(label, predicted, pos_label=0),
        "balanced_accuracy": sk.balanced_accuracy_score(label, predicted),
        "mcc": sk.matthews_corrcoef(label, predicted),
        "auc": sk.roc_auc_score(label, score),
        "brier": sk.brier_score_loss(label, score),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


def test_differences_are_those_of_the_committed_file(tmp_path: Path) -> None:
    cell = ("monkeypox_msld", "grouped", "mednext", "seed0")
    truth = truth_of_runs(REFERENCE, *cell[:2], "last")
    report, _ = judge(export(cell, tmp_path), truth, "last", REFERENCE, "0")
    committed = {
        r.method_b: (r.difference, r.ci_low, r.ci_high)
        for r in read_rows(REFERENCE / "differences.csv", DifferenceRow)
        if (r.dataset, r.protocol, r.method_a, r.seed) == (*cell[:3], 0)
    }
    found = {
        r.method: (r.difference, r.ci_low, r.ci_high)
        for r in report.against_rows
        if r.metric is Metric.ACCURACY and r.seed == 0 and r.method in committed
    }
    assert len(found) == 3
    for method, numbers in committed.items():
        assert found[method] == pytest.approx(numbers, abs=1e-12), method
    itself = [r for r in report.against_rows if (r.method, r.seed) == ("mednext", 0)]
    assert {(r.difference, r.p_holm) for r in itself} == {(0.0, 1.0)}


def test_rank_and_worst_cases_by_hand(truth: Truth) -> None:
    """``mednext`` gets 8 of 10 right, ``resnet18`` all; ours is all but the last image."""
    labels = truth.cases.label.to_numpy()
    mine = pd.DataFrame({"path": truth.cases.path, "score": np.where(labels, 0.9, 0.2)})
    mine.loc[9, "score"] = 0.7
    mine.to_csv("mine.csv", index=False)
    report, _ = judge(Path("mine.csv"), truth, "last", Path("results/tiny"), "0")
    places = {place.method: place for place in report.places}
    assert {name: p.rank for name, p in places.items()} == {"resnet18": 1, YOURS: 2, "mednext": 3}
    # Ours and it tie where the last of five groups is not drawn, all three where the third is not
    # drawn either; a tie shares the place.
    two, three = (4 / 5) ** 5 - (3 / 5) ** 5, (3 / 5) ** 5
    expected = 1 - two / 2 - three * 2 / 3
    assert places["resnet18"].first == pytest.approx(expected, abs=0.04)
    assert places[YOURS].value == 0.9 and places[YOURS].rank_low == 1
    (worst,) = report.worst
    assert (worst.case, worst.truth, worst.prediction) == ("well/9.png", "normal", "covid19")
    assert worst.score == pytest.approx(0.7) and worst.others == 0.5
    differences = {
        r.method: r.difference for r in report.against_rows if r.metric is Metric.ACCURACY
    }
    assert differences == pytest.approx({"mednext": 0.1, "resnet18": -0.1})
    json.dumps(report.model_dump(mode="json"), allow_nan=False)


def test_classes_alone_give_no_metric_of_scores(truth: Truth) -> None:
    table = truth.peers["mednext", 0].table
    table[["path", "prediction"]].to_csv("mine.csv", index=False)
    report, _ = judge(Path("mine.csv"), truth, "last", Path("results/tiny"), "0")
    assert {str(r.metric) for r in report.metrics} == {
        "accuracy", "precision", "recall", "f1", "specificity", "balanced_accuracy", "mcc"
    }  # fmt: skip
    assert {r.metric for r in report.against_rows} == {Metric.ACCURACY}
    assert {w.score for w in report.worst} == {None}
