from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from medpy.metric import binary as oracle

from mednext.metrics.segmentation import POLICIES, dice, hausdorff, image_diagonal, organ_counts

maps = arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 3))
NAN = float("nan")


def test_counts_by_hand() -> None:
    truth = np.array([[1, 1, 2], [0, 2, 2]])
    found = np.array([[1, 2, 2], [1, 0, 2]])
    assert organ_counts(truth, found, 1) == (1, 1, 1)
    assert organ_counts(truth, found, 2) == (2, 1, 1)
    assert organ_counts(truth, found, 3) == (0, 0, 0)


@given(maps, maps)
def test_counts_add_up_and_dice_is_medpys(truth: np.ndarray, found: np.ndarray) -> None:
    for organ in (1, 2, 3):
        tp, fp, fn = organ_counts(truth, found, organ)
        assert tp + fn == (truth == organ).sum()
        assert tp + fp == (found == organ).sum()
        if tp + fn and tp + fp:
            expected = oracle.dc(found == organ, truth == organ)
            for policy in POLICIES:
                got = dice(np.array([tp]), np.array([fp]), np.array([fn]), policy)
                assert got[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("policy", "truth_empty", "found_empty", "both_empty"),
    # design.md section 3; the first line is TransUNet's calculate_metric_percase
    [("transunet", 1.0, 0.0, 0.0), ("nan", NAN, NAN, NAN), ("worst", 0.0, 0.0, NAN)],
)
def test_empty_masks(
    policy: str, truth_empty: float, found_empty: float, both_empty: float
) -> None:
    tp, fp, fn = np.array([0, 0, 0, 3]), np.array([5, 0, 0, 1]), np.array([0, 5, 0, 2])
    expected = [truth_empty, found_empty, both_empty, 2 * 3 / (2 * 3 + 1 + 2)]
    assert dice(tp, fp, fn, policy) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("policy", "truth_empty", "found_empty", "both_empty"),
    [("transunet", 0.0, 0.0, 0.0), ("nan", NAN, NAN, NAN), ("worst", 30.0, 30.0, NAN)],
)
def test_distance_of_empty_masks(
    policy: str, truth_empty: float, found_empty: float, both_empty: float
) -> None:
    tp, fp, fn = np.array([0, 0, 0, 3]), np.array([5, 0, 0, 1]), np.array([0, 5, 0, 2])
    distance = np.array([NAN, NAN, NAN, 2.5])
    found = hausdorff(distance, tp, fp, fn, np.full(4, 30.0), policy)
    assert found == pytest.approx([truth_empty, found_empty, both_empty, 2.5], nan_ok=True)


def test_diagonal_from_corner_to_corner() -> None:
    assert image_diagonal((3, 5, 7)) == pytest.approx((4 + 16 + 36) ** 0.5)
    assert image_diagonal((3, 5, 7), (10, 2, 1)) == pytest.approx((400 + 64 + 36) ** 0.5)


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="transunet"):
        dice(np.array([1]), np.array([1]), np.array([1]), "zero")
