"""FINDINGS.md: words by rule, numbers checked by hand."""

from __future__ import annotations

import re

import pytest

from mednext.report.wording import Estimate, estimate
from mednext.results import DifferenceRow

from .made_up import ROOT, slugs_in


def row(difference: float, seed: int = 0, half: float = 0.01) -> DifferenceRow:
    return DifferenceRow(
        dataset="sars_cov2_ct", protocol="paper", seed=seed, metric="accuracy", method_a="a",
        method_b="b", difference=difference, ci_low=difference - half, ci_high=difference + half,
        deviation=0.3, n_cases=100, n_groups=100,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.1, 2.0, "higher"), (-2.0, -0.1, "lower"), (-1.0, 1.0, "inconclusive"),
     (0.0, 2.0, "inconclusive"), (None, None, "inconclusive")],
)  # fmt: skip
def test_words_follow_the_interval_alone(low: float, high: float, word: str) -> None:
    assert Estimate(0.5, low, high).words.startswith(word)


def test_nothing_has_no_minus() -> None:
    words = Estimate(-0.04, -1.04, 0.96).words
    assert words == "inconclusive: +0.0 points, the interval is [-1.0, +1.0]"


def test_the_second_method_minus_the_first_turns_the_interval() -> None:
    found = estimate(row(0.05).model_copy(update={"ci_low": 0.03}), turned=True)
    assert (found.value, found.low, found.high) == pytest.approx((-5.0, -6.0, -3.0))
    assert estimate(row(0.05).model_copy(update={"ci_low": None})).low is None


def test_no_slug_stands_in_the_committed_findings() -> None:
    text = (ROOT / "results/FINDINGS.md").read_text(encoding="utf-8")
    assert len(text) > 10_000 and slugs_in(re.sub(r"`[^`]*`", "", text)) == set()
