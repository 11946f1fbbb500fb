"""A made-up results folder: every number below is invented and chosen to be checked by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mednext.audit.schema import CellRow
from mednext.cli import GROUPS
from mednext.config import Profile, load_datasets, load_methods, load_profile
from mednext.report.findings.facts import Results
from mednext.report.spec import load_tables, reported
from mednext.results import CostRow, DatasetRow, Leak, Metric, MetricRow

ROOT = Path(__file__).resolve().parents[2]
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


# Words of English, too.
WORDS = {"normal", "other", "background", "monkeypox", "mean"}


def known_slugs() -> set[str]:
    """Of methods, ablations, data sets, classes and organs; and those of two words of metrics,
    columns, overlaps, protocols, selections and the positive class."""
    sets, methods, tables = load_datasets(), load_methods(), load_tables().values()
    classes = {c.slug for spec in sets.values() for c in spec.classes if c.slug != c.name}
    ablations = {str(s) for t in tables if t.slug_prefix for s in reported(t)["slug"]}
    choices = {"non_disease", "best_val", "best_test", *map(str, Metric), *map(str, Leak)}
    choices |= {p for spec in sets.values() for p in spec.protocols}
    choices |= {column.name for table in tables for column in table.columns}
    pairs = {slug for slug in choices if "_" in slug}
    return (classes | set(sets) | set(methods) | ablations | pairs) - WORDS


def slugs_in(text: str) -> set[str]:
    """Slugs in what a reader sees (the policy bears a name of its own that is a method's, too;
    paths and commands are none)."""
    known = known_slugs()
    verbs = [verb for group in GROUPS.values() for verb in group]
    text = re.sub(
        rf"polic(y|ies) transunet|empty masks transunet|mednext ({'|'.join(verbs)})\b", "", text
    )
    found = re.findall(r"(?<![\w/.=-])[a-z]\w*(?![\w/-]|\.\w)", text)
    return known & set(found)


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
                far = {"metric": "hd95_pooled_vox", "value": 31.7, "ci_low": 20.1, "ci_high": 140.2}
                rows.append(metric_row(**common, **far))
                rows.append(metric_row(**common, metric="hd95_pooled_mm", value=52.25))
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
            groups_in_two_subsets=0,
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


def reduced_results() -> Results:
    """What FINDINGS.md reads of profile 'reduced', from the rows in the current folder."""
    return Results(load_profile(ROOT / "config" / "reduced.yaml"), [])
