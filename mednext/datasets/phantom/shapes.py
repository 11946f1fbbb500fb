"""Shapes that several phantoms draw."""

from __future__ import annotations

import numpy as np


def ellipse(y: np.ndarray, x: np.ndarray, cy: float, cx: float, ry: float, rx: float) -> np.ndarray:
    """Inside of an ellipse on the grids ``y``, ``x``, boolean."""
    return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1


def disc(height: int, width: int, cy: float, cx: float, radius: float) -> np.ndarray:
    """Inside of a disc, (height, width) boolean, in pixels."""
    y, x = np.ogrid[:height, :width]
    return np.asarray((y - cy) ** 2 + (x - cx) ** 2 < radius**2)
