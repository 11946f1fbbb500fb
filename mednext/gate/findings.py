"""What a comparison found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "better", "worse", "not comparable", "informational"]


@dataclass(frozen=True)
class Finding:
    """One comparison."""

    name: str
    outcome: Outcome
    reference: float | None
    new: float | None
    tolerance: float | None
    note: str
