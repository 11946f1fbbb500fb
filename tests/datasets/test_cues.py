"""A classifier on file properties finds what gives the class away, and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from mednext.datasets.cues import FEATURES, cue, interval
from mednext.results import Leak


def files(count: int, **columns: object) -> pd.DataFrame:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "label": ["normal", "covid19"] * (count // 2),
            "group": [f"g{n}" for n in range(count)],
            "mode": "RGB",
            "format": "PNG",
            "ending": "png",
            "width": random.integers(200, 400, count),
            "height": random.integers(200, 400, count),
            "bytes": random.integers(10_000, 90_000, count),
        }
    )
    return table.assign(**columns)


@pytest.mark.parametrize(
    ("kind", "planted"),
    [
        (Leak.CUE_COLOUR_MODE, {"mode": ["RGB", "RGBA"] * 100}),
        (Leak.CUE_FORMAT, {"ending": ["jpg", "png"] * 100}),
        (Leak.CUE_SIZE, {"width": [300, 301] * 100}),
        (Leak.CUE_FILE_BYTES, {"bytes": [40_000, 41_000] * 100}),
    ],
)
def test_a_planted_cue_is_found_by_its_name_alone(kind: Leak, planted: dict[str, object]) -> None:
    table = files(200, **planted)
    for name, features in FEATURES.items():
        found = cue(table, features)
        if name in (kind, Leak.CUE_ALL):
            assert found.accuracy == 1 and found.ci_low is not None and found.ci_low > 0.95
        elif found.accuracy is not None:
            assert found.accuracy < 0.7 and found.baseline == 0.5


def test_files_that_are_all_alike_say_nothing() -> None:
    found = cue(files(40), ("mode",))
    assert found.accuracy is None and found.note == "the same in all files: reveals nothing"


def test_a_cue_of_one_patient_is_no_cue() -> None:
    """Ten patients with a width of their own: known patients would be told by it."""
    patients = np.repeat(np.arange(10), 20)
    table = files(200, group=patients.astype(str), width=300 + patients, height=300)
    table["label"] = np.where(np.isin(patients, [0, 3, 4, 7, 9]), "covid19", "normal")
    by_patient = cue(table, ("width",))
    by_image = cue(table.assign(group=[str(n) for n in range(200)]), ("width",))
    assert by_image.accuracy == 1
    assert by_patient.accuracy is not None and by_patient.accuracy < 0.8
    assert by_patient.groups == 10 and by_image.groups == 200
    # with ten patients little is certain
    assert by_patient.ci_high is not None and by_patient.ci_low is not None
    assert by_patient.ci_high - by_patient.ci_low > 0.3


def test_one_group_per_class_cannot_be_cross_validated() -> None:
    found = cue(files(20, group=["a", "b"] * 10), ("width",))
    assert found.accuracy is None and "fewer than two groups" in str(found.note)


def test_independent_items_have_wilsons_interval() -> None:
    right = np.arange(100) < 80
    bounds = binomtest(80, 100).proportion_ci(method="wilson")
    # the estimated design effect of independent items is n / (n - 1): 99 trials
    assert interval(right, np.arange(100)) == pytest.approx((bounds.low, bounds.high), abs=0.01)


def test_groups_of_equal_items_count_once() -> None:
    right = np.repeat(np.arange(20) < 16, 50)
    bounds = binomtest(16, 20).proportion_ci(method="wilson")
    found = interval(right, np.repeat(np.arange(20), 50))
    assert found == pytest.approx((bounds.low, bounds.high), abs=0.02)
