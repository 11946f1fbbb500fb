"""Corruptions: MedMNIST-C's definitions, worse from step to step, drawn from names alone."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as vision

from mednext.training.corruptions import CT, MR, SEVERITIES, SKIN, Steps, corrupted, corruptions_of


def grey(side: int = 64) -> np.ndarray:
    """A smooth image with an edge: (side, side) uint8."""
    y, x = np.mgrid[:side, :side] / side
    return (60 + 100 * y + 60 * (x > 0.5)).astype(np.uint8)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_definitions_of_medmnist_c() -> None:
    """Written down from its paper and code, by other libraries where they have it."""
    image = grey()
    picture = Image.fromarray(image)
    shares = image / 255
    for severity, sd in zip(SEVERITIES, (0.04, 0.08, 0.12, 0.16, 0.20), strict=True):
        noise = np.random.default_rng(7).normal(size=image.shape, scale=sd)
        expected = (np.clip(shares + noise, 0, 1) * 255).astype(np.uint8)
        assert (corrupted(image, CT, "gaussian_noise", severity, rng()) == expected).all()
    noise = np.random.default_rng(7).normal(size=image.shape, scale=0.4)
    expected = (np.clip(shares + shares * noise, 0, 1) * 255).astype(np.uint8)
    assert (corrupted(image, CT, "speckle_noise", 5, rng()) == expected).all()
    counts = np.random.default_rng(7).poisson(shares * 15) / 15
    expected = (np.clip(counts, 0, 1) * 255).astype(np.uint8)
    assert (corrupted(image, CT, "shot_noise", 5, rng()) == expected).all()
    for severity, size in zip(SEVERITIES, (11, 13, 15, 17, 21), strict=True):
        blurred = vision.gaussian_blur(torch.from_numpy(image)[None], [size, size])[0].numpy()
        found = corrupted(image, CT, "gaussian_blur", severity, rng())
        assert np.abs(found.astype(int) - blurred).max() <= 1
    for name, power in (("gamma_up", 2.0), ("gamma_down", 0.4)):
        expected = np.asarray(vision.adjust_gamma(picture, power))
        assert (corrupted(image, CT, name, 5, rng()) == expected).all()
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=7)
    assert (corrupted(image, CT, "jpeg", 5, rng()) == np.asarray(Image.open(stream))).all()
    # Half the contrast about the rounded mean; half the side, each block of 2 x 2 its mean.
    mean = int(image.mean() + 0.5)
    expected = mean + (image.astype(float) - mean) * 0.5
    assert np.abs(corrupted(image, CT, "contrast_down", 5, rng()) - expected).max() <= 1
    blocks = image.reshape(32, 2, 32, 2).mean(axis=(1, 3)).repeat(2, 0).repeat(2, 1)
    assert np.abs(corrupted(image, CT, "pixelate", 3, rng()) - blocks).max() <= 1


def test_impulses_hit_the_stated_share_and_half_of_them_are_white() -> None:
    image = np.full((400, 400), 128, np.uint8)
    found = corrupted(image, CT, "impulse_noise", 5, rng())
    assert (found != 128).mean() == pytest.approx(0.08, abs=0.003)
    assert (found == 255).sum() / (found != 128).sum() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("steps", "shape"), [(CT, (1, 64, 64)), (MR, (64, 64)), (SKIN, (3, 64, 64))]
)
def test_every_step_keeps_shape_and_type_and_is_worse_than_the_one_before(
    steps: Steps, shape: tuple[int, ...]
) -> None:
    plain = np.broadcast_to(grey(), shape)
    image = (plain / np.float32(255)).astype(np.float32) if steps is MR else plain
    for name in steps:
        off = []
        for severity in SEVERITIES:
            found = corrupted(image, steps, name, severity, rng())
            assert found.shape == shape and found.dtype == image.dtype and np.isfinite(found).all()
            off.append(float(np.abs(found.astype(float) - image).mean()))
        assert off[0] > 0, name
        # Blocks that do not divide the side may fall on an edge, or beside it.
        assert off == sorted(off) or (name == "pixelate" and off[0] < off[-1]), (name, off)


def test_which_corruptions_a_data_set_gets() -> None:
    assert corruptions_of("acdc", 1) is MR and corruptions_of("sars_cov2_ct", 1) is CT
    assert corruptions_of("monkeypox_msld", 3) is SKIN
    assert corruptions_of("my_scans", 1) is CT and corruptions_of("my_scans", 3) is SKIN
