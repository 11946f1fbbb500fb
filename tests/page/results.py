"""A made-up results folder with everything the page shows, names and reasons of the worst kind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mednext.audit.schema import ClaimRow
from mednext.config import Profile, benchmarks_dir
from mednext.files import atomic_path, write_text
from mednext.layout import browse_npz
from mednext.report.figures import FIGURES
from mednext.results import MetricRow, write_rows

from ..report.made_up import CLASSIFIERS, SEGMENTERS, make_profile, metric_row, metric_rows
from ..report.made_up_results import write_results

# A file may bear any of these on disk.
HOSTILE = (
    'COVID/</script><script>window.hit = 1</script>"&\'<img src=x onerror="window.hit = 2">.png'
)
IMAGES = 70
SLUGS = (
    "table,method,positive,column,kind,selection,metric\n"
    "7,sa_ffn,non_disease,accuracy_pct,next_slice,best_val,hd95_max_mm\n"
    "8,laffn_sem_sdffn,disease,rv_pct,cue_all,last,dice\n"
)
"""Every kind of slug that a listing may hold."""


def write_browsed(source: str) -> None:
    """70 images of two classes and 3 volumes of 4 slices: gradients and blobs, nobody's image."""
    y, x = np.mgrid[:48, :48] / 47.0
    random = np.random.default_rng(0)
    truth = np.arange(IMAGES) % 2
    right = random.uniform(0.2, 1.0, (2, IMAGES)).round(4)
    right[:, 0], right[:, 1] = (0.9912, 0.75), (0.0312, 0.0125)  # by method, of the first two
    scores = np.where(truth[None, :, None] == np.arange(2), right[..., None], 1 - right[..., None])
    names = [
        f"normal/Image ({i}).png" if i % 2 == 0 else f"COVID/scan {i}.png" for i in range(IMAGES)
    ]
    names[1] = HOSTILE
    heat = np.exp(-((x[::2, ::2] - 0.3) ** 2 + (y[::2, ::2] - 0.6) ** 2) / 0.03) * 255
    common: dict[str, Any] = {"source": source, "selection": "last"}
    _save(
        browse_npz("made_up", "sars_cov2_ct", "paper"),
        **common,
        task="classification",
        methods=CLASSIFIERS[:2],
        seeds=[0, 0],
        absent=CLASSIFIERS[2:],
        classes=["normal", "covid19"],
        names=names,
        labels=truth,
        scores=scores.astype(np.float32),
        pictured=np.arange(IMAGES - 5),
        images=np.stack([(x + y * i / IMAGES) * 127 for i in range(IMAGES - 5)]).astype(np.uint8),
        heatmaps=np.stack([[heat.astype(np.uint8)] * (IMAGES - 5)] * 2),
    )
    # the longest name of a choice there is
    longest = browse_npz("made_up", "monkeypox_msld", "grouped_originals")
    shutil.copy(browse_npz("made_up", "sars_cov2_ct", "paper"), longest)
    mask = np.zeros((48, 48), np.uint8)
    mask[8:40, 8:20], mask[8:40, 20:26], mask[8:40, 26:40] = 1, 2, 3
    dice = np.asarray([[[0.9, 0.8, 0.7], [0.5, 0.4, 0.3], [np.nan, 0.2, 0.6]]] * 2, np.float32)
    _save(
        browse_npz("made_up", "acdc", "paper"),
        **common,
        task="segmentation",
        methods=SEGMENTERS,
        seeds=[0, 0],
        absent=np.asarray([], dtype=str),
        classes=["background", "rv", "myo", "lv"],
        names=["patient101_ED", "patient101_ES", "patient102_ED"],
        dice=dice - np.asarray([0, 0.05], np.float32)[:, None, None],
        hd95=dice * 10,
        pictured=np.repeat(np.arange(3), 4),
        planes=np.tile([2, 3, 4, 5], 3),
        images=np.stack([x * 20 * i for i in range(12)]).astype(np.uint8),
        truth=np.stack([mask] * 12),
        masks=np.stack([[mask.T] * 12, [mask] * 12]),
    )


def _save(path: Path, **arrays: Any) -> None:
    with atomic_path(path) as part:
        np.savez_compressed(part, **{k: np.asarray(v) for k, v in arrays.items()})


def write_figures(folder: Path) -> None:
    """A plain picture in place of each figure: what they show is tested elsewhere."""
    folder.mkdir(parents=True)
    for name in FIGURES:
        Image.new("L", (60, 40), 200).save(folder / f"{name}.png")


def made_up_claims() -> Iterator[ClaimRow]:
    """Three statements: a cell that was reproduced, a false one that was not run, one without."""
    for number, (verdict, cells) in enumerate(
        [
            ("true", "2/mednext/accuracy_pct"),
            ("false", "2/vit/accuracy_pct"),
            ("not checkable", None),
        ],
        start=1,
    ):
        yield ClaimRow(
            claim_id=f"X00{number}",
            section="Abstract",
            paper_line=number,
            kind="cell",
            quote="98.39 <b>%</b>",
            about="mednext accuracy_pct",
            stated="98.39",
            unit="%",
            computed="98.39",
            off_by=None,
            verdict=verdict,
            note=None,
            cells=cells,
        )


def other_views(source: str) -> Iterator[MetricRow]:
    """A protocol and weights that are not the headline's, of a data set outside the profile."""
    for value, view in ((0.8712, {"protocol": "grouped"}), (0.9344, {"selection": "best_val"})):
        for seed in (0, 1):
            where = {"dataset": "monkeypox_msld", "source": source, "seed": seed, **view}
            yield metric_row(metric="accuracy", value=value + seed / 100, **where)


def write_everything(source: str) -> tuple[Profile, Path]:
    """All small files of the made-up profile below the current folder, the audit's among them."""
    root = write_results(source)
    write_rows(root / "metrics.csv", MetricRow, [*metric_rows(source), *other_views(source)])
    write_browsed(source)
    write_figures(root / "figures")
    rows = "".join(f"t{i},sars_cov2_ct,{i / 100},<b>p{i}</b>\n" for i in range(120))
    write_text(root / "comparisons.csv", "method_a,dataset,p,note\n" + rows)
    audit = root.parent / "audit"
    shutil.copy(benchmarks_dir() / "reported" / "claims.csv", audit / "misfits.csv")
    write_rows(audit / "claims.csv", ClaimRow, list(made_up_claims()))
    write_text(audit / "splits.csv", SLUGS)
    return make_profile(source), root
