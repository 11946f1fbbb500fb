"""The image figures of the paper: which data sets and which methods they show."""

from __future__ import annotations

from collections.abc import Sequence

FIGURE_DATASETS = {
    "fig6": ("sars_cov2_ct", "monkeypox_msld", "large_covid_ct"),
    "fig7": ("synapse",),
    "fig8": ("acdc",),
}
# Fig 6 as the text describes it, from left to right. It does not name those of Figs 7 and 8: one
# convolutional network, one Transformer and the hybrid that MedUNeXt descends from.
FIGURE_METHODS = {
    "fig6": ("resnet50", "swin_v2", "mednext"),
    "fig7": ("unet", "transunet", "mt_unet", "medunext"),
    "fig8": ("unet", "transunet", "mt_unet", "medunext"),
}


def shown_methods(figure: str, available: Sequence[str]) -> list[str]:
    """The methods of a figure among those that were run, in the figure's order.

    A profile without some of them shows others of its own instead, before ours, which is last.
    """
    wanted = FIGURE_METHODS[figure]
    *others, ours = wanted
    found = [method for method in others if method in available]
    more = [m for m in available if m not in wanted and not m.startswith(f"{ours}_")]
    chosen = (found + more)[: len(wanted) - (ours in available)]
    return [*chosen, *([ours] if ours in available else [])]


def case_files(figure: str, datasets: Sequence[str]) -> dict[str, str]:
    """Data set -> stem of the file in ``cases/`` that holds its part of a figure."""
    several = len(FIGURE_DATASETS[figure]) > 1
    return {
        name: f"{figure}.{name}" if several else figure
        for name in FIGURE_DATASETS[figure]
        if name in datasets
    }
