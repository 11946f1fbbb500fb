"""Test cases in common of two protocols, on made-up runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mednext.analysis.shared import shared
from mednext.results import read_rows
from mednext.results.protocols import SharedRow
from tests.finished_runs import images, run_of, trained


def test_images_in_common_tie_the_scores_of_two_protocols(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = images()
    paper = trained(run_of("classification"), table)
    grouped = trained(run_of("classification", protocol="grouped"), table.iloc[:6])
    alone = trained(run_of("classification", protocol="grouped", method="resnet18"), table)
    shared([paper, grouped, alone], Path("shared.csv"))
    (row,) = read_rows(Path("shared.csv"), SharedRow)
    assert (row.protocol, row.method, row.n_paper, row.n_other) == ("grouped", "mednext", 10, 6)
    assert row.shared == 6 and row.shared_groups == len(set(table.group[:6]))
    # Right: 8 of 10 (images 5 and 9 are not), 5 of the first 6. Of each test set the sums over
    # groups of what its images are off its mean.
    right = [1, 1, 1, 1, 1, 0, 1, 1, 1, 0]
    sums: list[dict[str, float]] = [{}, {}]
    for part, count in zip(sums, (10, 6), strict=True):
        for group, value in zip(table.group[:count], right, strict=False):
            part[group] = part.get(group, 0) + value - sum(right[:count]) / count
    product = sum(sums[0][g] * v for g, v in sums[1].items())
    size = [sum(v * v for v in part.values()) for part in sums]
    assert row.correlation == pytest.approx(product / (size[0] * size[1]) ** 0.5)
