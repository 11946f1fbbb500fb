"""The figures of the page: what is drawn, with the captions of ``workflow/report``."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from mednext.config import load_datasets
from mednext.config.names import display_name, words
from mednext.errors import UserError
from mednext.report.figures import FIGURES


@dataclass(frozen=True)
class Figure:
    """One picture; ``data`` is None where it has not been drawn (``--partial``)."""

    name: str
    title: str
    caption: str
    data: str | None
    size: tuple[int, int] | None
    """Width and height in pixels: the page keeps the place of what is not yet shown."""


def captions_dir() -> Path:
    """``workflow/report`` of the checkout, else the copy inside the installed package."""
    package = Path(__file__).resolve().parents[2]
    checkout = package.parent / "workflow" / "report"
    return checkout if checkout.is_dir() else package / "_captions"


def read_figures(folder: Path, partial: bool = False) -> list[Figure]:
    """Every figure, those of the paper first.

    Raises:
        UserError: one has not been drawn, and ``partial`` is not set.
    """
    out = []
    for name in FIGURES:
        picture = folder / f"{name}.png"
        if not picture.is_file() and not partial:
            raise UserError(
                "a figure is missing", file=picture, remedy="run 'mednext figures' first"
            )
        words = (captions_dir() / f"{name}.rst").read_text(encoding="utf-8").split()
        out.append(Figure(name, _title(name), " ".join(words), *_picture(picture)))
    return out


def leakage_figures(folder: Path) -> list[Figure]:
    """The overlap of the subsets of the splits, one picture per data set."""
    return [
        Figure(file.stem, "Leakage", file.stem.removeprefix("leakage_"), *_picture(file))
        for file in sorted(folder.glob("leakage_*.png"))
    ]


def condition_figures(folder: Path) -> list[Figure]:
    """Scores on worse images and data of others, one picture per data set and protocol."""
    return [
        Figure(file.stem, "Under other conditions", _place(file.stem), *_picture(file))
        for file in sorted(folder.glob("conditions_*.png"))
    ]


def _place(stem: str) -> str:
    """Data set and protocol of ``conditions_<dataset>_<protocol>``, in words."""
    rest = stem.removeprefix("conditions_")
    dataset = next((name for name in load_datasets() if rest.startswith(f"{name}_")), "")
    return f"{display_name(dataset)}, protocol {words(rest.removeprefix(f'{dataset}_'))}"


def _title(name: str) -> str:
    words = name.removeprefix("fig")
    return f"Figure {words}" if words.isdigit() else words.replace("_", " ").capitalize()


def _picture(file: Path) -> tuple[str, tuple[int, int]] | tuple[None, None]:
    if not file.is_file():
        return None, None
    with Image.open(file) as image:
        size = image.size
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode(), size
