"""Figs 1 to 4: the parts of the networks, every panel as ``architecture.json`` has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mednext.architecture import read_architecture
from mednext.config import Profile
from mednext.layout import architecture_json
from mednext.report.figures.panels import write_panels

FIGURES: dict[int, tuple[str, dict[str, Any]]] = {
    1: ("Overview of MedNeXt", {"uniform": True}),
    2: ("From self-attention to LAFFN (⊗ matrix product, ⊙ Hadamard product)", {"named": True}),
    3: ("Spatial encoding module (⊙ Hadamard product)", {"named": True}),
    4: ("Smooth DwConv feed-forward network", {"named": True, "uniform": True}),
}
"""Number -> title, and how the boxes look."""
IN_ROWS_OF = {2: 2}
"""Panels per row, where they do not stand in one."""


def write(profile: Profile, out: Path, partial: bool = False) -> None:
    """Draw all four; ``partial`` leaves nothing out, since no run is needed."""
    architecture = read_architecture(architecture_json(profile.profile))
    for number, (title, look) in FIGURES.items():
        panels = architecture.of(number)
        width = IN_ROWS_OF.get(number, len(panels))
        rows = [panels[i : i + width] for i in range(0, len(panels), width)]
        write_panels(rows, title, architecture.img_size, out / f"fig{number}", **look)
