from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from medpy.metric import binary as oracle

from mednext.metrics.surface import hd95, hd95_of_organs

SHAPE = (4, 6, 7)


@st.composite
def boxes(draw: st.DrawFn) -> np.ndarray:
    """A block of voxels, often touching the borders of the image; a single voxel at the least."""
    mask = np.zeros(SHAPE, bool)
    spans = []
    for length in SHAPE:
        start = draw(st.integers(0, length - 1))
        spans.append(slice(start, draw(st.integers(start + 1, length))))
    mask[tuple(spans)] = True
    return mask


def one_voxel(place: int) -> np.ndarray:
    return np.arange(np.prod(SHAPE)).reshape(SHAPE) == place


masks = st.one_of(
    arrays(bool, SHAPE, elements=st.booleans()),
    boxes(),
    st.integers(0, int(np.prod(SHAPE)) - 1).map(one_voxel),
    st.just(np.zeros(SHAPE, bool)),
)
spacings = st.one_of(
    st.none(), st.tuples(*[st.sampled_from([0.5, 1.0, 1.37, 5.0, 10.0]) for _ in range(3)])
)


@settings(deadline=None, max_examples=150)
@given(masks, masks, spacings)
def test_medpy_agrees(
    truth: np.ndarray, found: np.ndarray, spacing: tuple[float, float, float] | None
) -> None:
    pooled, largest = hd95(truth, found, spacing)
    if not (truth.any() and found.any()):
        assert math.isnan(pooled) and math.isnan(largest)
        with pytest.raises(RuntimeError):
            oracle.hd95(found, truth, voxelspacing=spacing)
        return
    assert pooled == pytest.approx(oracle.hd95(found, truth, voxelspacing=spacing), abs=1e-6)
    there = np.percentile(oracle.__surface_distances(truth, found, spacing), 95)
    back = np.percentile(oracle.__surface_distances(found, truth, spacing), 95)
    assert largest == pytest.approx(max(there, back), abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(masks, masks)
def test_swapping_the_masks_changes_nothing(truth: np.ndarray, found: np.ndarray) -> None:
    assume(truth.any() and found.any())
    assert hd95(truth, found) == pytest.approx(hd95(found, truth))


def test_medpy_agrees_on_organs_of_real_size() -> None:
    z, y, x = np.ogrid[:10, :90, :80]
    truth = ((z - 5) / 4) ** 2 + ((y - 40) / 22) ** 2 + ((x - 40) / 17) ** 2 < 1
    found = ((z - 4) / 5) ** 2 + ((y - 47) / 20) ** 2 + ((x - 38) / 19) ** 2 < 1
    found[0, 88, 79] = True  # an outlier at the border of the image
    for spacing in (None, (10.0, 1.56, 1.56)):
        expected = oracle.hd95(found, truth, voxelspacing=spacing)
        assert hd95(truth, found, spacing)[0] == pytest.approx(expected, abs=1e-6)


def test_single_voxels_with_anisotropic_spacing() -> None:
    truth, found = np.zeros((2, 5, 5), bool), np.zeros((2, 5, 5), bool)
    truth[0, 0, 0] = True
    found[1, 3, 4] = True
    assert hd95(truth, found)[0] == pytest.approx(math.sqrt(1 + 9 + 16))
    assert hd95(truth, found, (10.0, 2.0, 1.0))[1] == pytest.approx(math.sqrt(100 + 36 + 16))


def test_pooled_is_not_max() -> None:
    # 40 voxels of the truth have a partner, the prediction has 4 more, 10 voxels away: 4 of 84
    # distances pooled (under 5 %), 4 of 44 in one direction (over 5 %).
    truth = np.zeros((1, 1, 120), bool)
    truth[0, 0, 0:80:2] = True
    found = truth.copy()
    found[0, 0, [88, 88 + 2, 88 + 4, 88 + 6]] = True
    pooled, largest = hd95(truth, found)
    assert pooled == 0
    assert largest > 10


def test_equal_masks_are_at_distance_zero() -> None:
    mask = np.zeros((3, 8, 8), bool)
    mask[1, 2:6, 3:7] = True
    assert hd95(mask, mask) == (0.0, 0.0)


@pytest.mark.parametrize("empty", ["truth", "prediction", "both"])
def test_without_a_surface_there_is_no_distance(empty: str) -> None:
    full, none = np.ones((2, 3, 3), bool), np.zeros((2, 3, 3), bool)
    truth = full if empty == "prediction" else none
    found = full if empty == "truth" else none
    assert all(math.isnan(v) for v in hd95(truth, found))


label_maps = arrays(np.uint8, (4, 6, 7), elements=st.integers(0, 4))


@settings(deadline=None, max_examples=60)
@given(label_maps, label_maps, spacings)
def test_all_organs_at_once_are_each_alone(
    truth: np.ndarray, found: np.ndarray, spacing: tuple[float, float, float] | None
) -> None:
    together = hd95_of_organs(truth, found, [3, 1, 4], [None, spacing])
    for row, organ in enumerate([3, 1, 4]):
        for column, steps in enumerate((None, spacing)):
            inside, seen = truth == organ, found == organ
            if not inside.any() or not seen.any():
                assert np.isnan(together[row, column]).all()
                continue
            expected = oracle.hd95(seen, inside, voxelspacing=steps)
            assert together[row, column, 0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("patient", [1, 35, 62])
def test_medpy_agrees_on_real_labels(local_data: Callable[[str], Path], patient: int) -> None:
    """End-systole against end-diastole of one heart: real shapes, shifted and shrunk."""
    folder = local_data("acdc") / "ACDC_training_volumes"
    maps = []
    for file in sorted(folder.glob(f"patient{patient:03d}_frame*.h5")):
        with h5py.File(file) as stored:
            maps.append(stored["label"][:])
    truth, found = maps
    spacings = (None, (10.0, 1.37, 1.37))
    together = hd95_of_organs(truth, found, [1, 2, 3], spacings)
    for row, organ in enumerate((1, 2, 3)):
        for column, spacing in enumerate(spacings):
            expected = oracle.hd95(found == organ, truth == organ, voxelspacing=spacing)
            assert together[row, column, 0] == pytest.approx(expected, abs=1e-6)


def test_maps_of_different_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 2\).*\(2, 3\)"):
        hd95_of_organs(np.zeros((2, 2)), np.zeros((2, 3)), [1])
