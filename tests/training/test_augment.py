from __future__ import annotations

import torch

from mednext.training.augment import center_crop, crop_flip


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
