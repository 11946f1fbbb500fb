"""Images made worse, in five steps: what a network meets elsewhere.

Definitions and steps of MedMNIST-C (Di Salvo et al. 2024, arXiv:2406.17536) where it has them: CT
as its organ sets, skin as DermaMNIST. MR images get its noise, blur, contrast, pixels and JPEG, and
two artefacts of the scanner: a bias field (MONAI's) and ghosts. MONAI is chosen among the libraries
because it is here already, seeds every draw by itself and works on arrays; ``medmnistc`` draws from
numpy's global state and needs ImageMagick, TorchIO needs volumes and SimpleITK.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from string import ascii_lowercase
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont
from scipy.ndimage import convolve, convolve1d, gaussian_filter

SEVERITIES = (1, 2, 3, 4, 5)
CAPITALS = 0.70
"""Height of Pillow's capital letters as a share of the font's size."""
Corruption = Callable[[np.ndarray, Any, np.random.Generator], np.ndarray]
"""(H, W) or (H, W, 3) uint8, the parameter of the step, the draws -> the same shape and type."""


def _noisy(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(values, 0, 1) * 255).astype(np.uint8)


def gaussian_noise(image: np.ndarray, sd: float, random: np.random.Generator) -> np.ndarray:
    """Normal noise of standard deviation ``sd`` on intensities from 0 to 1."""
    return _noisy(image / 255 + random.normal(size=image.shape, scale=sd))


def speckle_noise(image: np.ndarray, sd: float, random: np.random.Generator) -> np.ndarray:
    """Normal noise in proportion to the intensity."""
    shares = image / 255
    return _noisy(shares + shares * random.normal(size=image.shape, scale=sd))


def shot_noise(image: np.ndarray, photons: float, random: np.random.Generator) -> np.ndarray:
    """Poisson noise of so many photons at full intensity."""
    return _noisy(random.poisson(image / 255 * photons) / photons)


def impulse_noise(image: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """So many values are set to black or white."""
    hit, white = random.random(image.shape) < share, random.random(image.shape) < 0.5
    return np.where(hit, np.where(white, 255, 0), image).astype(np.uint8)


def gaussian_blur(image: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """A Gaussian of ``size`` pixels, with torchvision's standard deviation for it."""
    sd = 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    steps = np.arange(size) - (size - 1) / 2
    weights = np.exp(-0.5 * (steps / sd) ** 2)
    out = image.astype(np.float64)
    for axis in (0, 1):
        out = convolve1d(out, weights / weights.sum(), axis=axis, mode="mirror")
    return np.rint(out).astype(np.uint8)


def brightness(image: np.ndarray, factor: float, random: np.random.Generator) -> np.ndarray:
    """Intensities times a factor."""
    return np.asarray(ImageEnhance.Brightness(Image.fromarray(image)).enhance(factor))


def contrast(image: np.ndarray, factor: float, random: np.random.Generator) -> np.ndarray:
    """Distances from the mean intensity times a factor."""
    return np.asarray(ImageEnhance.Contrast(Image.fromarray(image)).enhance(factor))


def gamma(image: np.ndarray, power: float, random: np.random.Generator) -> np.ndarray:
    """Intensities from 0 to 1 to a power, as torchvision does."""
    table = ((255 + 1 - 1e-3) * (np.arange(256) / 255) ** power).astype(np.uint8)
    return np.asarray(table[image])


