"""``mednext datasets``: list, fetch, verify, prepare, split, table."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from mednext.cli.common import Verbs, add_verb, profile_of
from mednext.config import load_datasets
from mednext.layout import results_root


def register(verbs: Verbs[argparse.ArgumentParser]) -> None:
    """Add the verbs of this module."""
    datasets = verbs.add_parser("datasets", help="list, fetch, verify, prepare and split data sets")
    steps = datasets.add_subparsers(required=True, metavar="STEP")
    add_verb(steps, "list", "the known data sets", _list, config=False)
    for step, text in (
        ("fetch", "bring a data set in place and list its files with digests"),
        ("verify", "check every file before anything uses it"),
        ("prepare", "decode once into memory-mapped arrays"),
    ):
        add_verb(steps, step, text, _step, dataset=True).set_defaults(step=step)
    split = add_verb(steps, "split", "draw train, val and test", _split, dataset=True)
    split.add_argument("--protocol", required=True, choices=["paper", "grouped"])
    add_verb(steps, "table", "write datasets.csv of a profile", _table)


def _list(arguments: argparse.Namespace) -> None:
    for slug, spec in load_datasets().items():
        print(f"{slug:16} {spec.task:15} {spec.name} ({spec.licence})")


def _step(arguments: argparse.Namespace) -> None:
    from mednext.datasets.fetch import fetch
    from mednext.datasets.prepare import prepare
    from mednext.datasets.verify import verify
    from mednext.runs import dataset_run

    run = dataset_run(profile_of(arguments), arguments.dataset)
    steps: dict[str, Callable[..., object]] = {
        "fetch": fetch,
        "verify": verify,
        "prepare": prepare,
    }
    steps[arguments.step](arguments.dataset, run)


def _split(arguments: argparse.Namespace) -> None:
    from mednext.datasets.splits import split
    from mednext.runs import dataset_run

    run = dataset_run(profile_of(arguments), arguments.dataset)
    split(arguments.dataset, run, arguments.protocol)


def _table(arguments: argparse.Namespace) -> None:
    from mednext.datasets.facts import dataset_rows
    from mednext.results import DatasetRow, write_rows

    profile = profile_of(arguments)
    rows = [
        row
        for slug, run in profile.datasets.items()
        for protocol in run.protocols
        for row in dataset_rows(slug, run, protocol)
    ]
    write_rows(results_root(profile.profile) / "datasets.csv", DatasetRow, rows)
