from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import rotate

from mednext.training.augment import _rotate, center_crop, crop_flip, transunet


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_crop_is_a_part_of_its_image_or_of_its_mirror() -> None:
    images = torch.arange(64 * 2 * 37 * 37, dtype=torch.float32).reshape(64, 2, 37, 37)
    out = crop_flip(images, 32, generator())
    assert out.shape == (64, 2, 32, 32)
    corners, mirrored = set(), 0
    for image, crop in zip(images, out, strict=True):
        flipped = bool(crop[0, 0, 1] < crop[0, 0, 0])
        mirrored += flipped
        crop = crop.flip(-1) if flipped else crop
        y, x = (int(v) for v in torch.nonzero(image[0] == crop[0, 0, 0])[0])
        corners.add((y, x))
        assert torch.equal(crop, image[:, y : y + 32, x : x + 32])
    assert 20 <= mirrored <= 44  # p = 1/2: 32 +- 3 standard deviations
    assert {y for y, _ in corners} == {x for _, x in corners} == set(range(6))


def test_center_crop() -> None:
    image = torch.arange(36).reshape(1, 1, 6, 6)
    assert center_crop(image, 2)[0, 0].tolist() == [[14, 15], [20, 21]]


def test_image_and_label_stay_aligned_and_shares_are_those_of_transunet() -> None:
    labels = torch.randint(0, 4, (600, 64, 64), generator=generator(1))
    images = labels[:, None].float()
    out, moved = transunet(images, labels, generator())
    assert torch.equal(out[:, 0], moved.float())
    assert out.shape == images.shape and moved.dtype == labels.dtype
    unchanged = (moved == labels).flatten(1).all(1)
    turned = torch.tensor([is_turned(a, b) for a, b in zip(labels, moved, strict=True)])
    # half are turned and flipped, a quarter rotated (1/40 of them by 0 degrees), the rest left
    assert 300 - 37 <= int(turned.sum()) <= 300 + 37
    assert 154 - 32 <= int(unchanged.sum()) <= 154 + 32


def is_turned(before: torch.Tensor, after: torch.Tensor) -> bool:
    """One of the eight images of the square other than the identity."""
    quarters = [torch.rot90(before, k) for k in range(4)]
    every = quarters[1:] + [q.flip(0) for q in quarters]
    return any(torch.equal(after, candidate) for candidate in every)


def test_turning_keeps_every_label() -> None:
    labels = torch.randint(0, 4, (200, 12, 12), generator=generator(1))
    _, moved = transunet(labels[:, None].float(), labels, generator())
    kept = 0
    for before, after in zip(labels, moved, strict=True):
        if is_turned(before, after):
            kept += 1
            assert torch.equal(before.flatten().sort()[0], after.flatten().sort()[0])
    assert kept > 50


def test_the_input_is_left_alone() -> None:
    images, labels = torch.rand(8, 1, 8, 8), torch.randint(0, 4, (8, 8, 8))
    before = images.clone(), labels.clone()
    transunet(images, labels, generator())
    assert torch.equal(images, before[0]) and torch.equal(labels, before[1])


@pytest.mark.parametrize("degrees", [-20, -7, 0, 5, 19])
def test_rotation_is_scipys(degrees: int) -> None:
    label = np.zeros((64, 64), dtype=np.int64)
    label[10:40, 20:30], label[30:50, 35:60] = 1, 2
    expected = rotate(label, degrees, order=0, reshape=False)
    tensor = torch.from_numpy(label)[None]
    image, found = _rotate(tensor[:, None].float(), tensor, torch.tensor([math.radians(degrees)]))
    assert torch.equal(image[0, 0], found[0].float())
    # Ties at the edges of a pixel may fall to either side.
    assert (found[0].numpy() == expected).mean() > 0.99
