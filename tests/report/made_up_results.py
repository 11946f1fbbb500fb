"""The whole made-up results folder: what figures draw, and everything written to its place."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from mednext.architecture import Architecture, write_architecture
from mednext.audit.schema import CellRow
from mednext.files import atomic_path
from mednext.layout import architecture_json, audit_cells, cases_npz, results_root
from mednext.results import (
    ComparisonRow,
    CostRow,
    CurveRow,
    DatasetRow,
    LatencyRow,
    Metric,
    MetricRow,
    RankRow,
    write_rows,
)

from .made_up import (
    CLASSIFIERS,
    SEGMENTERS,
    SYNAPSE_ORGANS,
    audit_rows,
    cost_rows,
    dataset_rows,
    metric_rows,
)


def classified(source: str, coloured: bool = False, methods: int = 3) -> dict[str, np.ndarray]:
    """Arrays of one part of Fig 6: smooth blobs, no image of anybody."""
    y, x = np.mgrid[:64, :64] / 63.0
    heat = np.exp(-((x - 0.3) ** 2 + (y - 0.6) ** 2) / 0.03).astype(np.float32)
    scores = np.asarray([[0.9, 0.1], [0.8, 0.2]], dtype=np.float32)
    images = np.stack([x * 255, y * 255]).astype(np.uint8)
    return {
        "images": np.stack([images, images, images // 2], axis=-1) if coloured else images,
        "heatmaps": np.stack([[heat, heat.T]] * methods),
        "labels": np.asarray([0, 1]),
        "scores": np.stack([scores] * methods),
        "items": np.asarray(["non-COVID/a (1).png", "COVID/b (2).png"]),
        "methods": np.asarray(CLASSIFIERS[:methods]),
        "classes": np.asarray(["other", "monkeypox"] if coloured else ["normal", "covid19"]),
        "source": np.asarray(source),
    }


def segmented(source: str, organs: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Arrays of Fig 7 or 8: squares as organs."""
    y, x = np.mgrid[:64, :64] / 63.0
    mask = np.zeros((64, 64), dtype=np.uint8)
    for value in range(1, len(organs) + 1):
        mask[10:50, 4 + 6 * value : 10 + 6 * value] = value
    return {
        "images": np.stack([x, y]).astype(np.float32),
        "truth": np.stack([mask, mask]),
        "predictions": np.stack([[mask, mask.T]] * 2),
        "dice": np.asarray([[0.912, 0.5], [0.8, 0.75]], dtype=np.float32),
        "cases": np.asarray(["patient101_frame01", "patient101_frame14"]),
        "slices": np.asarray([4, 5]),
        "methods": np.asarray(SEGMENTERS),
        "classes": np.asarray(["background", *organs]),
        "source": np.asarray(source),
    }


def write_cases(source: str) -> None:
    """Arrays of the image figures of all five data sets."""
    files = {
        "fig6.sars_cov2_ct": classified(source),
        "fig6.monkeypox_msld": classified(source, coloured=True),
        "fig6.large_covid_ct": classified(source, methods=2),
        "fig7": segmented(source, SYNAPSE_ORGANS),
        "fig8": segmented(source, ("rv", "myo", "lv")),
    }
    for name, arrays in files.items():
        with atomic_path(cases_npz("made_up", name)) as part:
            np.savez_compressed(part, **arrays)  # type: ignore[arg-type]


