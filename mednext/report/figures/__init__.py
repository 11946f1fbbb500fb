"""The figures, one module each."""

from __future__ import annotations

from pathlib import Path

from mednext.config import Profile
from mednext.report.figures import fig6, fig8


def write_figures(profile: Profile, out: Path) -> None:
    """Draw every figure below ``out``, as PNG, PDF and SVG."""
    fig6.write(profile, out)
    fig8.write(profile, out)
