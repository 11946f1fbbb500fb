"""The Dice of perfect masks that were resized there and back."""

from __future__ import annotations

import numpy as np

from mednext.analysis.ceiling import there_and_back
from mednext.datasets.prepare import resize_slice
from mednext.metrics.segmentation import dice, organ_counts
from mednext.training.evaluate import native_labels


def test_a_mask_on_the_small_grid_survives_and_a_fine_one_does_not() -> None:
    coarse = np.zeros((2, 8, 8), np.uint8)
    coarse[:, :4, 4:] = 2
    assert (there_and_back(coarse, 2) == coarse).all()
    fine = np.zeros((1, 8, 8), np.uint8)
    fine[:, ::2] = 1  # lines of one pixel
    back = there_and_back(fine, 4)
    tp, fp, fn = organ_counts(fine, back, 1)
    assert back.shape == fine.shape and back.dtype == np.uint8
    assert float(dice([tp], [fp], [fn], "transunet")[0]) < 0.8


def test_masks_go_back_as_those_of_networks_do() -> None:
    truth = np.random.default_rng(0).integers(0, 4, (3, 37, 51)).astype(np.uint8)
    small = np.stack([resize_slice(plane, 20, order=0) for plane in truth])
    assert (there_and_back(truth, 20) == native_labels(small, truth.shape)).all()


def test_the_ceiling_of_a_disc_by_counting() -> None:
    """A thin ring loses more than the disc around it."""
    y, x = np.mgrid[:80, :80] - 39.5
    radius = np.hypot(x, y)
    truth = np.where(radius < 20, 1, np.where(radius < 23, 2, 0)).astype(np.uint8)[None]
    of_disc, of_ring = (
        float(dice(*([v] for v in organ_counts(truth, there_and_back(truth, 30), k)), "nan")[0])
        for k in (1, 2)
    )
    assert 0.9 < of_disc < 1 and of_ring < 0.85 < of_disc
