"""Counts per slice of segmented volumes, and where in the heart each slice lies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mednext.analysis.cases import Cases, recorded
from mednext.config import RunConfig
from mednext.datasets.load import SegmentationData, load
from mednext.files import read_csv, write_csv
from mednext.metrics.segmentation import organ_counts
from mednext.results import HEADLINE
from mednext.runs.resolve import run_paths

COLUMNS = ["case", "group", "organ", "slice", "tp", "fp", "fn"]
POSITIONS = ("base", "middle", "apex")


def slices_file(run: RunConfig) -> Path:
    """``slices.<selection>.csv`` beside the counts per case; no rule declares it."""
    return run_paths(run).root / f"slices.{HEADLINE.selection}.csv"


def slices(run: RunConfig) -> pd.DataFrame | None:
    """The counts per slice of a finished run: as written before, else from its predictions; None
    where there are neither (an import without them).

    Raises:
        UserError: a file is damaged, or the data are not prepared here.
    """
    file, predictions = slices_file(run), run_paths(run).predictions(HEADLINE.selection)
    if predictions.is_file() and _older(file, predictions):
        write_csv(file, _counted(recorded(run)[0], predictions))
    return read_csv(file, dict.fromkeys(COLUMNS[3:], "int64")) if file.is_file() else None


def _older(file: Path, than: Path) -> bool:
    return not file.is_file() or file.stat().st_mtime < than.stat().st_mtime


def _counted(run: RunConfig, predictions: Path) -> pd.DataFrame:
    data = load(run)
    assert isinstance(data, SegmentationData)
    rows = []
    with np.load(predictions, allow_pickle=False) as stored:
        for index in data.subsets["test"]:
            case = data.cases[index]
            truth, found = np.asarray(data.volume(case)[1]), stored[case.case]
            for value, organ in enumerate(data.classes[1:], start=1):
                for place in range(len(truth)):
                    counts = organ_counts(truth[place], found[place], value)
                    rows.append((case.case, case.patient, organ, place, *counts))
    return pd.DataFrame(rows, columns=COLUMNS)


def by_position(cases: Cases, table: pd.DataFrame) -> Cases:
    """Counts by third of the heart from base to apex, one row per case, organ and ``position``.

    The thirds divide the slices that show any organ; the outer third with more of them is the base,
    where the ventricles are widest. What is found beyond an end counts there. An organ that does
    not reach a third has no row of it: Dice would say nothing.
    """
    parts = []
    for _, volume in table.groupby("case", sort=False):
        true = (volume.tp + volume.fn).groupby(volume.slice).sum()
        there = true.index[true > 0]
        if len(there) < len(POSITIONS):
            continue
        # The middle of each slice from 0 to 1 along the heart.
        along = (volume.slice - there.min() + 0.5) / (there.max() - there.min() + 1)
        third = (along * len(POSITIONS)).clip(0, len(POSITIONS) - 1e-9).astype(int)
        size = (volume.tp + volume.fn).groupby(third).sum()
        upside_down = size[2] > size[0]
        names = POSITIONS[::-1] if upside_down else POSITIONS
        parts.append(volume.assign(position=third.map(dict(enumerate(names)))))
    if not parts:
        return Cases(cases.run, pd.DataFrame(columns=[*COLUMNS, "position"]))
    keys = ["case", "group", "organ", "position"]
    summed = pd.concat(parts).groupby(keys, sort=False)[["tp", "fp", "fn"]].sum().reset_index()
    return Cases(cases.run, summed[summed.tp + summed.fn > 0].reset_index(drop=True))
