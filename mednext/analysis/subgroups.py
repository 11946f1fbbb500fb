"""subgroups.csv: which cases are served worse, by what is known of them besides the image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mednext.analysis.cases import Cases, check_same_cases, known, read
from mednext.analysis.slices import by_position, slices
from mednext.config import RunConfig
from mednext.datasets.columns import ITEMS
from mednext.errors import UserError
from mednext.files import read_csv, seed_of
from mednext.layout import DataPaths
from mednext.metrics.comparison import holm
from mednext.metrics.statistics import interval, resample
from mednext.metrics.subgroup import deficit, noticeable, power
from mednext.results import ALL_METHODS, SCORE, write_rows
from mednext.results.subgroups import SubgroupRow

DIAGNOSES = ("dilated", "hypertrophic", "infarction", "normal", "right ventricle")
"""Of ACDC's patients 1 to 20, 21 to 40, ... (the order of the original training set)."""
GROUPS = {"DCM": 0, "HCM": 1, "MINF": 2, "NOR": 3, "RV": 4}
"""``Group`` in ``Info.cfg`` -> place in :data:`DIAGNOSES`."""
FOLDS = tuple(f"cv{k}" for k in range(1, 6))
THIRDS = ("small", "middle", "large")
TEN_POINTS = 0.1
UNSURE = ("ci_low", "ci_high", "diff_low", "diff_high", "p", "p_holm", "noticeable", "power")
"""Columns that are empty where there are too few groups."""


def subgroups(runs: Sequence[RunConfig], path: Path, attributes: Path | None = None) -> None:
    """Write ``subgroups.csv`` of every data set and protocol; folds of a cross-validation are one.

    Args:
        runs: finished ones, with counts per case.
        path: of the file.
        attributes: a table of one's own: ``path``, ``case`` or ``group``, and a column of levels
            per attribute.

    Raises:
        UserError: a run has not been evaluated, or the table lacks a case.
    """
    own = None if attributes is None else read_csv(attributes, remedy="correct the table")
    rows: list[SubgroupRow] = []
    for (dataset, protocol), methods in _gathered(runs).items():
        first = _first(methods)
        parts = [_part(methods, levels_of(first, own, attributes))]
        if placed := _by_position(methods):
            parts.append(_part(placed, _first(placed).table[["position"]]))
        rows += _of_test_set(dataset, protocol, first.run.task, parts)
    write_rows(path, SubgroupRow, rows)


Methods = dict[str, dict[int, Cases]]
"""Method -> seed -> cases."""


def _gathered(runs: Sequence[RunConfig]) -> dict[tuple[str, str], Methods]:
    """The cases of every data set and protocol by method and seed."""
    found: dict[tuple[str, str], Methods] = defaultdict(lambda: defaultdict(dict))
    folds: dict[tuple[str, str, int], dict[str, Cases]] = defaultdict(dict)
    for run in runs:
        cases = read(run)
        if cases is None:
            continue
        if run.protocol in FOLDS:
            folds[run.dataset, run.method, run.seed][run.protocol] = cases
        else:
            found[run.dataset, run.protocol][run.method][run.seed] = cases
    for (dataset, method, seed), parts in folds.items():
        if len(parts) == len(FOLDS):
            table = pd.concat([parts[fold].table for fold in FOLDS], ignore_index=True)
            found[dataset, "cv"][method][seed] = Cases(parts[FOLDS[0]].run, table)
    return {key: dict(methods) for key, methods in found.items()}


