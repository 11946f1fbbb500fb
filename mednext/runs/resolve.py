"""From a profile to its list of fully resolved training runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mednext.config import (
    DatasetRun,
    Profile,
    Protocol,
    RunConfig,
    load_datasets,
    load_methods,
    load_recipes,
    lookup,
    method_slug,
)
from mednext.datasets.source import resolve_source
from mednext.errors import UserError
from mednext.layout import RunPaths, results_root
from mednext.runs.gpu_lock import device_type


def resolve_runs(profile: Profile) -> list[RunConfig]:
    """Every run of ``profile``: in the profile's order.

    Raises:
        UserError: a local data set of the profile is not there.
    """
    return [
        resolve_run(profile, dataset, protocol, method, seed)
        for dataset, run in profile.datasets.items()
        for protocol, method, seed in run.cells(profile.seeds)
    ]


def resolve_run(
    profile: Profile,
    dataset: str,
    protocol: Protocol,
    method: str,
    seed: int,
    source_id: str | None = None,
) -> RunConfig:
    """One run of ``profile``, with the recipe of its task and the scale of the profile.

    With ``source_id`` the data need not be here: it says which they were.
    """
    run = dataset_run(profile, dataset)
    spec = lookup("data set", dataset, load_datasets())
    method = method_slug(method)
    how = load_methods()[method]
    recipe = load_recipes()[spec.task].values()
    return RunConfig(
        profile=profile.profile,
        source=run.source,
        source_id=source_id or resolve_source(dataset, run).id,
        task=spec.task,
        dataset=dataset,
        protocol=protocol,
        method=method,
        method_kwargs=how.kwargs,
        constructor=how.constructor,
        seed=seed,
        img_size=run.img_size,
        channels=spec.channels,
        in_chans=run.in_chans,
        classes=tuple(c.slug for c in spec.classes),
        epochs=run.epochs,
        batch_size=run.batch_size,
        micro_batch=run.micro_batch,
        limit=run.limit,
        recipe={k: v for k, v in recipe.items() if k not in ("epochs", "batch_size")},
        threads=profile.threads,
        device=device_on(profile),
        deterministic=profile.deterministic,
        precision=profile.precision,
        compile=profile.compile,
        selections=profile.selections,
        averaged_epochs=profile.averaged_epochs,
    )


def device_on(profile: Profile) -> Literal["cpu", "cuda"]:
    """Where the profile's runs compute on this machine: ``auto`` is part of no run's identity.

    Raises:
        UserError: a precision that this device does not have.
    """
    device = device_type(profile.device)
    if device == "cpu" and profile.precision == "tf32":
        raise UserError(
            "TF32 is a precision of GPUs, and this profile's runs would be on the CPU",
            found=f"precision: tf32, device: {profile.device}",
            expected="precision: fp32 on a CPU",
            remedy="run on a machine with a GPU, or write 'precision: fp32'",
        )
    return device


def dataset_run(profile: Profile, dataset: str) -> DatasetRun:
    """The entry of ``dataset`` in ``profile``, or a :class:`UserError` that lists what is there."""
    return lookup("data set of this profile", dataset, profile.datasets)


def run_paths(run: RunConfig) -> RunPaths:
    """Where the files of ``run`` lie."""
    return RunPaths(run.profile, run.dataset, run.protocol, run.method, run.seed)


def run_name(config: RunConfig) -> str:
    """``<dataset>/<protocol>/<method>/seed<k>``."""
    return run_paths(config).root.relative_to(results_root(config.profile) / "runs").as_posix()


def with_weights(runs: Sequence[RunConfig], use: str) -> list[RunConfig]:
    """The runs but for those imported without weights; says on the terminal what ``use`` lacks.

    Raises:
        UserError: no run is left.
    """
    found = [run for run in runs if not run_paths(run).counts_only]
    if not found:
        raise UserError(
            f"{use} needs weights, and the runs were imported without",
            file=run_paths(runs[0]).root,
            found=f"{len(runs)} imported runs with counts per case alone",
            remedy="remove the folder of a run and train it here",
        )
    if len(found) < len(runs):
        left = ", ".join(run_name(run) for run in runs if run not in found)
        print(f"{use}: without {left} (imported without weights)", flush=True)
    return found


def select_runs(runs: list[RunConfig], **axes: str | int | None) -> list[RunConfig]:
    """The runs whose fields equal the given axes; an axis that is None matches everything.

    Raises:
        UserError: no run is left.
    """
    wanted = {name: value for name, value in axes.items() if value is not None}
    found = [r for r in runs if all(getattr(r, name) == value for name, value in wanted.items())]
    if not found:
        known = sorted(map(run_name, runs))
        raise UserError(
            "no run of this profile fits",
            found=", ".join(f"{name}={value}" for name, value in wanted.items()),
            expected=", ".join(known),
        )
    return found


def first_runs(runs: list[RunConfig], dataset: str, protocol: str) -> list[RunConfig]:
    """The first seed of each method of one data set and protocol.

    Raises:
        UserError: there is none.
    """
    found = select_runs(runs, dataset=dataset, protocol=protocol)
    return list({run.method: run for run in reversed(found)}.values())[::-1]
