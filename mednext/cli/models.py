"""``mednext models``: what is registered."""

from __future__ import annotations

import argparse

from mednext.cli.common import Verbs, add_verb
from mednext.config import load_methods, lookup


def register(verbs: Verbs[argparse.ArgumentParser]) -> None:
    """Add the verbs of this module."""
    models = verbs.add_parser("models", help="list and show the registered methods")
    which = models.add_subparsers(required=True, metavar="WHAT")
    add_verb(which, "list", "all methods", _list, config=False)
    text = "one method: source, citation, assumptions"
    add_verb(which, "show", text, _show, config=False).add_argument("method")


def _list(arguments: argparse.Namespace) -> None:
    for slug, spec in load_methods().items():
        print(f"{slug:16} {spec.task:15} {spec.source}")


def _show(arguments: argparse.Namespace) -> None:
    spec = lookup("method", arguments.method, load_methods())
    for name, value in spec.model_dump().items():
        print(f"{name:14} {value}")
