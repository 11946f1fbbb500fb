"""curves.csv and the two functions behind it, by hand and against scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from mednext.analysis.curves import GRID, curves
from mednext.metrics.curves import reliability, roc_at
from mednext.results import CurveRow, read_rows
from tests.finished_runs import images, paths, run_of, trained

OUT = Path("curves.csv")
LABELS = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=4, max_size=40)


@given(LABELS)
def test_points_lie_on_the_curve_of_scikit_learn(cases: list[tuple[bool, int]]) -> None:
    positive = np.asarray([p for p, _ in cases])
    score = np.asarray([s / 8 for _, s in cases])
    if positive.all() or not positive.any():
        assert np.isnan(roc_at(positive, score, GRID)).all()
        return
    fpr, tpr, _ = roc_curve(positive, score, drop_intermediate=False)
    at = roc_at(positive, score, np.unique(fpr))
    assert at == pytest.approx([tpr[fpr == x].max() for x in np.unique(fpr)])
    fine = np.linspace(0, 1, 4001)
    area = np.trapezoid(roc_at(positive, score, fine), fine)
    # A step between two points of the fine grid is drawn slanted.
    assert area == pytest.approx(roc_auc_score(positive, score), abs=0.01)


def test_reliability_by_hand() -> None:
    positive = np.asarray([False, True, True, True, False])
    score = np.asarray([0.05, 0.15, 0.17, 1.0, 0.9])
    assert reliability(positive, score) == [
        (pytest.approx(0.05), 0, 1),
        (pytest.approx(0.16), 2, 2),
        (pytest.approx(0.95), 1, 2),  # a score of 1 belongs to the last bin
    ]


def history(run: object) -> None:
    table = pd.DataFrame(
        {
            "epoch": [1, 2],
            "lr": [0.1, 0.1],
            "train_loss": [0.7, 0.5],
            "val_loss": [0.8, None],
            "val_score": [0.6, None],
        }
    )
    table.to_csv(paths(run).history, index=False)  # type: ignore[arg-type]


def test_the_first_seed_of_the_paper_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [
        trained(run_of("classification", seed=seed, protocol=protocol), images())
        for protocol in ("paper", "grouped")
        for seed in (0, 1)
    ]
    runs.append(trained(run_of("segmentation"), status="failed", reason="diverged", weights={}))
    for run in runs:
        history(run)
    curves(runs, OUT)
    rows = read_rows(OUT, CurveRow)
    assert {(r.protocol, r.seed, r.selection) for r in rows} == {("paper", 0, "last")}
    assert {r.curve for r in rows if r.dataset == "acdc"} == {"train_loss", "val_loss", "val_score"}
    sars = [r for r in rows if r.dataset == "sars_cov2_ct"]
    losses = {(r.curve, r.x): r.y for r in sars if r.curve in ("train_loss", "val_loss")}
    assert losses == {("train_loss", 1): 0.7, ("train_loss", 2): 0.5, ("val_loss", 1): 0.8}
    roc = [r for r in sars if r.curve == "roc"]
    assert len(roc) == len(GRID)
    # 6 diseased, 4 normal; above the highest normal score (0.75) are three of the diseased
    assert (roc[0].x, roc[0].y) == (0.0, 0.5)
    # with one false alarm (0.75) the next two, 0.7 and 0.6
    assert next(r.y for r in roc if r.x >= 0.25) == pytest.approx(5 / 6)
    for row in roc:
        if row.y_low is not None and row.y_high is not None and row.y is not None:
            assert 0 <= row.y_low <= row.y <= row.y_high <= 1
    bins = [(r.x, r.y, r.n) for r in sars if r.curve == "reliability"]
    assert (pytest.approx(0.9), 1.0, 2) in bins
    assert sum(n for *_, n in bins) == 10
