"""From the values of a label file to the indices of the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mednext.config import DatasetSpec
from mednext.errors import UserError

NEAR = 1e-3
"""A stored value so near a whole number is one: labels that a slope scales are never exact."""
MASK = {0, 255}
MOST = 65535
"""What ``original_label`` may be."""


def whole(values: np.ndarray, file: Path) -> np.ndarray:
    """int64 of values that are whole numbers, or nearly.

    >>> whole(np.array([0.0, 0.99997]), Path("label.nii")).tolist()
    [0, 1]

    Raises:
        UserError: some are not.
    """
    if values.dtype.kind in "bui":
        return values.astype(np.int64)
    with np.errstate(invalid="ignore"):
        rounded = np.rint(values)
        bad = ~(np.abs(values - rounded) <= NEAR) | ~(np.abs(values) < 2**31)
    if bad.any():
        shown = ", ".join(f"{float(v):g}" for v in np.unique(values[bad])[:5])
        raise UserError(
            "the label holds values that are not whole numbers",
            file=file,
            found=f"{int(bad.sum())} such voxels: {shown}",
            expected="label values; a resampled label must be resampled by nearest neighbour",
            remedy="export the label again",
        )
    return rounded.astype(np.int64)


def class_indices(
    values: np.ndarray, spec: DatasetSpec, file: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Values of a user's label file as indices of the classes, and the notes on it.

    ``original_label`` of the classes says which value each has; without it the values are the
    indices, or 0 and 255 where there are two classes.

    Raises:
        UserError: a value that no class has.
    """
    found = whole(values, file)
    present = set(np.unique(found).tolist())
    named = [c.original_label for c in spec.classes]
    known = [i if value is None else value for i, value in enumerate(named)]
    notes: tuple[str, ...] = ()
    if 255 in present <= MASK and len(known) == 2 and named == [None, None]:
        known, notes = [0, 255], ("255 read as label 1",)
    if wrong := sorted(present - set(known)):
        raise UserError(
            "the label holds unknown values",
            file=file,
            found=", ".join(str(v) for v in sorted(present)[:20]),
            expected=", ".join(f"{v} {c.name}" for v, c in zip(known, spec.classes, strict=True)),
            remedy=f"write the value that stands for each class beside it (custom_datasets, "
            f"classes, original_label), e.g. original_label: {wrong[0]}"
            if 0 <= wrong[0] <= MOST
            else f"export the label with values from 0 to {MOST}",
        )
    indices = np.zeros(found.shape, dtype=np.uint8)
    for index, value in enumerate(known):
        indices[found == value] = index
    return indices, notes
