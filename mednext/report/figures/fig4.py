"""Fig 4: from the FFN to SDFFN."""

from __future__ import annotations

from pathlib import Path

from mednext.architecture import read_architecture
from mednext.config import Profile
from mednext.layout import architecture_json
from mednext.report.figures.panels import write_panels

TITLE = "Smooth DwConv feed-forward network"


def write(profile: Profile, out: Path) -> None:
    """Every panel of the caption, as ``architecture.json`` describes it."""
    architecture = read_architecture(architecture_json(profile.profile))
    panels = architecture.of(4)
    write_panels([panels], TITLE, architecture.img_size, out / "fig4", named=True, uniform=True)