def levels_of(
    cases: Cases, own: pd.DataFrame | None = None, file: Path | None = None
) -> pd.DataFrame:
    """Per row of the cases its level of each attribute that has at least two; "" if unknown."""
    table, run = cases.table, cases.run
    found: dict[str, Any] = {}
    if run.task == "segmentation":
        # Of each organ by itself: a small liver is larger than a large gallbladder.
        size = table.tp + table.fn
        found["organ size"] = size.groupby(table.organ).transform(
            lambda voxels: _thirds(voxels, named=False)
        )
        if run.dataset == "acdc":
            found["diagnosis"] = _diagnoses(run, table.group)
    else:
        found["images of the group"] = _thirds(table.groupby("group").path.transform("size"))
    found |= _of_files(run, table)
    if own is not None:
        found |= _own(table, own, file)
    levels = pd.DataFrame(found, index=table.index)
    return levels[[name for name in levels if levels[name].replace("", np.nan).nunique() > 1]]


def _thirds(values: pd.Series, named: bool = True) -> pd.Series:
    """Which third of the cases each value is in; equal values are in one."""
    edges = np.unique(np.quantile(values, [1 / 3, 2 / 3], method="inverted_cdf"))
    place = np.searchsorted(edges, values, side="left")
    place = np.unique(place, return_inverse=True)[1]
    if named:
        spans = [values[place == k] for k in range(place.max() + 1)]
        texts = [f"{s.min()} to {s.max()}" if s.min() < s.max() else f"{s.min()}" for s in spans]
    else:
        texts = [THIRDS[0], *THIRDS[2 - (place.max() - 1) :]] if place.max() else [THIRDS[1]]
    return pd.Series([texts[k] for k in place], index=values.index)


