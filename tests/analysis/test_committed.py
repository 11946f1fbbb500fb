"""What a review recomputed of the committed cases, by another library or by simulation."""

from __future__ import annotations

from itertools import combinations
from statistics import median

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from mednext.metrics.comparison import wilcoxon_paired
from mednext.metrics.joint import joint
from mednext.metrics.power import components, detectable, power
from tests.checkout import ROOT

REFERENCE = ROOT / "results" / "reference" / "reduced"
MEDNEXT, WITHOUT_LAFFN = "mednext", "mednext_sem_sdffn"


def right(dataset: str, method: str, seed: int = 0) -> pd.Series:
    """Group of each test image -> was it right?"""
    folder = REFERENCE / "runs" / dataset / "paper" / method / f"seed{seed}"
    cases = pd.read_csv(folder / "cases.last.csv.gz").query("side == 'test'")
    return (cases.label == cases.prediction).astype(float).set_axis(cases.group)


def clustered(difference: pd.Series) -> float:
    """Design effect of a mean: its variance by group over that of single images (statsmodels)."""
    model = sm.OLS(difference.to_numpy(), np.ones(len(difference)))
    groups = {"groups": pd.factorize(difference.index)[0]}
    by_group = model.fit(cov_type="cluster", cov_kwds=groups)
    return float((by_group.bse[0] / model.fit().bse[0]) ** 2)


def methods(dataset: str) -> list[str]:
    return sorted(p.name for p in (REFERENCE / "runs" / dataset / "paper").iterdir())


@pytest.mark.parametrize(
    ("dataset", "expected"), [("sars_cov2_ct", 1.35), ("monkeypox_msld", 1.95)]
)
def test_groups_of_images_inflate_the_variance_of_a_paired_difference(
    dataset: str, expected: float
) -> None:
    scores = {method: right(dataset, method) for method in methods(dataset)}
    effects = {
        (a, b): clustered(scores[a] - scores[b].to_numpy()) for a, b in combinations(scores, 2)
    }
    assert median(effects.values()) == pytest.approx(expected, abs=0.05)
    orders = pd.read_csv(REFERENCE / "orders.csv").query(
        "dataset == @dataset and basis == 'borrowed'"
    )
    for row in orders.itertuples():
        a, b = sorted((row.method_a, row.method_b))
        assert row.design_effect == pytest.approx(effects[a, b], rel=1e-9)
    assert len(orders) == (len(effects) if dataset == "sars_cov2_ct" else 0)


def test_a_difference_of_a_point_was_not_detectable_over_three_seeds() -> None:
    """0.95 points were once printed as seen with probability 0.8, for cases alone."""
    values = np.array(
        [
            right("sars_cov2_ct", MEDNEXT, seed)
            - right("sars_cov2_ct", WITHOUT_LAFFN, seed).to_numpy()
            for seed in range(3)
        ]
    )
    groups = list(right("sars_cov2_ct", MEDNEXT).index)
    parts = components(joint(values, groups), 3)
    assert power(0.0095, parts, groups=378, seeds=3) == pytest.approx(0.17, abs=0.05)
    least = detectable(parts, groups=378, seeds=3)
    orders = pd.read_csv(REFERENCE / "orders.csv").query("basis == 'seeds'")
    (row,) = orders.query("method_a == @MEDNEXT and method_b == @WITHOUT_LAFFN").itertuples()
    assert row.detectable == pytest.approx(least) and least > 0.025


def test_wilcoxon_of_20_patients_sees_half_of_what_the_normal_formula_says() -> None:
    """9.8 points, once printed as detectable first of 210 pairs, with a deviation of 9.5."""
    random = np.random.default_rng(0)
    draws = random.normal(9.8, 9.5, (1500, 20))
    found = np.mean([wilcoxon_paired(draw, np.zeros(20)) < 0.05 / 210 for draw in draws])
    assert found == pytest.approx(0.45, abs=0.06)


@pytest.mark.parametrize("name", ["metrics", "conditions"])
def test_no_ece_has_an_interval(name: str) -> None:
    """Simulated, none of the usual ones covers."""
    rows = pd.read_csv(REFERENCE / f"{name}.csv").query("metric == 'ece'")
    assert len(rows) > 10 and rows[["ci_low", "ci_high"]].isna().to_numpy().all()


def test_table_7_agrees_in_five_of_eight_rows_without_the_maps_of_sem() -> None:
    printed = pd.read_csv(ROOT / "benchmarks" / "reported" / "table7_ablation_classification.csv")
    costs = pd.read_csv(REFERENCE / "cost.csv").query("input_shape == '1x3x224x224'")
    ours = costs.drop_duplicates("method").set_index("method")
    names = ["mednext" + ("" if s == "laffn_sem_sdffn" else f"_{s}") for s in printed.slug]
    counted = ours.gmacs_without_maps.fillna(ours.gmacs_fvcore)[names].to_numpy()
    near = np.abs(counted - printed.flops_g) < 0.01
    assert dict(zip(printed.no, near, strict=True)) == {
        f"#{n}": n in (3, 5, 6, 7, 8) for n in range(1, 9)
    }
    # The three with self-attention miss one and the same 0.99 GMACs.
    assert np.ptp((printed.flops_g - counted)[~near]) < 0.01
