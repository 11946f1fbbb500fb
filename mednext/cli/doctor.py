"""``mednext doctor``: what a profile lacks on this machine, and why its runs would repeat."""

from __future__ import annotations

import argparse

from mednext.cli.common import Verbs, add_verb, profile_of


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    text = "what is missing (data, credentials, terms, disk) and why a run would repeat"
    doctor = add_verb(verbs, "doctor", text, _doctor)
    doctor.add_argument("--quiet", action="store_true", help="leave out what is in order")


def _doctor(arguments: argparse.Namespace) -> int:
    from mednext.planning.doctor import examine, exit_code

    found = examine(profile_of(arguments))
    for finding in found:
        if finding.verdict != "ok" or not arguments.quiet:
            print(finding)
    return exit_code(found)
