"""A made-up results folder: every number below is invented and chosen to be checked by hand."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from mednext.architecture import Architecture, write_architecture
from mednext.audit.schema import CellRow
from mednext.config import Profile
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

CLASSIFIERS = ("mednext", "resnet18", "convnext_t")
SEGMENTERS = ("medunext", "unet")
SYNAPSE_ORGANS = (
    "aorta",
    "gallbladder",
    "kidney_l",
    "kidney_r",
    "liver",
    "pancreas",
    "spleen",
    "stomach",
)
NASTY = 'loss is <script>alert("x")</script> | nan & 50 % of_steps'


def make_profile(source: str = "local", **changes: Any) -> Profile:
    """Paper scale by default; ``changes`` go into both data sets."""
    common: dict[str, Any] = {"source": source, "img_size": 224, **changes}
    if source == "phantom":
        common["phantom"] = {"train": 4, "val": 2, "test": 4}
    sars = {"methods": CLASSIFIERS, "epochs": 300, "batch_size": 32} | common
    acdc = {"methods": SEGMENTERS, "epochs": 100, "batch_size": 12} | common
    return Profile.model_validate(
        {
            "profile": "made_up",
            "seeds": (0, 1, 2),
            "threads": 1,
            "datasets": {"sars_cov2_ct": sars, "acdc": acdc},
        }
    )


def full_profile(source: str = "local") -> Profile:
    """The same with all five data sets; the added ones have the methods of their task."""
    whole = make_profile(source).model_dump()
    sars, acdc = whole["datasets"]["sars_cov2_ct"], whole["datasets"]["acdc"]
    more = {"monkeypox_msld": sars, "large_covid_ct": sars, "synapse": acdc}
    return Profile.model_validate({**whole, "datasets": {**whole["datasets"], **more}})


def metric_row(**changes: Any) -> MetricRow:
    values: dict[str, Any] = {
        "profile": "made_up",
        "source": "local",
        "source_id": "local-0123abcd",
        "task": "classification",
        "dataset": "sars_cov2_ct",
        "protocol": "paper",
        "selection": "last",
        "method": "mednext",
        "seed": 0,
        "metric": "accuracy",
        "target": "non_disease",
        "policy": None,
        "value": 0.5,
        "ci_low": 0.4,
        "ci_high": 0.6,
        "n_cases": 496,
        "n_groups": 496,
        "config_hash": "c" * 16,
        "data_hash": "d" * 16,
        "split_hash": "e" * 16,
        "code_hash": "f" * 16,
        "env_hash": "0" * 16,
        "setting_hash": "0" * 16,
        "status": "ok",
    }
    return MetricRow.model_validate(values | changes)


def bad_row(method: str, status: str, reason: str, **changes: Any) -> MetricRow:
    nothing = dict.fromkeys(("metric", "target", "value", "ci_low", "ci_high", "n_cases"))
    return metric_row(method=method, status=status, reason=reason, **nothing, **changes)


def metric_rows(source: str = "local") -> list[MetricRow]:
    """MedNeXt with three seeds, ResNet18 failed, ConvNeXt-T skipped; both segmenters ran."""
    rows = []
    for seed, accuracy in enumerate((0.983, 0.985, 0.987)):
        numbers = {"precision": 0.99, "recall": 0.90, "f1": 0.99, "accuracy": accuracy, "auc": 0.5}
        for target in ("non_disease", "disease"):
            for name, value in numbers.items():
                shifted = value - (0.1 if target == "disease" else 0)
                bounds = {"ci_low": shifted - 0.005, "ci_high": shifted + 0.005}
                rows.append(
                    metric_row(
                        seed=seed,
                        metric=name,
                        target=target,
                        value=shifted,
                        source=source,
                        **bounds,
                    )
                )
    rows.append(bad_row("resnet18", "failed", NASTY, source=source))
    rows.append(bad_row("convnext_t", "skipped", "no room", source=source))
    acdc = {"dataset": "acdc", "task": "segmentation", "metric": "dice", "source": source}
    for method, mean in (("medunext", 0.9), ("unet", 0.8)):
        for target, shift in (("mean", 0.0), ("rv", -0.02), ("myo", -0.01), ("lv", 0.03)):
            for policy in ("transunet", "nan"):
                value = mean + shift + (0.001 if policy == "nan" else 0)
                rows.append(
                    metric_row(
                        **acdc,
                        method=method,
                        target=target,
                        policy=policy,
                        value=value,
                        ci_low=value - 0.03,
                        ci_high=value + 0.03,
                        n_cases=40,
                    )
                )
    return rows


def synapse_rows(source: str = "local") -> list[MetricRow]:
    """Every column of Table 5 for both segmenters: the widest table, filled."""
    rows = []
    for method in SEGMENTERS:
        for target in ("mean", *SYNAPSE_ORGANS):
            common: dict[str, Any] = {
                "dataset": "synapse",
                "task": "segmentation",
                "source": source,
                "method": method,
                "target": target,
                "policy": "transunet",
                "n_cases": 12,
            }
            dice = {"metric": "dice", "value": 0.71, "ci_low": 0.62, "ci_high": 0.83}
            rows.append(metric_row(**common, **dice))
            if target == "mean":
                far = {"metric": "hd95_pooled_mm", "value": 31.7, "ci_low": 20.1, "ci_high": 140.2}
                rows.append(metric_row(**common, **far))
    return rows


def cost_rows() -> list[CostRow]:
    base = {
        "input_shape": "1x3x224x224",
        "gmacs_fvcore": None,
        "gmacs_ptflops": None,
        "activations_m": None,
        "uncounted_ops": None,
        "reason": None,
    }
    made = [
        ("mednext", "classification", 2, 10_724_598, 1.948, "matches", "off"),
        ("resnet18", "classification", 2, 11_177_538, 1.8135, None, None),
        ("resnet18", "classification", 1000, 11_689_512, 1.8141, "matches", "near"),
        ("convnext_t", "classification", 1000, 28_589_128, 4.456, "matches", "off"),
        ("medunext", "segmentation", 4, 39_850_000, 39.87, "matches", "not printed"),
        ("unet", "segmentation", 4, 31_000_000, 40.0, "off", "not printed"),
        ("nnunet", "segmentation", 4, 40_280_000, 50.0, "matches", "not printed"),
    ]
    return [
        CostRow(
            method=method,
            task=task,
            num_classes=classes,
            params=params,
            gmacs_torch=gmacs,
            reported_params_m=None,
            reported_gmacs=None,
            verdict_params=first,  # type: ignore[arg-type]
            verdict_gmacs=second,  # type: ignore[arg-type]
            **base,  # type: ignore[arg-type]
        )
        for method, task, classes, params, gmacs, first, second in made
    ]


def dataset_rows(source: str = "local") -> list[DatasetRow]:
    """The counts of Table 1, typed from the paper."""
    made = [
        ("sars_cov2_ct", "normal", "images", (737, 246, 246)),
        ("sars_cov2_ct", "covid19", "images", (751, 251, 250)),
        ("acdc", None, "cases", (70, 10, 20)),
    ]
    return [
        DatasetRow(
            dataset=dataset,
            name=dataset,
            source=source,
            source_id=f"{source}-0123abcd",
            protocol="paper",
            klass=klass,
            unit=unit,  # type: ignore[arg-type]
            train=counts[0],
            val=counts[1],
            test=counts[2],
            unused=0,
            total=sum(counts),
            expected_total=sum(counts),
            printed_train=counts[0],
            printed_val=counts[1],
            printed_test=counts[2],
            groups=10,
            groups_on_two_sides=0,
            data_hash="d" * 16,
            split_hash="e" * 16,
        )
        for dataset, klass, unit, counts in made
    ]


def audit_rows() -> list[CellRow]:
    """Two findings about cells, one about a row, one about a table without results."""
    made = [
        (2, "mednext", "f1_pct", "arithmetic", "not what the others give"),
        (2, "resnet18", None, "inference", "another test size"),
        (2, "resnet18", "f1_pct", "arithmetic", "not what the others give"),
        (5, "unet", "dsc_pct", "arithmetic", "not the mean"),
    ]
    return [
        CellRow(
            table=table,
            slug=slug,
            column=column,
            rule="made up",
            verdict="off",
            basis=basis,  # type: ignore[arg-type]
            note=note,
        )
        for table, slug, column, basis, note in made
    ]


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
    """The first two and the last two are not told apart."""
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
