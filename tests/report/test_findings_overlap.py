"""FINDINGS.md on the overlap of test and train, and on data that only stand in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mednext.config import load_profile
from mednext.report.findings import findings_texts
from mednext.report.findings.orders import order
from mednext.report.findings.overlap import overlaps, train_overlap
from mednext.report.findings.scores import scores
from mednext.results import DatasetRow, Leak, LeakageRow, MetricRow, OverlapRow, write_rows

from .made_up import ROOT, dataset_rows, metric_row, reduced_results


def leak(kind: Leak, **changes: Any) -> LeakageRow:
    values: dict[str, Any] = {
        "dataset": "sars_cov2_ct", "name": "SARS", "source": "local", "source_id": "local-0",
        "stand_in": None, "protocol": "paper", "kind": kind, "unit": "images", "items": 900,
        "test_items": 200, "data_hash": "d" * 16, "split_hash": "e" * 16,
    }  # fmt: skip
    return LeakageRow.model_validate(values | changes)


def split(protocol: str, counts: tuple[int, int, int], **changes: Any) -> list[LeakageRow]:
    kinds = (Leak.SAME_PIXELS, Leak.NEAR_DUPLICATE, Leak.ANY)
    return [
        leak(kind, protocol=protocol, test_overlap=count, **changes)
        for kind, count in zip(kinds, counts, strict=True)
    ]


def test_counts_stand_where_they_belong(reduced: Path) -> None:
    rows = [*split("paper", (1, 25, 101)), *split("grouped", (0, 0, 0))]
    # Neither the next slice nor a single cue has a column.
    rows += [leak(Leak.NEXT_SLICE, test_overlap=77), leak(Leak.CUE_SIZE, accuracy=0.9)]
    write_rows(reduced / "leakage.csv", LeakageRow, rows)
    found = overlaps(reduced_results())
    assert [(p["protocol"], p["test"], p["shares"]) for p in found["pairs"]] == [
        ("paper", "200 images", ["1 (0.5 %)", "25 (12.5 %)", "101 (50.5 %)"]),
        ("grouped", "200 images", ["0 (0.0 %)", "0 (0.0 %)", "0 (0.0 %)"]),
    ]
    assert found["cues"] == []


def test_a_cue_reveals_something_only_above_the_baseline(reduced: Path) -> None:
    cue: dict[str, Any] = {"baseline": 0.5, "accuracy": 0.6, "ci_high": 0.7}
    rows = [
        *split("paper", (0, 0, 0)), leak(Leak.CUE_ALL, ci_low=0.51, **cue),
        *split("paper", (0, 0, 0), dataset="monkeypox_msld"),
        leak(Leak.CUE_ALL, dataset="monkeypox_msld", ci_low=0.49, **cue),
        *split("paper", (0, 0, 0), dataset="large_covid_ct"),
        leak(Leak.CUE_ALL, dataset="large_covid_ct", baseline=0.5, note="the same in all files"),
    ]  # fmt: skip
    write_rows(reduced / "leakage.csv", LeakageRow, rows)
    found = [(c["accuracy"], c["words"]) for c in overlaps(reduced_results())["cues"]]
    assert found == [
        ("60.0 [51.0, 70.0]", "reveals something of the class"),
        ("60.0 [49.0, 70.0]", "inconclusive"),
        (None, "the same in all files"),
    ]


def test_all_methods_together_go_first_and_other_seeds_stay_out(reduced: Path) -> None:
    common: dict[str, Any] = {
        "dataset": "sars_cov2_ct", "protocol": "paper", "n_overlap": 30, "n_clean": 20,
        "groups_overlap": 9, "groups_clean": 8, "accuracy_overlap": 0.9, "accuracy_clean": 0.8,
        "difference": 0.1, "ci_low": 0.02, "ci_high": 0.18,
    }  # fmt: skip
    rows = [
        OverlapRow(**common, seed=0, method="mednext", methods=1),
        OverlapRow(**common, seed=0, method="all", methods=2),
        OverlapRow(**(common | {"n_overlap": 24, "n_clean": 5}), seed=0, method="all", methods=2,
                   klass="covid19"),
        OverlapRow(**(common | {"ci_low": -0.01}), seed=0, method="mednext", methods=1,
                   klass="standardised"),
        OverlapRow(**common, seed=1, method="vit", methods=1),
    ]  # fmt: skip
    write_rows(reduced / "train_overlap.csv", OverlapRow, rows)
    (found,) = train_overlap(reduced_results())
    assert (found["overlap"], found["clean"]) == ("30 images, 9 groups", "20 images, 8 groups")
    said = "higher: +10.0 points, the interval is [+2.0, +18.0]"
    open_ = "inconclusive: +10.0 points, the interval is [-1.0, +18.0]"
    assert [line[0] for line in found["together"]] == ["all images", "COVID-19"]
    assert found["shares"] == [("COVID-19", 80.0, 25.0)]
    assert found["lines"] == [("mednext", 90.0, 80.0, said, open_)]


def test_data_that_stand_in_say_so_in_every_caption(reduced: Path) -> None:
    (row, *_) = dataset_rows()
    changes = {"dataset": "large_covid_ct", "stand_in": "slices of unknown origin"}
    write_rows(reduced / "datasets.csv", DatasetRow, [row.model_copy(update=changes)])
    rows = split("paper", (0, 0, 0), dataset="large_covid_ct")
    write_rows(reduced / "leakage.csv", LeakageRow, rows)
    score = metric_row(dataset="large_covid_ct", method="mednext", value=0.7)
    write_rows(reduced / "metrics.csv", MetricRow, [score])
    results = reduced_results()
    assert scores(results, "4") is None  # no score of other data beside a printed one
    printed, own = order(results, "4"), order(results, "2")
    assert printed is not None and own is not None
    assert printed["caption"].startswith("STAND-IN data (slices of unknown origin), not the data")
    assert printed["stand_in"] and not own["stand_in"] and "STAND-IN" not in own["caption"]
    assert "(STAND-IN)" in overlaps(results)["pairs"][0]["name"]


def test_the_scale_names_what_a_sample_lacks_once(reduced: Path) -> None:
    row = dataset_rows()[0]
    common: dict[str, Any] = {"protocol": "paper", "train": 7, "val": 2, "test": 1}
    rows = [
        row.model_copy(update={"dataset": "monkeypox_msld", "klass": "other", **common}),
        # The profile's own limit is named by itself; what stands in has its own sentence.
        row.model_copy(update={"dataset": "acdc", "klass": None, **common}),
        row.model_copy(update={"dataset": "large_covid_ct", "stand_in": "others", **common}),
    ]
    write_rows(reduced / "datasets.csv", DatasetRow, rows)
    profile = load_profile(ROOT / "config" / "reduced.yaml")
    report = findings_texts(profile, [], {"report": "F.md", "figures": "figures"}).report
    lines = {line.split(" | ")[0]: line for line in report.splitlines() if " px | " in line}
    assert "Other 7 / 2 / 1 instead of 737 / 246 / 246" in lines["| Monkeypox Skin Lesion Dataset"]
    assert "limited to 30 train" in lines["| ACDC"] and "7 / 2 / 1" not in lines["| ACDC"]
    assert "7 / 2 / 1" not in lines["| Large COVID-19-CT scan slice"]
    assert "is a **stand-in**: others" in report