def curve_rows(source: str = "local") -> list[CurveRow]:
    """Curves of one classifier on each set, and MedUNeXt's training on ACDC."""
    base: dict[str, Any] = {
        "profile": "made_up",
        "source": source,
        "source_id": f"{source}-0123abcd",
        "protocol": "paper",
        "selection": "last",
        "seed": 0,
    }
    sars = base | {"dataset": "sars_cov2_ct", "method": "mednext"}
    acdc = base | {"dataset": "acdc", "method": "medunext"}
    rows = [
        CurveRow(**sars, curve="roc", x=x, y=x**0.3, y_low=x, y_high=min(1.0, x**0.2), n=496)
        for x in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    rows += [
        CurveRow(**sars, curve="reliability", x=x, y=x**2, y_low=x**3, y_high=x, n=50)
        for x in (0.1, 0.5, 0.9)
    ]
    for dataset in ("monkeypox_msld", "large_covid_ct"):
        for curve in ("roc", "reliability"):
            where = sars | {"dataset": dataset, "method": "resnet18"}
            rows += [CurveRow(**where, curve=curve, x=x, y=x, n=9) for x in (0.0, 0.5, 1.0)]
    for where in (sars, acdc):
        for epoch in (1, 2, 3):
            rows.append(CurveRow(**where, curve="train_loss", x=epoch, y=1 / epoch, n=1))
            rows.append(CurveRow(**where, curve="val_loss", x=epoch, y=1.2 / epoch, n=1))
            rows.append(CurveRow(**where, curve="val_score", x=epoch, y=epoch / 4, n=1))
    return rows


def latency_rows() -> list[LatencyRow]:
    """Two methods that were timed."""
    return [
        LatencyRow(
            method=method,
            device="cpu",
            mode="eager",
            threads=1,
            dtype="fp32",
            memory_format="channels_last",
            batch=batch,
            input_shape=f"{batch}x3x224x224",
            median_ms=median,
            iqr_ms=1.0,
            p95_ms=median + 2,
            images_per_s=1000 * batch / median,
            peak_memory_mib=300.0,
            repeats=20,
            busy=False,
            env_hash="0" * 16,
            status="ok",
        )
        for method, batch, median in (
            ("mednext", 1, 31.0),
            ("mednext", 8, 90.0),
            ("unet", 1, 420.0),
        )
    ]


def rank_rows(source: str = "local") -> list[RankRow]:
    """Four classifiers: mean ranks 1.1, 2.0, 3.0 and 3.9."""
    shares = {
        "mednext": (0.9, 0.1, 0.0, 0.0),
        "resnet18": (0.1, 0.8, 0.1, 0.0),
        "convnext_t": (0.0, 0.1, 0.8, 0.1),
        "resnet50": (0.0, 0.0, 0.1, 0.9),
    }
    return [
        RankRow(
            **_pair_base(source),
            metric=Metric.ACCURACY,
            method=method,
            rank=rank,
            share=share,
            n_groups=9,
        )
        for method, row in shares.items()
        for rank, share in enumerate(row, 1)
    ]


def comparison_rows(source: str = "local") -> list[ComparisonRow]:
    """The first two do not differ significantly, nor do the last two."""
    alike = [{"mednext", "resnet18"}, {"convnext_t", "resnet50"}]
    methods = ("mednext", "resnet18", "convnext_t", "resnet50")
    return [
        ComparisonRow(
            **_pair_base(source),
            test="mcnemar",
            metric=Metric.ACCURACY,
            method_a=a,
            method_b=b,
            value_a=0.9,
            value_b=0.8,
            p=0.2 if {a, b} in alike else 0.001,
            p_holm=0.4 if {a, b} in alike else 0.004,
            n_cases=496,
            n_groups=9,
            note=None,
        )
        for a, b in combinations(methods, 2)
    ]


def _pair_base(source: str) -> dict[str, Any]:
    return {
        "profile": "made_up",
        "source": source,
        "source_id": f"{source}-0123abcd",
        "dataset": "sars_cov2_ct",
        "protocol": "paper",
        "selection": "last",
        "seed": 0,
    }


@cache
def networks() -> Architecture:
    """What the drawings of Figs 1-5 need: read off the real networks, once."""
    from mednext.models.describe import describe

    return describe()


def write_results(source: str) -> Path:
    """All small result files of the made-up profile, below the current folder."""
    root = results_root("made_up")
    write_rows(root / "metrics.csv", MetricRow, metric_rows(source))
    write_rows(root / "cost.csv", CostRow, cost_rows())
    write_rows(root / "datasets.csv", DatasetRow, dataset_rows(source))
    write_rows(audit_cells(), CellRow, audit_rows())
    write_rows(root / "curves.csv", CurveRow, curve_rows(source))
    write_rows(root / "latency.csv", LatencyRow, latency_rows())
    write_rows(root / "ranking.csv", RankRow, rank_rows(source))
    write_rows(root / "comparisons.csv", ComparisonRow, comparison_rows(source))
    write_architecture(architecture_json("made_up"), networks())
    write_cases(source)
    return root
