"""Scoring predictions that were made elsewhere; no torch, and for classifiers no image."""

from mednext.analysis.score.judge import judge
from mednext.analysis.score.truth import Truth, truth_of_runs, truth_of_split

__all__ = ["Truth", "judge", "truth_of_runs", "truth_of_split"]
