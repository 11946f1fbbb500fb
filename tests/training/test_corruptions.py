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


PLACES = (0, 10, 31, 40, 63, 5), (0, 33, 30, 63, 32, 60)
"""Rows and columns of the recorded pixels."""


def coloured() -> np.ndarray:
    """(64, 64, 3) uint8, each channel another smooth image."""
    return np.stack([grey(), grey()[::-1], grey().T], axis=-1)


@pytest.mark.parametrize(
    ("name", "severity", "seed", "pixels", "mean"),
    [
        (
            "defocus_blur", 1, 7,
            [(62, 155, 62), (110, 177, 111), (115, 116, 122), (181, 155, 215), (179, 86, 169),
             (127, 210, 153)], 137.284,
        ),
        (
            "defocus_blur", 5, 7,
            [(65, 154, 65), (109, 177, 112), (127, 129, 130), (184, 157, 214), (182, 93, 171),
             (129, 212, 153)], 139.085,
        ),
        (
            "motion_blur", 3, 7,
            [(61, 155, 69), (137, 200, 120), (153, 150, 135), (184, 153, 218), (212, 114, 179),
             (129, 208, 157)], 144.378,
        ),
        (
            "motion_blur", 3, 8,
            [(60, 158, 68), (132, 204, 120), (148, 155, 115), (179, 158, 217), (209, 116, 178),
             (124, 212, 157)], 143.392,
        ),
    ],
)  # fmt: skip
def test_blurs_equal_opencv_and_imagemagick(
    name: str, severity: int, seed: int, pixels: list[tuple[int, ...]], mean: float
) -> None:
    """Recorded with OpenCV 4.11 (filter2D by a disk under its GaussianBlur) and ImageMagick 6.9.11
    (-motion-blur 15x8 at the angles that seeds 7 and 8 draw: 11.26 and -15.57 degrees).
    """
    found = corrupted(
        np.moveaxis(coloured(), -1, 0), SKIN, name, severity, np.random.default_rng(seed)
    )
    at = np.moveaxis(found, 0, -1)[PLACES].astype(int)
    assert np.abs(at - pixels).max() <= 1
    assert found.mean() == pytest.approx(mean, abs=0.6)  # ImageMagick rounds down


def test_black_corners_are_outside_opencvs_circle() -> None:
    image = np.full((3, 64, 64), 200, np.uint8)
    # int(32 * 1.10) = 35 and int(32 * 0.9) = 28 pixels about (32, 32); counted in cv2.circle's.
    for severity, outside in ((1, 465), (4, 1643)):
        found = corrupted(image, SKIN, "black_corner", severity, rng())
        assert ((found == 0).all(axis=0).sum(), (found == 200).all(axis=0).sum()) == (
            outside,
            64 * 64 - outside,
        )
    assert np.flatnonzero(corrupted(image, SKIN, "black_corner", 1, rng())[0, 0])[
        [0, -1]
    ].tolist() == [18, 46]


def test_characters_are_few_small_and_coloured() -> None:
    image = np.full((3, 224, 224), 128, np.uint8)
    for severity in SEVERITIES:
        for seed in range(5):
            found = corrupted(
                image, SKIN, "characters", severity, np.random.default_rng(seed)
            ).astype(int)
            written = (found != 128).any(axis=0)
            # At most 1, 2, 3, 4 and 6 words: no more rows of pixels than lines of their height.
            words, height = (1, 2, 3, 4, 6)[severity - 1], 7
            assert written.sum() > 0 and written.any(axis=1).sum() <= words * height
            assert written[:, :9].sum() == 0 and written.mean() < 0.01


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
        # The published fourth step of black corners is stronger than the fifth.
        odd = name in ("pixelate", "black_corner") and off[0] < off[-1]
        assert off == sorted(off) or odd, (name, off)


def test_which_corruptions_a_data_set_gets() -> None:
    assert corruptions_of("acdc", 1) is MR and corruptions_of("sars_cov2_ct", 1) is CT
    assert corruptions_of("monkeypox_msld", 3) is SKIN
    assert corruptions_of("my_scans", 1) is CT and corruptions_of("my_scans", 3) is SKIN
