"""``mednext datasets``: from fetching to splitting, and what leaks between the subsets."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path

from mednext.cli.common import Later, Verbs, add_verb, profile_of
from mednext.layout import results_root


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    text = "list, fetch, verify, prepare and split data sets"
    datasets = verbs.add_parser("datasets", description=text)
    steps = datasets.add_subparsers(required=True, metavar="STEP")
    add_verb(steps, "list", "the known data sets", _list, config=False)
    add_verb(steps, "fetch", "bring a data set in place and list its files", _fetch, dataset=True)
    for step, text in (
        ("verify", "check every file before anything uses it"),
        ("prepare", "decode once into memory-mapped arrays"),
    ):
        verb = add_verb(steps, step, text, _step, dataset=True)
        verb.set_defaults(step=step)
        verb.add_argument(
            "--jobs", type=int, help="threads; the result does not depend on it (default: cores)"
        )
    split = add_verb(steps, "split", "draw train, val and test", _split, dataset=True)
    text = "one of %(choices)s"
    known = Later(_protocols)
    split.add_argument("--protocol", required=True, choices=known, metavar="PROTOCOL", help=text)
    text = "make benchmarks/splits/*.csv from the lists that their authors publish"
    lists = add_verb(steps, "lists", text, _lists, config=False)
    lists.add_argument("--out", type=Path, required=True, help="the folder to write into")
    add_verb(steps, "table", "write datasets.csv of a profile", _table)
    text = "train-test overlap of each split: write and print leakage.csv of a profile"
    add_verb(steps, "leakage", text, _leakage)
    text = "which groups of each test set have members in train: overlap_groups.csv of a profile"
    add_verb(steps, "overlap-groups", text, _overlap_groups)
    text = "the highest Dice that each image size allows: ceiling.csv of a profile"
    add_verb(steps, "ceiling", text, _ceiling)
    text = "fix the radius of near-duplicates on one half of SARS-COV-2 CT, try it on the other"
    calibrate = add_verb(steps, "calibrate", text, _calibrate, config=False)
    calibrate.add_argument("--folder", help="below MEDNEXT_LOCAL; default: the first known name")
    calibrate.add_argument("--out", type=Path, required=True, help="the CSV file to write")


def _list(arguments: argparse.Namespace) -> None:
    from mednext.config import load_datasets

    for slug, spec in load_datasets().items():
        print(f"{slug:16} {spec.task:15} {spec.name} ({spec.licence})")


def _fetch(arguments: argparse.Namespace) -> None:
    from mednext.datasets.fetch import fetch
    from mednext.runs.resolve import dataset_run

    fetch(arguments.dataset, dataset_run(profile_of(arguments), arguments.dataset))


def _step(arguments: argparse.Namespace) -> None:
    from mednext.datasets.prepare import prepare
    from mednext.datasets.verify import verify
    from mednext.runs.resolve import dataset_run

    run = dataset_run(profile_of(arguments), arguments.dataset)
    steps: dict[str, Callable[..., object]] = {"verify": verify, "prepare": prepare}
    steps[arguments.step](arguments.dataset, run, jobs=arguments.jobs)


def _split(arguments: argparse.Namespace) -> None:
    from mednext.datasets.splits import split
    from mednext.runs.resolve import dataset_run

    run = dataset_run(profile_of(arguments), arguments.dataset)
    axes = ["--dataset", arguments.dataset, "--protocol", arguments.protocol]
    words = ["mednext", "datasets", "split", "--configfile", str(arguments.configfile), *axes]
    split(arguments.dataset, run, arguments.protocol, shlex.join(words))


def _lists(arguments: argparse.Namespace) -> None:
    from mednext.datasets.lists import write_lists

    write_lists(arguments.out)


def _overlap_groups(arguments: argparse.Namespace) -> None:
    from mednext.analysis.train_overlap import overlap_groups
    from mednext.runs.resolve import resolve_runs

    profile = profile_of(arguments)
    overlap_groups(resolve_runs(profile), results_root(profile.profile) / "overlap_groups.csv")


def _ceiling(arguments: argparse.Namespace) -> None:
    from mednext.analysis.ceiling import ceilings
    from mednext.runs.resolve import resolve_runs

    profile = profile_of(arguments)
    ceilings(resolve_runs(profile), results_root(profile.profile) / "ceiling.csv")


def _leakage(arguments: argparse.Namespace) -> None:
    from mednext.datasets.leakage import leakage_rows
    from mednext.report.leakage import plain
    from mednext.results import LeakageRow, write_rows

    profile = profile_of(arguments)
    rows = [row for slug, run in profile.datasets.items() for row in leakage_rows(slug, run)]
    write_rows(results_root(profile.profile) / "leakage.csv", LeakageRow, rows)
    print(plain(rows))


def _calibrate(arguments: argparse.Namespace) -> None:
    from mednext.config import DatasetRun
    from mednext.datasets.calibrate import calibrate

    run = DatasetRun(
        source="local",
        folder=arguments.folder,
        methods=("mednext",),
        img_size=32,
        epochs=1,
        batch_size=1,
    )
    print(calibrate(run, arguments.out).to_string(index=False))


def _table(arguments: argparse.Namespace) -> None:
    from mednext.datasets.counts import dataset_rows
    from mednext.results import DatasetRow, write_rows

    profile = profile_of(arguments)
    rows = [
        row
        for slug, run in profile.datasets.items()
        for protocol in run.all_protocols
        for row in dataset_rows(slug, run, protocol)
    ]
    write_rows(results_root(profile.profile) / "datasets.csv", DatasetRow, rows)


def _protocols() -> tuple[str, ...]:
    from typing import get_args

    from mednext.config import Protocol

    return get_args(Protocol)
