from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from mednext.training.augment import center_crop, crop_flip
from mednext.training.batches import network_input


def test_every_crop_is_a_part_of_its_image_or_of_its_mirror() -> None:
    images = torch.arange(64 * 2 * 37 * 37, dtype=torch.float32).reshape(64, 2, 37, 37)
    out = crop_flip(images, 32, torch.Generator().manual_seed(0))
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


def test_network_input_is_the_formula_to_the_bit() -> None:
    run: Any = SimpleNamespace(in_chans=3, recipe={"normalise": {"mean": 0.3, "std": 0.7}})
    grey = torch.randint(0, 256, (3, 1, 5, 4), dtype=torch.uint8)
    colour = torch.randint(0, 256, (2, 3, 5, 4), dtype=torch.uint8)
    slices = torch.randn(2, 1, 5, 4)
    kept = slices.clone()
    for images, floats in (
        (grey, grey.float() / 255),
        (colour, colour.float() / 255),
        (slices,) * 2,
    ):
        found = network_input(images, run)
        assert torch.equal(found, ((floats - 0.3) / 0.7).expand(-1, 3, -1, -1))
        assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(slices, kept)
