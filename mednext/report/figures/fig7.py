"""Fig 7: segmentations of Synapse beside the ground truth."""

from __future__ import annotations

from pathlib import Path

from mednext.config import Profile
from mednext.report.figures.overlays import write_overlays


def write(profile: Profile, out: Path, partial: bool = False) -> None:
    """The listed test cases, with the Dice of each."""
    write_overlays("fig7", profile, out, partial)