def _diagnoses(run: RunConfig, patients: pd.Series[str]) -> pd.Series[str]:
    """By ``Info.cfg`` where the original files are there, else by the patient's number."""
    stored = {}
    root = DataPaths(run.source_id, run.dataset).raw
    for file in root.rglob("Info.cfg"):
        text = file.read_text(encoding="latin-1")
        group = next(
            (line.partition(":")[2].strip() for line in text.splitlines() if "Group" in line), ""
        )
        if group in GROUPS:
            stored[file.parent.name] = DIAGNOSES[GROUPS[group]]

    def by_number(patient: str) -> str:
        number = int(patient.removeprefix("patient"))
        return DIAGNOSES[(number - 1) // 20] if 1 <= number <= 100 else ""

    return patients.map(lambda patient: stored.get(patient) or by_number(patient))


def _of_files(run: RunConfig, table: pd.DataFrame) -> dict[str, pd.Series]:
    """Colour mode and size of the images, where the data have been verified here."""
    file = DataPaths(run.source_id, run.dataset).items
    if run.task != "classification" or not file.is_file():
        return {}
    items = read_csv(file, ITEMS).set_index("item").reindex(table.path)
    items.index = table.index
    if items["mode"].isna().any():  # the data here are not those of the run
        return {}
    pixels = items.width.astype("int64") * items.height.astype("int64")
    return {"colour mode": items["mode"], "pixels": _thirds(pixels)}


def _own(table: pd.DataFrame, own: pd.DataFrame, file: Path | None) -> dict[str, pd.Series]:
    key = next((name for name in ("path", "case", "group") if name in own and name in table), None)
    lacking = sorted(set(table[key].astype(str)) - set(own[key])) if key else []
    if key is None or lacking or own[key].duplicated().any():
        raise UserError(
            "the table of attributes does not fit the cases",
            file=file,
            found=f"no row of {lacking[0]}" if lacking else ", ".join(map(str, own.columns)),
            expected="a column path, case or group, and one row for each",
            remedy="add what is missing, once",
        )
    rows = own.set_index(key).reindex(table[key].astype(str))
    return {str(name): pd.Series(rows[name].to_numpy(), index=table.index) for name in rows}


def _first(methods: Methods) -> Cases:
    return next(iter(next(iter(methods.values())).values()))


def _by_position(methods: Methods) -> Methods:
    """The same runs by third of the heart, where all of them have counts per slice."""
    if _first(methods).run.dataset != "acdc":
        return {}
    found: Methods = {}
    for method, seeds in methods.items():
        for seed, cases in seeds.items():
            table = slices(cases.run)
            if table is None or set(table.case) != set(cases.table.case):
                return {}
            found.setdefault(method, {})[seed] = by_position(cases, table)
    return found if len(_first(found).table) else {}


@dataclass(frozen=True)
class _Part:
    """Levels of some attributes, and each method's scores of the same rows."""

    groups: np.ndarray
    levels: pd.DataFrame
    values: dict[str, np.ndarray]
    seeds: dict[str, int]


def _part(methods: Methods, levels: pd.DataFrame) -> _Part:
    first = _first(methods)
    values: dict[str, np.ndarray] = {}
    for method, seeds in methods.items():
        for cases in seeds.values():
            check_same_cases(first, cases)
        values[method] = np.mean([c.row_scores() for c in seeds.values()], axis=0)
    counts = {method: len(seeds) for method, seeds in methods.items()}
    if len(values) > 1:
        values[ALL_METHODS] = np.mean(list(values.values()), axis=0)
        counts[ALL_METHODS] = max(counts.values())
    return _Part(np.asarray(first.groups, str), levels, values, counts)


def _of_test_set(
    dataset: str, protocol: str, task: str, parts: Sequence[_Part]
) -> Iterator[SubgroupRow]:
    base = {"dataset": dataset, "protocol": protocol, "metric": SCORE[task]}
    for method, count in parts[0].seeds.items():
        yield from _of_method({**base, "method": method, "seeds": count}, method, parts)


def _of_method(base: dict[str, Any], method: str, parts: Sequence[_Part]) -> list[SubgroupRow]:
    seed = seed_of("subgroups", base["dataset"], base["protocol"])
    tested: list[dict[str, Any]] = []
    for part, attribute in [(p, name) for p in parts for name in p.levels]:
        values, of_case = part.values[method], part.levels[attribute].to_numpy()
        there = of_case != ""
        names = sorted(set(of_case[there]), key=lambda name: (len(name), name))
        rows = []
        for name in names:
            facts = (values[there], (of_case == name)[there], part.groups[there], seed)
            row = base | {"attribute": attribute, "level": name} | _level(*facts, len(names))
            # Of two levels one test says all.
            rows.append(row | {"facts": facts, "again": len(names) == 2 and name == names[1]})
        lowest = min((row["value"] for row in rows), default=0)
        tested += [row | {"worst": row["value"] == lowest} for row in rows]
    once = [row for row in tested if not row["again"]]
    looks = max(sum(not np.isnan(row["p"]) for row in once), 1)
    for row, adjusted in zip(once, holm([row["p"] for row in once]), strict=True):
        row["p_holm"] = adjusted
    found = []
    for k, row in enumerate(tested):
        if row.pop("again"):
            row["p_holm"] = tested[k - 1]["p_holm"]
        facts = (*row.pop("facts"), 0.05 / looks)
        row |= {"noticeable": noticeable(*facts), "power": power(TEN_POINTS, *facts)}
        found.append(SubgroupRow(**(row | {name: known(row[name]) for name in UNSURE})))
    return found


def _level(
    values: np.ndarray, inside: np.ndarray, groups: np.ndarray, seed: int, levels: int
) -> dict[str, Any]:
    """One level against the rest."""
    ours, of_ours = values[inside], list(groups[inside])
    low = high = np.nan
    if len(set(of_ours)) > 2:  # the quantile of two is too far out to say anything
        resampled = resample(of_ours, lambda rows: ours[rows].mean(keepdims=True), seed)
        low, high = interval(float(ours.mean()), resampled, level=1 - 0.05 / levels)
    found = deficit(values, inside, list(groups), seed)
    diff_low, diff_high = found.interval()
    return {
        "n_cases": int(inside.sum()),
        "n_groups": len(set(of_ours)),
        "value": float(ours.mean()),
        "ci_low": low,
        "ci_high": high,
        "difference": found.value,
        "diff_low": diff_low,
        "diff_high": diff_high,
        "p": found.p_value(),
    }
