"""differences.csv: the interval of a paired difference always has a width."""

from __future__ import annotations

from pathlib import Path

import pytest
from statsmodels.stats.proportion import proportion_confint

from mednext.analysis.differences import differences
from mednext.results import DifferenceRow, read_rows
from tests.finished_runs import images, run_of, trained


def test_equal_methods_may_differ_on_other_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [trained(run_of("classification", method=m), images()) for m in ("mednext", "vit")]
    differences(runs, Path("differences.csv"))
    (row,) = read_rows(Path("differences.csv"), DifferenceRow)
    # None of five groups differ: at most the upper bound of 0 of 5 do.
    bound = proportion_confint(0, 5, method="wilson")[1]
    assert row.difference == 0 and row.n_groups == 5
    assert (row.ci_low, row.ci_high) == pytest.approx((-bound, bound))
