"""Train one run: a plain loop, a checkpoint per epoch, and a record of everything at the end."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save
from torch import Tensor

from mednext.config import RunConfig, benchmarks_dir
from mednext.datasets.load import check_prepared, load
from mednext.errors import UserError
from mednext.files import exclusive, remove_leftovers, sha256_file, write_bytes, write_csv
from mednext.layout import RunPaths
from mednext.provenance import env_hash, git_state, machine, versions
from mednext.results import RunRecord
from mednext.runs.finished import (
    Identity,
    equal_protocols,
    finished,
    identity_of,
    paths_under,
    publish,
    taken_over,
    tidy,
)
from mednext.runs.progress import bar, epoch_line
from mednext.training import averaged, checkpoint
from mednext.training.batches import AUGMENT, Data, batch_count, subset_rows, train_batches
from mednext.training.device import (
    device_name,
    device_of,
    fresh_network,
    pick_device,
    prepare_torch,
)
from mednext.training.on_device import HostData, where_it_fits
from mednext.training.schedule import SCHEDULES, factor
from mednext.training.seeds import seed_of
from mednext.training.step import OPTIMIZERS, Stepper
from mednext.training.validate import validate

Weights = dict[str, Tensor]
WATCHED = {"best_val": "val", "best_test": "test"}
"""Selection -> the subset whose score chooses the epoch."""
CHECKPOINT_SECONDS = {"cpu": 0, "cuda": 120}
"""Least time between two checkpoints. Epochs on a GPU are short: a kill may repeat some of them."""
VALIDATED_EVERY = 10
COLUMNS = ("epoch", "lr", "train_loss", "val_loss", "val_score")


class Best(TypedDict):
    """The epoch of the highest score on one subset; the first of equals."""

    score: float
    epoch: int
    weights: Weights
    stored: bool
    """Whether they lie beside the checkpoint already."""


@dataclass
class State:
    """What a checkpoint holds besides the optimiser."""

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Best] = field(default_factory=dict)
    """Selection -> the best epoch so far."""
    sums: Weights = field(default_factory=dict)
    """Of the weights that the selection ``averaged`` is the mean of."""
    seconds: list[float] = field(default_factory=list)
    """Of each epoch; no part of the history, which is the same however often it was continued."""


def train(run: RunConfig, retry_failed: bool = False) -> RunRecord:
    """Train ``run``, or continue it after its last finished epoch.

    A diverged training ends as a record with status ``failed``. A run that is already complete and
    unchanged is returned as it is, a failed one unless ``retry_failed`` is set. Where another
    protocol has the same split, one of them trains and the other takes its weights over.

    Raises:
        UserError: the data are not ready, the recipe names something unknown, or another process
            works on this run.
    """
    paths = paths_under(run, run.protocol)
    data = load(run)
    identity = identity_of(run, data.data_hash, data.split_hash, device_of(run))
    check_recipe(run)
    protocols = equal_protocols(run, data.split_hash)
    shared = paths_under(run, protocols[0])
    checkpoints = shared.work / identity.key
    with (
        exclusive(paths.work, "this run"),
        exclusive(
            shared.work.with_name(f"{shared.work.name}.training"),
            f"the same training ({', '.join(protocols)})",
            wait=True,
        ),
    ):
        remove_leftovers(paths.root)
        record = finished(run, identity)
        if record is not None and record.status == "failed" and retry_failed:
            record = None
        record = record or taken_over(run, identity, protocols)
        if record is None:
            check_prepared(run)
            record = _train(run, data, paths, checkpoints / "checkpoint.pt", identity)
        publish(paths, record)
        # The last good checkpoint of a training that failed stays, to look at.
        if record.status == "ok":
            for place in {paths, shared}:
                tidy(place)
    return record


def check_recipe(run: RunConfig) -> None:
    """Refuse a recipe with an optimiser, schedule, loss or augmentation that is not there."""
    known: dict[str, tuple[str, ...]] = {
        "optimizer": tuple(OPTIMIZERS),
        "schedule": SCHEDULES,
        "loss": (("cross_entropy",) if run.task == "classification" else ("ce_dice",)),
        "augment": AUGMENT[run.task],
    }
    for name, values in known.items():
        if run.recipe[name] not in values:
            raise UserError(
                f"unknown {name} for {run.task}",
                file=benchmarks_dir() / "recipes.yaml",
                found=run.recipe[name],
                expected=", ".join(values),
            )


def _train(
    run: RunConfig, host: HostData, paths: RunPaths, file: Path, identity: Identity
) -> RunRecord:
    prepare_torch(run)
    device = pick_device(run)
    data = where_it_fits(host, run, device)
    model = fresh_network(run, device)
    stepper = Stepper(run, model, device)
    state = State()
    stored = _restored(file, asdict(identity))
    if stored is not None:
        model.load_state_dict(stored["model"])
        stepper.load_state_dict(stored["stepper"])
        state = State(**stored["state"])
    title = f"{run.dataset}/{run.method}/seed{run.seed}"
    reason = None
    saved = time.perf_counter()
    while state.epoch < run.epochs and reason is None:
        begun = time.perf_counter()
        loss = train_epoch(run, data, stepper, state.epoch, title)
        if not math.isfinite(loss):
            reason = f"diverged: the training loss was {loss} in epoch {state.epoch + 1}"
            break
        trained = time.perf_counter() - begun
        state.epoch += 1
        scores = _scores(run, data, stepper, state.epoch)
        _keep_best(run, state, {subset: score for subset, (_, score) in scores.items()}, model)
        if run.epochs - state.epoch < (run.averaged_epochs or 0):
            averaged.add(state.sums, model)
        state.seconds.append(round(time.perf_counter() - begun, 3))
        row = {
            "epoch": state.epoch,
            "lr": stepper.optimizer.param_groups[0]["lr"],
            "train_loss": loss,
            "val_loss": scores["val"][0],
            "val_score": scores["val"][1],
        }
        state.history.append(row)
        if time.perf_counter() - saved >= CHECKPOINT_SECONDS[device.type]:
            _save(file, asdict(identity), state, stepper)
            saved = time.perf_counter()
        speed = len(subset_rows(data, "train")) / trained
        epoch_line(title, row, run.epochs, speed, state.seconds[-1])
    if reason is None and not all(bool(v.isfinite().all()) for v in model.state_dict().values()):
        reason = "diverged: weights are not finite after the last step"
    return _record(run, data, stepper, paths, state, reason, identity)


def _save(file: Path, identity: dict[str, str], state: State, stepper: Stepper) -> None:
    """Write a checkpoint. The best weights lie in files beside it, each written once: few epochs
    are the best so far. A kill in between leaves the older checkpoint with all that it names.
    """
    named: dict[str, dict[str, float]] = {}
    for selection, best in state.best.items():
        named[selection] = {"score": best["score"], "epoch": best["epoch"]}
        if not best["stored"]:
            content = {"identity": identity, "weights": best["weights"]}
            checkpoint.save(_beside(file, selection, best["epoch"]), content)
            best["stored"] = True
    parts = {"model": stepper.model.state_dict(), "stepper": stepper.state_dict()}
    whole = {"identity": identity, "state": {**vars(state), "best": named}, **parts}
    checkpoint.save(file, whole)
    kept = {_beside(file, selection, best["epoch"]) for selection, best in state.best.items()}
    for other in set(file.parent.glob("[!.]*.pt")) - kept - {file}:
        other.unlink()


def _restored(file: Path, identity: dict[str, str]) -> dict[str, Any] | None:
    """A checkpoint with its best weights; None, saying why, if one of them cannot be used."""
    whole = checkpoint.restore(file, identity)
    for selection, best in (whole["state"]["best"] if whole else {}).items():
        beside = _beside(file, selection, best["epoch"])
        content = checkpoint.restore(beside, identity)
        if content is None:
            print(f"starting anew: {file} needs {beside.name} beside it", file=sys.stderr)
            return None
        best |= {"weights": content["weights"], "stored": True}
    return whole


def _beside(file: Path, selection: str, epoch: int) -> Path:
    return file.with_name(f"{selection}-{epoch}.pt")


def _scores(
    run: RunConfig, data: Data, stepper: Stepper, epoch: int
) -> dict[str, tuple[float, float]]:
    """Loss and score of the validation subset after ``epoch`` (from 1), and of the test subset on
    request. A network whose evaluation costs more than its epoch (``slow_evaluation``) is looked at
    every tenth time on a GPU; until then there is no score.
    """
    costly = stepper.device.type == "cuda" and getattr(stepper.model, "slow_evaluation", False)
    if costly and epoch % VALIDATED_EVERY and epoch < run.epochs:
        return dict.fromkeys(_watched(run), (math.nan, math.nan))
    return {subset: validate(run, data, stepper, subset) for subset in _watched(run)}


def _watched(run: RunConfig) -> list[str]:
    """Subsets to look at after each epoch: the validation set always, the test set on request."""
    return ["val"] + [s for name, s in WATCHED.items() if name in run.selections and s != "val"]


def _keep_best(
    run: RunConfig, state: State, scores: dict[str, float], model: torch.nn.Module
) -> None:
    for selection, subset in WATCHED.items():
        if selection not in run.selections or math.isnan(scores[subset]):
            continue
        if selection not in state.best or scores[subset] > state.best[selection]["score"]:
            state.best[selection] = Best(
                score=scores[subset], epoch=state.epoch, weights=_weights(model), stored=False
            )


def train_epoch(run: RunConfig, data: Data, stepper: Stepper, epoch: int, title: str) -> float:
    """One pass over the training set; returns the mean loss of its batches, or the first loss
    that is not finite: what follows it is lost anyway.
    """
    stepper.model.train()
    # What a network draws by itself (dropout) must not depend on where training was continued.
    torch.manual_seed(seed_of(run.seed, run.dataset, epoch, "network"))
    per_epoch = batch_count(len(subset_rows(data, "train")), run)
    losses: list[Tensor] = []
    batches = bar(train_batches(data, run, epoch), per_epoch, f"{title} epoch {epoch + 1}")
    for number, (images, labels) in enumerate(batches):
        rate = run.recipe["lr"] * factor(
            run.recipe["schedule"],
            epoch * per_epoch + number,
            run.epochs * per_epoch,
            run.recipe["warmup_fraction"],
        )
        losses.append(stepper.step(images, labels, rate))
    values: list[float] = torch.stack(losses).tolist()  # the host waits for the device here alone
    lost = [number for number, value in enumerate(values) if not math.isfinite(value)]
    stepper.record(values[: lost[0]] if lost else values)
    return values[lost[0]] if lost else float(np.mean(values))


def _weights(model: torch.nn.Module) -> Weights:
    """A copy of the weights, where they are: to fetch them from a GPU after each epoch is slow."""
    return {k: v.detach().clone() for k, v in model.state_dict().items()}


def _record(
    run: RunConfig,
    data: Data,
    stepper: Stepper,
    paths: RunPaths,
    state: State,
    reason: str | None,
    identity: Identity,
) -> RunRecord:
    """Write weights and history; returns the record of them."""
    weights: dict[str, Weights] = {}
    if reason is None:
        weights["last"] = _weights(stepper.model)
        weights |= {name: best["weights"] for name, best in state.best.items()}
        if run.averaged_epochs is not None:
            mean = averaged.averaged(run, data, stepper, state.sums)
            weights["averaged"] = _weights(mean)
    for selection, tensors in weights.items():
        content = save({k: v.cpu().contiguous() for k, v in tensors.items()})
        write_bytes(paths.weights(selection), content)
    write_csv(paths.history, pd.DataFrame(state.history, columns=list(COLUMNS)))
    commit, dirty = git_state()
    gpu = device_name(stepper.device)
    return RunRecord(
        status="ok" if reason is None else "failed",
        reason=reason,
        config=run.model_dump(mode="json"),
        config_hash=run.config_hash,
        data_hash=identity.data,
        split_hash=identity.split,
        code_hash=identity.code,
        env_hash=env_hash(gpu),
        git_commit=commit,
        git_dirty=dirty,
        device=str(stepper.device),
        machine=machine() | {"gpu": gpu},
        versions=versions(),
        threads=run.threads,
        epochs_done=state.epoch,
        best_epochs={name: best["epoch"] for name, best in state.best.items()},
        micro_batch=stepper.micro_batch,
        memory_halvings=stepper.halvings,
        n_train=len(subset_rows(data, "train")),
        n_val=len(subset_rows(data, "val")),
        n_test=len(subset_rows(data, "test")),
        wall_seconds=round(sum(state.seconds), 3),
        epoch_seconds=state.seconds,
        weights={s: sha256_file(paths.weights(s)) for s in weights},
        first_losses=tuple(stepper.first_losses),
    )
