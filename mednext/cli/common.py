"""What the verbs share: their options, and the profile and runs that these select."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # pydantic and yaml take half of the time that --help may take
    from mednext.config import Profile, RunConfig

DEFAULT_CONFIG = "config/demo.yaml"
Handler = Callable[[argparse.Namespace], int | None]
"""What a verb runs; it returns the exit code if that is not 0."""
Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where verbs are added; argparse has no public name for it."""


class Later:
    """Choices of an option that are looked up when it is used; give the option a ``metavar``."""

    def __init__(self, look_up: Callable[[], tuple[str, ...]]) -> None:
        self.look_up = look_up

    def __iter__(self) -> Iterator[str]:
        return iter(self.look_up())

    def __contains__(self, word: object) -> bool:
        return word in self.look_up()


def add_verb(
    group: Verbs,
    name: str,
    text: str,
    handler: Handler,
    *,
    config: bool = True,
    dataset: bool = False,
    axes: bool = False,
) -> argparse.ArgumentParser:
    """A verb with the options it takes: --configfile, --dataset, or all axes of a run."""
    verb = group.add_parser(name, help=text, description=text)
    verb.set_defaults(handler=handler)
    if config:
        text = "a profile (default: %(default)s)"
        verb.add_argument("--configfile", type=Path, default=Path(DEFAULT_CONFIG), help=text)
    if dataset or axes:
        verb.add_argument("--dataset", required=dataset, help="one of the profile's")
    if axes:
        for name in ("protocol", "method"):
            verb.add_argument(f"--{name}", help="one of the data set's (default: all)")
        verb.add_argument("--seed", type=int, help="one of the profile's (default: all)")
    return verb


def profile_of(arguments: argparse.Namespace) -> Profile:
    """The profile named by ``--configfile``."""
    from mednext.config import load_profile

    return load_profile(arguments.configfile)


def runs_of(arguments: argparse.Namespace) -> list[RunConfig]:
    """The runs of the profile that the axes select."""
    from mednext.runs.resolve import resolve_runs, select_runs

    return select_runs(
        resolve_runs(profile_of(arguments)),
        dataset=arguments.dataset,
        protocol=arguments.protocol,
        method=arguments.method,
        seed=arguments.seed,
    )


def take_gpu(arguments: argparse.Namespace) -> None:
    """One GPU for this process, if the profile asks for one; before torch is imported."""
    from mednext.runs.gpu_lock import claim_gpu

    profile = profile_of(arguments)
    claim_gpu(profile.device, profile.trainings_per_gpu)
