"""Train one run: a plain loop, a checkpoint per epoch, and a record of everything at the end."""

from __future__ import annotations

import math
import shutil
import time
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mednext.config import RunConfig, benchmarks_dir
from mednext.datasets.load import load
from mednext.errors import UserError
from mednext.files import atomic_path, sha256_file, write_csv
from mednext.layout import RunPaths
from mednext.models.registry import create_model
from mednext.provenance import code_hash, env_hash, git_state, machine, versions
from mednext.results import RunRecord, read_run, write_run
from mednext.training import checkpoint
from mednext.training.batches import (
    AUGMENT,
    Data,
    batch_count,
    ordered_batches,
    side_rows,
    train_batches,
)
from mednext.training.losses import LOSSES
from mednext.training.progress import bar, epoch_line
from mednext.training.schedule import SCHEDULES, factor
from mednext.training.seeds import pick_device, prepare_torch, seed_of

OPTIMIZERS: dict[str, type[torch.optim.Adam]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}
Weights = dict[str, Tensor]


@dataclass
class State:
    """What a checkpoint holds besides the optimiser."""

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_score: float = -math.inf
    best_epoch: int | None = None
    best: Weights | None = None
    seconds: float = 0.0


def train(run: RunConfig) -> RunRecord:
    """Train ``run``, or continue it after its last finished epoch.

    A diverged training ends as a record with status ``failed``. A run that is already complete and
    unchanged is returned as it is.

    Raises:
        UserError: the data are not ready, the recipe names something unknown, or another process
            works on this run.
    """
    paths = RunPaths(run.profile, run.dataset, run.protocol, run.method, run.seed)
    data = load(run)
    identity = {
        "config": run.config_hash,
        "code": code_hash(),
        "data": data.data_hash,
        "split": data.split_hash,
    }
    check_recipe(run)
    file = paths.work / f"{run.config_hash}-{code_hash()}" / "checkpoint.pt"
    with checkpoint.exclusive(paths.work):
        record = finished(paths, identity) or _train(run, data, paths, file, identity)
        if paths.work.is_dir():
            shutil.rmtree(paths.work)
    return record


def check_recipe(run: RunConfig) -> None:
    """Refuse a recipe with an optimiser, schedule, loss or augmentation that is not there."""
    known: dict[str, tuple[str, ...]] = {
        "optimizer": tuple(OPTIMIZERS),
        "schedule": SCHEDULES,
        "loss": (("cross_entropy",) if run.task == "classification" else ("ce_dice",)),
        "augment": (AUGMENT[run.task],),
    }
    for name, values in known.items():
        if run.recipe[name] not in values:
            raise UserError(
                f"unknown {name} for {run.task}",
                file=benchmarks_dir() / "recipes.yaml",
                found=run.recipe[name],
                expected=", ".join(values),
            )


def finished(paths: RunPaths, identity: dict[str, str]) -> RunRecord | None:
    """The record of this very run, if it is complete and its weights are as they were written."""
    if not paths.run_json.is_file():
        return None
    try:
        record = read_run(paths.run_json)
    except UserError:
        return None  # of an older format: train again
    same = identity == {
        "config": record.config_hash,
        "code": record.code_hash,
        "data": record.data_hash,
        "split": record.split_hash,
    }
    whole = all(
        paths.weights(s).is_file() and sha256_file(paths.weights(s)) == digest
        for s, digest in record.weights.items()
    )
    return record if same and whole and record.status == "ok" else None


def _train(
    run: RunConfig, data: Data, paths: RunPaths, file: Path, identity: dict[str, str]
) -> RunRecord:
    prepare_torch(run)
    device = pick_device(run)
    model = create_model(
        run.method, num_classes=len(run.classes), in_chans=3, img_size=run.img_size
    ).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(run, model)
    state = State()
    stored = checkpoint.restore(file, identity)
    if stored is not None:
        model.load_state_dict(stored["model"])
        optimizer.load_state_dict(stored["optimizer"])
        state = State(**stored["state"])
    title = f"{run.dataset}/{run.method}/seed{run.seed}"
    reason = None
    while state.epoch < run.epochs and reason is None:
        begun = time.perf_counter()
        loss = train_epoch(run, data, model, optimizer, device, state.epoch, title)
        if not math.isfinite(loss):
            reason = f"diverged: the training loss was {loss} in epoch {state.epoch + 1}"
            break
        trained = time.perf_counter() - begun
        val_loss, score = validate(run, data, model, device)
        state.epoch += 1
        if score > state.best_score:
            state.best_score, state.best_epoch = score, state.epoch
            state.best = _weights(model)
        seconds = time.perf_counter() - begun
        state.seconds += seconds
        row = {
            "epoch": state.epoch,
            "lr": optimizer.param_groups[0]["lr"],
            "train_loss": loss,
            "val_loss": val_loss,
            "val_score": score,
            "images_per_s": len(side_rows(data, "train")) / trained,
            "seconds": seconds,
        }
        state.history.append(row)
        parts = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        checkpoint.save(file, {"identity": identity, "state": vars(state), **parts})
        epoch_line(title, row, run.epochs)
    if reason is None and not all(bool(v.isfinite().all()) for v in model.state_dict().values()):
        reason = "diverged: weights are not finite after the last step"
    return _record(run, data, model, paths, state, reason, device, identity)


