"""ceiling.csv: the Dice of a network that hits every pixel of its small targets.

Networks see small slices; their masks are resized back and judged in the resolution of the volume.
What even a perfect small mask loses on the way is no fault of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.ndimage import zoom

from mednext.config import RunConfig
from mednext.config.benchmarks import PAPER_SIZE
from mednext.datasets.load import SegmentationData, load
from mednext.datasets.prepare import resize_slice
from mednext.metrics.segmentation import dice, organ_counts
from mednext.results import HEADLINE, write_rows
from mednext.results.orders import CeilingRow


def ceilings(runs: Sequence[RunConfig], path: Path) -> None:
    """Write it for the segmentation sets of a profile, at its image size and at the paper's.

    Raises:
        UserError: a data set has not been prepared or split.
    """
    first = {
        (run.dataset, run.protocol): run for run in reversed(runs) if run.task == "segmentation"
    }
    rows = []
    for run in first.values():
        data = load(run)
        assert isinstance(data, SegmentationData)
        for size in sorted({run.img_size, PAPER_SIZE}):
            rows += _rows(run, data, size)
    write_rows(path, CeilingRow, rows)


def there_and_back(truth: np.ndarray, size: int) -> np.ndarray:
    """Label maps (D, H, W) as a perfect network of this image size would give them.

    Example:
        >>> truth = np.zeros((1, 4, 4), np.uint8)
        >>> truth[0, :2, :2] = 1
        >>> bool((there_and_back(truth, 2) == truth).all())
        True
    """
    small = [resize_slice(plane, size, order=0) for plane in truth]
    # As mednext.training.evaluate.native_labels does with a network's masks (a test compares them).
    factors = truth.shape[1] / size, truth.shape[2] / size
    return np.stack([zoom(plane, factors, order=0) for plane in small]).astype(np.uint8)


def _rows(run: RunConfig, data: SegmentationData, size: int) -> list[CeilingRow]:
    counts = []
    cases = [data.cases[index] for index in data.subsets["test"]]
    for case in cases:
        truth = np.asarray(data.volume(case)[1])
        back = there_and_back(truth, size)
        counts.append([organ_counts(truth, back, k) for k in range(1, len(data.classes))])
    values = np.stack(
        [dice(tp, fp, fn, HEADLINE.policy) for tp, fp, fn in np.array(counts).transpose(1, 2, 0)]
    )
    means = dict(zip(data.classes[1:], values.mean(axis=1), strict=True))
    return [
        CeilingRow(
            dataset=run.dataset,
            protocol=run.protocol,
            img_size=size,
            target=target,
            dice=float(value),
            n_cases=len(cases),
            n_groups=len({case.patient for case in cases}),
        )
        for target, value in (*means.items(), ("mean", values.mean()))
    ]