def pixelate(image: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Sampled down to a share of the side, and up again."""
    picture = Image.fromarray(image)
    small = [max(int(side * share), 1) for side in picture.size]
    box = Image.Resampling.BOX
    return np.asarray(picture.resize((small[0], small[1]), box).resize(picture.size, box))


def jpeg(image: np.ndarray, quality: int, random: np.random.Generator) -> np.ndarray:
    """Compressed at this quality."""
    stream = BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def zoom_blur(image: np.ndarray, factors: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The mean of the image and of itself enlarged by each factor about its middle."""
    picture = Image.fromarray(image)
    side = picture.height
    total = image.astype(np.float64)
    for factor in factors:
        edge = (side - side / factor) / 2
        box = (edge, edge, picture.width - edge, side - edge)
        total += np.asarray(picture.resize(picture.size, Image.Resampling.BILINEAR, box))
    return np.clip(total / (len(factors) + 1), 0, 255).astype(np.uint8)


def defocus_blur(
    image: np.ndarray, disk: tuple[float, float], random: np.random.Generator
) -> np.ndarray:
    """The mean over a disk of this radius, its edge softened by a Gaussian of this width."""
    radius, softened = disk
    y, x = np.mgrid[-8:9, -8:9]
    weights = (x**2 + y**2 <= radius**2).astype(np.float64)
    weights = gaussian_filter(weights / weights.sum(), softened, mode="mirror", radius=1)
    planes = np.atleast_3d(image / 255)
    out = np.stack([convolve(p, weights, mode="mirror") for p in np.moveaxis(planes, -1, 0)], -1)
    return _noisy(out).reshape(image.shape)


def motion_blur(
    image: np.ndarray, trail: tuple[int, float], random: np.random.Generator
) -> np.ndarray:
    """A trail of this length on one side, its weights falling as half a normal curve of this width,
    in a direction from -45 to 45 degrees, as ImageMagick makes it; the image's edge goes on.
    """
    length, sd = trail
    angle = np.deg2rad(random.uniform(-45, 45))
    steps = np.arange(2 * length + 1)
    weights = np.exp(-0.5 * (steps / sd) ** 2)
    right = np.floor(steps * np.cos(angle) + 0.5).astype(int)
    down = np.floor(steps * np.sin(angle) + 0.5).astype(int)
    rows, columns = np.arange(image.shape[0]), np.arange(image.shape[1])
    out = np.zeros(image.shape)
    for weight, dy, dx in zip(weights / weights.sum(), down, right, strict=True):
        y, x = np.clip(rows + dy, 0, rows[-1]), np.clip(columns + dx, 0, columns[-1])
        out += weight * image[np.ix_(y, x)]
    return np.rint(out).astype(np.uint8)


def black_corner(image: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Black outside a circle about the middle, of this share of half the shorter side."""
    height, width = image.shape[:2]
    radius = int(min(height // 2, width // 2, height - height // 2, width - width // 2) * share)
    y, x = np.ogrid[:height, :width]
    outside = (y - height // 2) ** 2 + (x - width // 2) ** 2 > radius**2
    return np.where(outside[..., None] if image.ndim == 3 else outside, 0, image).astype(np.uint8)


def characters(
    image: np.ndarray, most: tuple[int, int, float], random: np.random.Generator
) -> np.ndarray:
    """Up to so many words of so many letters, in a random colour, place and size up to this one
    (of OpenCV's plain font, whose capitals are 21 pixels high at size 1).
    """
    words, letters, size = most
    picture = Image.fromarray(image).convert("RGB")
    width, height = picture.size
    draw = ImageDraw.Draw(picture)
    for _ in range(random.integers(1, words, endpoint=True)):
        count = int(random.integers(3, letters, endpoint=True))
        scale = random.integers(14, int(size * 100), endpoint=True) / 100
        word = "".join(random.choice(list(ascii_lowercase), count))
        # A small image has less room than the 224 pixels that the margins are meant for.
        x = int(random.integers(10, max(width - 8 * count, 10), endpoint=True))
        y = int(random.integers(10, max(height - 10, 10), endpoint=True))
        colour = tuple(int(c) for c in random.integers(0, 256, 3))
        font = ImageFont.load_default(size=21 / CAPITALS * scale)
        draw.text((x, y), word, fill=colour, font=font, anchor="ls")
    return np.asarray(picture.convert("L") if image.ndim == 2 else picture)


def bias_field(image: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """Intensities times a smooth random field, MONAI's polynomial of degree 3."""
    from monai.transforms import RandBiasField

    field = RandBiasField(degree=3, coeff_range=(0.0, strength), prob=1.0)
    field.set_random_state(seed=int(random.integers(2**31)))
    return _noisy(np.asarray(field((image / 255)[None].astype(np.float32)))[0])


def ghosts(image: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """Every fourth row of k-space but the middle ones is weakened: copies along the rows, as by
    breathing (Perez-Garcia et al. 2021, 10.1016/j.cmpb.2021.106236).
    """
    spectrum = np.fft.fftshift(np.fft.fft2(image / 255), axes=(0, 1))
    rows = np.arange(image.shape[0])
    hit = (rows % 4 == int(random.integers(4))) & (abs(rows - image.shape[0] // 2) > 1)
    spectrum[hit] *= 1 - strength
    return _noisy(np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum, axes=(0, 1)))))


Steps = Mapping[str, tuple[Corruption, tuple[Any, ...]]]
_JPEG = (jpeg, (50, 30, 15, 10, 7))
_PIXELS = (pixelate, (0.7, 0.6, 0.5, 0.40, 0.35))
_NOISE = (gaussian_noise, (0.04, 0.08, 0.12, 0.16, 0.20))
_BLUR = (gaussian_blur, (11, 13, 15, 17, 21))
_MORE, _LESS = (contrast, (1.3, 1.4, 1.6, 1.7, 1.8)), (contrast, (0.8, 0.7, 0.6, 0.55, 0.5))
CT: Steps = {
    "pixelate": _PIXELS,
    "jpeg": _JPEG,
    "gaussian_noise": _NOISE,
    "speckle_noise": (speckle_noise, (0.05, 0.10, 0.20, 0.30, 0.40)),
    "impulse_noise": (impulse_noise, (0.01, 0.02, 0.03, 0.05, 0.08)),
    "shot_noise": (shot_noise, (200, 100, 50, 25, 15)),
    "gaussian_blur": _BLUR,
    "brightness_up": (brightness, (1.2, 1.3, 1.4, 1.5, 1.6)),
    "brightness_down": (brightness, (0.8, 0.75, 0.7, 0.65, 0.60)),
    "contrast_up": _MORE,
    "contrast_down": _LESS,
    "gamma_up": (gamma, (1.3, 1.4, 1.6, 1.8, 2.0)),
    "gamma_down": (gamma, (0.9, 0.8, 0.7, 0.6, 0.4)),
}
"""As OrganAMNIST, OrganCMNIST and OrganSMNIST."""
MR: Steps = {
    "pixelate": _PIXELS,
    "jpeg": _JPEG,
    "gaussian_noise": _NOISE,
    "gaussian_blur": _BLUR,
    "contrast_up": _MORE,
    "contrast_down": _LESS,
    "bias_field": (bias_field, (0.1, 0.2, 0.3, 0.4, 0.5)),
    "ghosts": (ghosts, (0.2, 0.35, 0.5, 0.65, 0.8)),
}
SKIN: Steps = {
    "pixelate": (pixelate, (0.7, 0.5, 0.40, 0.30, 0.25)),
    "jpeg": (jpeg, (30, 20, 15, 10, 7)),
    "gaussian_noise": (gaussian_noise, (0.04, 0.08, 0.12, 0.18, 0.26)),
    "speckle_noise": (speckle_noise, (0.05, 0.15, 0.2, 0.35, 0.45)),
    "impulse_noise": (impulse_noise, (0.01, 0.03, 0.06, 0.09, 0.17)),
    "shot_noise": (shot_noise, (60, 25, 18, 10, 5)),
    "zoom_blur": (
        zoom_blur,
        (
            np.arange(1, 1.11, 0.01),
            np.arange(1, 1.16, 0.01),
            np.arange(1, 1.21, 0.02),
            np.arange(1, 1.26, 0.02),
            np.arange(1, 1.31, 0.03),
        ),
    ),
    "defocus_blur": (defocus_blur, ((4, 0.1), (5, 0.2), (6, 0.3), (7, 0.4), (8, 0.5))),
    "motion_blur": (motion_blur, ((10, 5), (15, 5), (15, 8), (15, 12), (20, 15))),
    "brightness_up": (brightness, (1.1, 1.2, 1.3, 1.4, 1.5)),
    "brightness_down": (brightness, (0.9, 0.8, 0.7, 0.6, 0.5)),
    "contrast_up": (contrast, (1.1, 1.2, 1.3, 1.4, 1.6)),
    "contrast_down": (contrast, (0.8, 0.7, 0.6, 0.5, 0.4)),
    "black_corner": (black_corner, (1.10, 1.05, 1.00, 0.90, 0.95)),
    "characters": (
        characters, ((1, 6, 0.14), (2, 7, 0.15), (3, 8, 0.16), (4, 9, 0.17), (6, 10, 0.18)),
    ),
}  # fmt: skip
"""As DermaMNIST; its fourth step of black corners is the strongest, as published."""
KINDS: Mapping[str, Steps] = {"acdc": MR, "monkeypox_msld": SKIN}
"""Data set -> its corruptions; of others by their channels."""


def corruptions_of(dataset: str, channels: int) -> Steps:
    """The corruptions of a data set; one of the user's own is taken for CT if it is grey."""
    return KINDS.get(dataset, CT if channels == 1 else SKIN)


def corrupted(
    image: np.ndarray, steps: Steps, name: str, severity: int, random: np.random.Generator
) -> np.ndarray:
    """One image made worse.

    Args:
        image: (H, W) or (C, H, W); uint8, or float32 from 0 to 1 (rounded to 8 bits for this).
        steps: of its data set.
        name: of the corruption.
        severity: 1 to 5.
        random: the draws.

    Returns:
        The same shape and type.
    """
    how, parameters = steps[name]
    bytes_ = image if image.dtype == np.uint8 else np.rint(np.clip(image, 0, 1) * 255)
    plain = np.squeeze(np.moveaxis(bytes_.astype(np.uint8), 0, -1) if image.ndim == 3 else bytes_)
    out = how(plain.astype(np.uint8), parameters[severity - 1], random).reshape(plain.shape)
    if image.ndim == 3:
        out = np.moveaxis(out.reshape((*image.shape[1:], image.shape[0])), -1, 0)
    return out if image.dtype == np.uint8 else (out / np.float32(255)).astype(np.float32)