def make_optimizer(run: RunConfig, model: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimiser over all parameters."""
    kind = OPTIMIZERS[run.recipe["optimizer"]]
    options: dict[str, Any] = {k: run.recipe[k] for k in ("lr", "eps", "weight_decay")}
    options["betas"] = tuple(run.recipe["betas"])
    return kind(model.parameters(), fused=True, **options)


def train_epoch(
    run: RunConfig,
    data: Data,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
    epoch: int,
    title: str,
) -> float:
    """One pass over the training side; returns the mean loss of its batches."""
    model.train()
    # What a network draws by itself (dropout) must not depend on where training was continued.
    torch.manual_seed(seed_of(run.seed, run.dataset, epoch, "network"))
    per_epoch = batch_count(len(side_rows(data, "train")), run)
    loss_of = LOSSES[run.recipe["loss"]]
    losses = []
    batches = bar(train_batches(data, run, epoch), per_epoch, f"{title} epoch {epoch + 1}")
    for number, (images, labels) in enumerate(batches):
        rate = factor(
            run.recipe["schedule"],
            epoch * per_epoch + number,
            run.epochs * per_epoch,
            run.recipe["warmup_fraction"],
        )
        for group in optimizer.param_groups:
            group["lr"] = run.recipe["lr"] * rate
        loss = loss_of(model(images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return float(np.mean(losses))


@torch.no_grad()
def validate(
    run: RunConfig, data: Data, model: nn.Module, device: torch.device
) -> tuple[float, float]:
    """Loss and score on the validation side, (nan, nan) without one.

    The score is the accuracy, or the mean Dice of the organs over all slices together.
    """
    rows = side_rows(data, "val")
    if len(rows) == 0:
        return math.nan, math.nan
    model.eval()
    loss_of = LOSSES[run.recipe["loss"]]
    losses = []
    classes = len(run.classes)
    confusion = torch.zeros(classes * classes, dtype=torch.int64)
    for images, labels in ordered_batches(data, run, rows):
        logits = model(images.to(device)).cpu()
        losses.append(loss_of(logits, labels).item() * len(labels))
        pairs = labels.flatten() * classes + logits.argmax(1).flatten()
        confusion += torch.bincount(pairs, minlength=classes * classes)
    table = confusion.reshape(classes, classes).double()
    hits = table.diagonal()
    if run.task == "classification":
        score = hits.sum() / table.sum()
    else:
        score = (2 * hits / (table.sum(0) + table.sum(1)).clamp(min=1))[1:].mean()
    return sum(losses) / len(rows), float(score)


def _weights(model: nn.Module) -> Weights:
    return {k: v.detach().cpu().clone().contiguous() for k, v in model.state_dict().items()}


def _record(
    run: RunConfig,
    data: Data,
    model: nn.Module,
    paths: RunPaths,
    state: State,
    reason: str | None,
    device: torch.device,
    identity: dict[str, str],
) -> RunRecord:
    """Write weights, history and, last of all, ``run.json``."""
    weights: dict[str, Weights] = {}
    if reason is None:
        weights["last"] = _weights(model)
        if state.best is not None and "best_val" in run.selections:
            weights["best_val"] = deepcopy(state.best)
    for selection, tensors in weights.items():
        with atomic_path(paths.weights(selection)) as part:
            save_file(tensors, part)
    columns = ["epoch", "lr", "train_loss", "val_loss", "val_score", "images_per_s", "seconds"]
    write_csv(paths.history, pd.DataFrame(state.history, columns=columns))
    commit, dirty = git_state()
    record = RunRecord(
        status="ok" if reason is None else "failed",
        reason=reason,
        config=run.model_dump(mode="json"),
        config_hash=identity["config"],
        data_hash=identity["data"],
        split_hash=identity["split"],
        code_hash=identity["code"],
        env_hash=env_hash(),
        git_commit=commit,
        git_dirty=dirty,
        device=str(device),
        machine=dict(machine()),
        versions=versions(),
        threads=run.threads,
        epochs_done=state.epoch,
        best_val_epoch=state.best_epoch,
        n_train=len(side_rows(data, "train")),
        n_val=len(side_rows(data, "val")),
        n_test=len(side_rows(data, "test")),
        wall_seconds=round(state.seconds, 3),
        weights={s: sha256_file(paths.weights(s)) for s in weights},
    )
    write_run(paths.run_json, record)
    return record
