"""A data set in the memory of the GPU: its batches are made there, and nothing is sent per step."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mednext.config import RunConfig
from mednext.datasets.load import ClassificationData, SegmentationData
from mednext.models.device import to_device

HostData = ClassificationData | SegmentationData
MOST = 0.1
"""Of the memory that is free: others may share the GPU, and the network needs the most."""


@dataclass(frozen=True)
class OnDevice:
    """The arrays of a data set on one device; everything else is that of ``host``."""

    host: HostData
    images: Tensor
    """Classification: (N, C, P, P) uint8; segmentation: (N, S, S) float32."""
    labels: Tensor
    """(N,) int64, or (N, S, S) uint8."""
    native: tuple[Tensor, Tensor] | None
    """Segmentation: images and labels of all volumes in their own resolution, flat."""

    def plane(self, row: int) -> tuple[Tensor, Tensor]:
        """Image and label (H, W) of the slice of one row, in native resolution."""
        assert isinstance(self.host, SegmentationData) and self.native is not None
        case = next(c for c in self.host.cases if c.start <= row < c.stop)
        _, height, width = case.shape
        start = case.offset + (row - case.start) * height * width
        image, label = (v[start : start + height * width].view(height, width) for v in self.native)
        return image, label


def arrays_of(data: HostData) -> list[np.ndarray]:
    """What batches are made from."""
    both = [data.images, data.labels]
    if isinstance(data, SegmentationData):
        both += [data.native_images, data.native_labels]
    return both


def placed(data: HostData, device: torch.device) -> OnDevice:
    """The arrays copied to the device, once."""
    images, labels, *native = (to_device(torch.tensor(a), device) for a in arrays_of(data))
    return OnDevice(data, images, labels, (native[0], native[1]) if native else None)


def where_it_fits(data: HostData, run: RunConfig, device: torch.device) -> HostData | OnDevice:
    """The data set on the GPU of a run; left where it is on a CPU, or if it is too large."""
    if device.type != "cuda":
        return data
    size, free = sum(a.nbytes for a in arrays_of(data)), torch.cuda.mem_get_info(device)[0]
    if size > MOST * free:
        print(
            f"{run.dataset}: {size / 1e9:.1f} GB stay in main memory, {free / 1e9:.1f} GB are free "
            "on the GPU; batches are sent one by one",
            file=sys.stderr,
        )
        return data
    return placed(data, device)
