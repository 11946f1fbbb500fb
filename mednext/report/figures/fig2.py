"""Fig 2: from self-attention to LAFFN."""

from __future__ import annotations

from pathlib import Path

from mednext.architecture import read_architecture
from mednext.config import Profile
from mednext.layout import architecture_json
from mednext.report.figures.panels import write_panels

TITLE = "From self-attention to LAFFN (⊗ matrix product, ⊙ Hadamard product)"


def write(profile: Profile, out: Path) -> None:
    """Every panel of the caption, as ``architecture.json`` describes it."""
    architecture = read_architecture(architecture_json(profile.profile))
    panels = architecture.of(2)
    write_panels([panels[:2], panels[2:]], TITLE, architecture.img_size, out / "fig2", named=True)
