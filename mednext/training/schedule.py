"""The learning rate, step by step."""

from __future__ import annotations

import math

SCHEDULES = ("cosine", "constant")


def factor(schedule: str, step: int, steps: int, warmup_fraction: float) -> float:
    """What the initial learning rate is multiplied by in ``step`` (from 0) of ``steps``.

    Linear warm-up over the first ``warmup_fraction`` of all steps, then ``constant``, or ``cosine``
    down to 0 at the end.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"unknown schedule {schedule!r}, expected one of {SCHEDULES}")
    warmup = round(warmup_fraction * steps)
    if step < warmup:
        return (step + 1) / warmup
    if schedule == "constant":
        return 1.0
    progress = (step - warmup) / max(steps - warmup, 1)
    return 0.5 * (1 + math.cos(math.pi * progress))
