"""FINDINGS.md on how much of each part of a MED block depends on the image."""

from __future__ import annotations

from pathlib import Path

from mednext.report.findings.signal import signals
from mednext.results import DatasetRow, SignalRow, write_rows

from .made_up import dataset_rows, reduced_results


def row(part: str, ratio: float, weights: str = "last", seed: int = 1) -> SignalRow:
    return SignalRow(
        method="mednext", dataset="sars_cov2_ct", protocol="paper", seed=seed, weights=weights,  # type: ignore[arg-type]
        images=16, img_size=64, module="stages.0.0.parts.0", part=part, channels=64, positions=256,
        branch_std=ratio, stream_std=1.0, ratio=ratio, grad_rms=0.1, weight_rms=0.2,
    )  # fmt: skip


def test_median_and_range_of_each_part(reduced: Path) -> None:
    rows = [row("LAFFN", r) for r in (0.0001, 0.0002, 0.01)]
    rows += [row("SDFFN", 0.5), row("SDFFN", 1.5, seed=2), row("LAFFN", 0.3, "initial")]
    write_rows(reduced / "signal.csv", SignalRow, rows)
    last, initial = signals(reduced_results())
    assert (last["weights"], last["seeds"]) == ("last", "1, 2")
    assert last["parts"] == ["0.0002 (0.0001 to 0.01)", "–", "1 (0.5 to 1.5)"]
    assert last["medians"] == ["0.0002", "–", "1"]
    assert last["name"] == "SARS-COV2-CT-Scan" and last["stand_in"] is None
    assert (initial["weights"], initial["parts"][0]) == ("initial", "0.3 (0.3 to 0.3)")


def test_what_stands_in_is_named_so(reduced: Path) -> None:
    write_rows(reduced / "signal.csv", SignalRow, [row("LAFFN", 0.1)])
    counts = [r.model_copy(update={"stand_in": "other slices"}) for r in dataset_rows()]
    write_rows(reduced / "datasets.csv", DatasetRow, counts)
    (found,) = signals(reduced_results())
    assert (found["name"], found["stand_in"]) == ("SARS-COV2-CT-Scan (STAND-IN)", "other slices")


def test_nothing_measured_nothing_said(reduced: Path) -> None:
    assert signals(reduced_results()) == []
