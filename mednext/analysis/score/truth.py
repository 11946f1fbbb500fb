"""The test cases of a protocol: from the runs of a reference, or from a split of the data set."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mednext.analysis.cases import Cases, check_same_cases
from mednext.config import DatasetRun, Profile, RunConfig, load_datasets, lookup, parse
from mednext.datasets.load import limited
from mednext.datasets.reader import Files
from mednext.datasets.source import Source, open_files, resolve_source
from mednext.datasets.subsets import read_split
from mednext.errors import UserError
from mednext.layout import DataPaths
from mednext.results import CASE_KEYS, RunRecord, read_cases
from mednext.runs.merge import Found, runs_in
from mednext.runs.resolve import dataset_run, resolve_run

Run = tuple[str, int]
"""Method and seed."""


@dataclass(frozen=True)
class Truth:
    """What predictions are scored against."""

    run: RunConfig
    """Names task, data set, protocol and classes; of a reference one of its runs."""
    cases: pd.DataFrame
    """Classification: row, path, group, label. Segmentation: case, group."""
    peers: dict[Run, Cases]
    """Finished runs on the same cases."""
    elsewhere: dict[str, str]
    """Cases of other protocols and data sets of the reference -> which; for messages."""
    profile: Profile | None = None
    """Says where the data lie, if it is not the usual place."""

    def source(self) -> Source:
        """The data set itself, whose label maps are the truth of a segmentation.

        Raises:
            UserError: it is not here, or it is not the one of the runs.
        """
        run, profile = self.run, self.profile
        if profile is not None and run.dataset in profile.datasets:
            found = resolve_source(run.dataset, dataset_run(profile, run.dataset))
        elif run.source == "local":
            entry = {"source": "local", "methods": [run.method], "img_size": run.img_size}
            found = resolve_source(
                run.dataset, DatasetRun.model_validate({**entry, "epochs": 1, "batch_size": 1})
            )
        else:
            root = DataPaths(run.source_id, run.dataset).raw / "files"
            spec = load_datasets()[run.dataset]
            found = Source(run.dataset, spec, run.source, run.source_id, root, None)
        if found.id != run.source_id:
            raise UserError(
                "the data here are not those that the runs were tested on",
                file=found.root,
                found=found.id,
                expected=run.source_id,
                remedy="set MEDNEXT_LOCAL to the folder that holds them",
            )
        return found


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one that may be meant, for messages; upper and lower case count alike.

    >>> nearest("PATIENT001", ["patient001", "patient011"])
    'patient001'
    """
    folded = {word.casefold(): word for word in known}
    found = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.8)
    return folded[found[0]] if found else None


def files_of(source: Source) -> Files:
    """The files of a source, whether they have been fetched or lie in a local folder.

    Raises:
        UserError: they are to be fetched first.
    """
    return open_files(source) if source.entries is None else Files(source.root, source.entries)


def truth_of_runs(
    folder: Path, dataset: str, protocol: str, selection: str, profile: Profile | None = None
) -> Truth:
    """The cases that all runs of one data set and protocol were tested on.

    Args:
        folder: ``results/<profile>``, or what ``mednext results export`` writes.
        dataset: of the benchmark, or of the profile.
        protocol: how it is split.
        selection: which weights of the runs count.
        profile: names the folder of the data where it is not the usual one.

    Raises:
        UserError: the folder holds no such run, or runs of one test set hold different cases.
    """
    lookup("data set", dataset, load_datasets())
    found = runs_in(folder, weights=False)
    kept = [run for run in found if run.name.startswith(f"{dataset}/{protocol}/")]
    peers: dict[Run, Cases] = {}
    for run in kept:
        if run.record.status == "ok" and selection in run.record.weights:
            cases = _cases(run, selection)
            peers[cases.run.method, cases.run.seed] = cases
    if not peers:
        done = [run for run in found if run.record.status == "ok"]
        known = {
            "/".join(run.name.split("/")[:2]) for run in done if selection in run.record.weights
        }
        known |= {f"{dataset}/{protocol} ({other})" for run in kept for other in run.record.weights}
        raise UserError(
            "the reference holds no finished run of this data set and protocol",
            file=folder,
            found=f"{dataset}/{protocol} ({selection})",
            expected=", ".join(sorted(known)),
            remedy="give another --protocol, --selection or --against, or --configfile alone",
        )
    first, *rest = peers.values()
    for cases in rest:
        check_same_cases(first, cases, folder)
    return Truth(
        first.run,
        _truth(first),
        dict(sorted(peers.items())),
        _elsewhere(found, dataset, protocol, selection),
        profile,
    )


def _cases(run: Found, selection: str) -> Cases:
    config = _config(run.record, run.folder)
    plain = run.folder / f"cases.{selection}.csv"
    packed = plain.with_name(f"{plain.name}.gz")
    return Cases(config, read_cases(packed if packed.is_file() else plain, config))


def _config(record: RunRecord, folder: Path) -> RunConfig:
    return parse(RunConfig, record.config, folder / "run.json")


def _truth(cases: Cases) -> pd.DataFrame:
    if cases.run.task == "classification":
        return cases.table[["row", "path", "group", "label"]]
    return cases.table[["case", "group"]].drop_duplicates(ignore_index=True)


def _elsewhere(found: list[Found], dataset: str, protocol: str, selection: str) -> dict[str, str]:
    """Cases of the other test sets: one run of each is read."""
    firsts = {tuple(run.name.split("/")[:2]): run for run in reversed(found)}
    del firsts[dataset, protocol]
    known: dict[str, str] = {}
    for (data, other), run in firsts.items():
        if run.record.status == "ok" and selection in run.record.weights:
            cases = _cases(run, selection)
            names = cases.table[CASE_KEYS[cases.run.task][0]]
            known.update(dict.fromkeys(names, f"{data}, protocol {other}"))
    return known


def truth_of_split(profile: Profile, dataset: str, protocol: str) -> Truth:
    """The test cases of a split that ``mednext datasets split`` has made; no run is needed.

    Raises:
        UserError: the profile has no such data set or protocol, or there is no split yet.
    """
    entry = dataset_run(profile, dataset)
    known = {str(p): p for p in entry.all_protocols}
    split = lookup("protocol of this data set", protocol, known)
    run = resolve_run(profile, dataset, split, entry.methods[0], 0)
    table = read_split(DataPaths(run.source_id, dataset).split(protocol))
    table = table[limited(table, run.limit, run.task, dataset) == "test"].reset_index(drop=True)
    if run.task == "classification":
        codes = {slug: index for index, slug in enumerate(run.classes)}
        cases = pd.DataFrame(
            {
                "row": table.row,
                "path": table["item"],
                "group": table.group,
                "label": table.label.map(codes).astype("int64"),
            }
        )
    else:
        cases = pd.DataFrame({"case": table["item"], "group": table.group})
    return Truth(run, cases, {}, {}, profile)
