"""The figures, one module each."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from mednext.config import Profile, lookup

PAPER = tuple(f"fig{n}" for n in range(1, 10))
BEYOND = (
    "pareto",
    "pareto_printed",
    "roc",
    "calibration",
    "critical_difference",
    "training",
)
FIGURES = (*PAPER, *BEYOND)
"""Every figure by the stem of its files, those of the paper first."""


MODULES = {
    **dict.fromkeys(("fig1", "fig2", "fig3", "fig4"), "networks"),
    **dict.fromkeys(("fig7", "fig8"), "overlays"),
    "pareto_printed": "pareto",
    "calibration": "roc",
    "critical_difference": "ranks",
}
"""Figure -> its module, where that has another name."""


def write_figures(
    profile: Profile, out: Path, partial: bool = False, only: Sequence[str] | None = None
) -> None:
    """Draw every figure below ``out`` (or ``only`` some), as PNG, PDF and SVG.

    Raises:
        UserError: a result file is missing (and ``partial`` is not set) or malformed, or a name is
            no figure's.
    """
    wanted = [lookup("figure", name, {n: n for n in FIGURES}) for name in only or FIGURES]
    for module in dict.fromkeys(MODULES.get(name, name) for name in wanted):
        import_module(f"mednext.report.figures.{module}").write(profile, out, partial)
