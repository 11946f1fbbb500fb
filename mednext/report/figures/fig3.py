"""Fig 3: the spatial encoding module."""

from __future__ import annotations

from pathlib import Path

from mednext.architecture import read_architecture
from mednext.config import Profile
from mednext.layout import architecture_json
from mednext.report.figures.panels import write_panels

TITLE = "Spatial encoding module (⊙ Hadamard product)"


def write(profile: Profile, out: Path) -> None:
    """Every panel of the caption, as ``architecture.json`` describes it."""
    architecture = read_architecture(architecture_json(profile.profile))
    panels = architecture.of(3)
    write_panels([panels], TITLE, architecture.img_size, out / "fig3", named=True)
