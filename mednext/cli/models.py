"""``mednext models``: what is registered."""

from __future__ import annotations

import argparse
from pathlib import Path

from mednext.cli.common import Verbs, add_verb
from mednext.config import load_methods, method_slug


def register(verbs: Verbs[argparse.ArgumentParser]) -> None:
    """Add the verbs of this module."""
    models = verbs.add_parser("models", help="list and show the registered methods")
    which = models.add_subparsers(required=True, metavar="WHAT")
    add_verb(which, "list", "all methods", _list, config=False)
    text = "one method: source, citation, assumptions"
    add_verb(which, "show", text, _show, config=False).add_argument("method")
    text = "probes.csv: outputs of the untrained networks on a fixed input"
    probe = add_verb(which, "probe", text, _probe, config=False)
    probe.add_argument("--out", type=Path, required=True)
    probe.add_argument("--methods", nargs="*", help="default: all")


def _list(arguments: argparse.Namespace) -> None:
    for slug, spec in load_methods().items():
        print(f"{slug:16} {spec.task:15} {spec.source}")


def _show(arguments: argparse.Namespace) -> None:
    spec = load_methods()[method_slug(arguments.method)]
    for name, value in spec.model_dump().items():
        print(f"{name:14} {value}")


def _probe(arguments: argparse.Namespace) -> None:
    from mednext.models.probe import probe
    from mednext.results import ProbeRow, write_rows

    rows = [
        ProbeRow(method=method, position=position, value=value)
        for method in arguments.methods or load_methods()
        for position, value in enumerate(probe(method))
    ]
    write_rows(arguments.out, ProbeRow, rows)
