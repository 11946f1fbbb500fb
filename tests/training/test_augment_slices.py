"""TransUNet's augmentation against its own operations, written down here with numpy and scipy."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from scipy.ndimage import rotate, zoom

from mednext.training.augment_slices import Plane, transunet, transunet_corrected

SIZE = 32
Outcome = tuple[str, int, int]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def planes(count: int, shapes: list[tuple[int, int]]) -> list[Plane]:
    """Slices without any symmetry, of different shapes."""
    random = np.random.default_rng(1)
    out = []
    for i in range(count):
        shape = shapes[i % len(shapes)]
        image = random.random(shape).astype(np.float32)
        out.append((image, random.integers(0, 4, shape).astype(np.uint8)))
    return out


def resized(image: np.ndarray, label: np.ndarray) -> Plane:
    """What upstream does last: cubic spline for the image, nearest neighbours for the label."""
    if image.shape == (SIZE, SIZE):
        return image, label
    factors = (SIZE / image.shape[0], SIZE / image.shape[1])
    return zoom(image, factors, order=3), zoom(label, factors, order=0)


def tensors(native: list[Plane]) -> tuple[torch.Tensor, torch.Tensor]:
    done = [resized(*plane) for plane in native]
    images = np.stack([image for image, _ in done])[:, None]
    return torch.from_numpy(images), torch.from_numpy(np.stack([m for _, m in done])).long()


def outcomes(plane: Plane) -> dict[Outcome, Plane]:
    """Everything that upstream can make of one slice."""
    made: dict[Outcome, list[np.ndarray]] = {("left", 0, 0): list(plane)}
    for k in range(4):
        for axis in range(2):
            made["turned", k, axis] = [np.flip(np.rot90(p, k), axis) for p in plane]
    for degrees in range(-20, 20):
        made["rotated", degrees, 0] = [rotate(p, degrees, order=0, reshape=False) for p in plane]
    return {name: resized(*pair) for name, pair in made.items()}


@pytest.mark.parametrize(
    "shapes", [[(SIZE, SIZE)], [(40, 52), (47, 33)]], ids=["as-it-is", "resized"]
)
def test_every_slice_is_one_that_upstream_could_have_made(shapes: list[tuple[int, int]]) -> None:
    native = planes(48, shapes)
    images, labels = transunet(*tensors(native), native, generator())
    kinds: Counter[str] = Counter()
    for plane, image, label in zip(native, images[:, 0].numpy(), labels.numpy(), strict=True):
        fitting = [
            name
            for name, (wanted, mask) in outcomes(plane).items()
            if np.allclose(image, wanted, atol=1e-5) and np.array_equal(label, mask)
        ]
        assert fitting, "not one of upstream's"
        kinds[fitting[0][0]] += 1
    assert min(kinds[name] for name in ("left", "turned", "rotated")) >= 5


def is_turn(before: torch.Tensor, after: torch.Tensor, mirrored: bool) -> bool:
    """One of the four turns of the square (the identity is none), or of its four mirror images."""
    first = before.flip(0) if mirrored else before
    return any(torch.equal(after, torch.rot90(first, k)) for k in range(not mirrored, 4))


def test_the_quirks_have_upstreams_shares() -> None:
    count = 1200
    native = planes(count, [(SIZE, SIZE)])
    images, labels = tensors(native)
    _, moved = transunet(images, labels, native, generator())
    left = int((moved == labels).flatten(1).all(1).sum())
    mirrored = sum(is_turn(a, b, True) for a, b in zip(labels, moved, strict=True))
    # half are turned, and every one of those is mirrored; a quarter is rotated, 1/40 of them by 0
    # degrees; the bounds are four standard deviations
    assert abs(mirrored - count / 2) < 4 * (count / 4) ** 0.5
    assert abs(left - count * 0.25625) < 4 * (count * 0.256 * 0.744) ** 0.5
    assert not any(is_turn(a, b, False) for a, b in zip(labels, moved, strict=True))


def test_the_angles_are_lopsided() -> None:
    native = planes(1, [(SIZE, SIZE)]) * 1600
    images, labels = tensors(native)
    moved, _ = transunet(images, labels, native, generator())
    of_angle = {d: rotate(native[0][0], d, order=0, reshape=False) for d in range(-24, 25)}
    made = {image.tobytes() for image in moved[:, 0].numpy()}
    known = {d for d, image in of_angle.items() if image.tobytes() in made}
    assert known == set(range(-20, 20))


def test_the_corrected_one_turns_without_mirroring_and_does_both() -> None:
    count = 1600
    native = planes(count, [(SIZE, SIZE)])
    images, labels = tensors(native)
    _, moved = transunet_corrected(images, labels, native, generator())
    pairs = list(zip(labels, moved, strict=True))
    # half are not rotated; of those one in eight is left, three turned and four mirrored
    shares = {
        "left": (sum(torch.equal(a, b) for a, b in pairs), 1 / 16),
        "turned": (sum(is_turn(a, b, False) for a, b in pairs), 3 / 16),
        "mirrored": (sum(is_turn(a, b, True) for a, b in pairs), 4 / 16),
    }
    for found, share in shares.values():
        assert abs(found - count * share) < 4 * (count * share * (1 - share)) ** 0.5


def disc(shape: tuple[int, int]) -> Plane:
    """A smooth blob off the middle, and its mask."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    middle = (0.35 * shape[0], 0.6 * shape[1])
    distance = np.hypot(y - middle[0], x - middle[1]) / (0.2 * min(shape))
    return np.exp(-(distance**2)).astype(np.float32), (distance < 1).astype(np.uint8)


def test_the_corrected_one_moves_image_and_label_together_in_true_proportions() -> None:
    """A disc in a slice of 40 x 80 pixels is an ellipse once resized; any rotation of the slice
    leaves it the same ellipse, at the same distance from the middle in true pixels."""
    native = [disc((40, 80))] * 64
    images, labels = tensors(native)
    out, masks = transunet_corrected(images, labels, native, generator())
    grid = torch.arange(SIZE) - (SIZE - 1) / 2
    distances = set()
    for image, mask in zip(out[:, 0], masks, strict=True):
        weights = image / image.sum()
        y, x = float((weights.sum(1) * grid).sum()), float((weights.sum(0) * grid).sum())
        share = mask.float() / mask.sum()
        assert float((share.sum(1) * grid).sum()) == pytest.approx(y, abs=0.4)
        assert float((share.sum(0) * grid).sum()) == pytest.approx(x, abs=0.4)
        spread = [float((weights.sum(d) * grid**2).sum()) - m**2 for d, m in ((1, y), (0, x))]
        # the long side, which one resized pixel covers 2.5 of, is the one it is narrow along
        tall = spread[0] > spread[1]
        assert max(spread) / min(spread) == pytest.approx(4.0, rel=0.15)
        scale = (40 / SIZE, 80 / SIZE) if tall else (80 / SIZE, 40 / SIZE)
        distances.add(round(float(np.hypot(y * scale[0], x * scale[1])), 1))
    assert max(distances) - min(distances) < 0.5


@pytest.mark.parametrize("augment", [transunet, transunet_corrected])
def test_the_input_is_left_alone(augment) -> None:  # type: ignore[no-untyped-def]
    native = planes(8, [(40, 52)])
    images, labels = tensors(native)
    before = images.clone(), labels.clone(), [(a.copy(), b.copy()) for a, b in native]
    augment(images, labels, native, generator())
    assert torch.equal(images, before[0]) and torch.equal(labels, before[1])
    for (a, b), (c, d) in zip(native, before[2], strict=True):
        assert np.array_equal(a, c) and np.array_equal(b, d)
