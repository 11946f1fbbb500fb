"""The figures, one module each."""

from __future__ import annotations

from pathlib import Path

from mednext.config import Profile

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


def write_figures(profile: Profile, out: Path, partial: bool = False) -> None:
    """Draw every figure below ``out``, as PNG, PDF and SVG.

    Raises:
        UserError: a result file is missing (and ``partial`` is not set) or malformed.
    """
    from mednext.report.figures import (
        fig1,
        fig2,
        fig3,
        fig4,
        fig5,
        fig6,
        fig7,
        fig8,
        fig9,
        pareto,
        ranks,
        roc,
        training,
    )

    for module in (fig1, fig2, fig3, fig4, fig5):
        module.write(profile, out)
    for chart in (fig6, fig7, fig8, fig9, pareto, roc, ranks, training):
        chart.write(profile, out, partial)
