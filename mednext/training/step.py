"""One optimiser step: precision, compilation, accumulated micro-batches, and a full device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mednext.config import RunConfig
from mednext.errors import UserError
from mednext.models.device import to_device
from mednext.training.device import autocast
from mednext.training.losses import LOSSES
from mednext.training.memory import is_memory_error

OPTIMIZERS: dict[str, type[torch.optim.Adam]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}
RECORDED = 20
"""Losses of the first steps are kept: they show a change of the code before seeds can hide it."""


def make_optimizer(run: RunConfig, model: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimiser over all parameters."""
    kind = OPTIMIZERS[run.recipe["optimizer"]]
    options: dict[str, Any] = {k: run.recipe[k] for k in ("lr", "eps", "weight_decay")}
    options["betas"] = tuple(run.recipe["betas"])
    return kind(model.parameters(), fused=True, **options)


def release(device: torch.device) -> None:
    """Give memory that nothing holds any more back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


class Stepper:
    """Turns batches into optimiser steps.

    A batch is cut into micro-batches of at most ``micro_batch`` images, whose gradients add up to
    that of the batch's mean loss (soft Dice: the mean over micro-batches of each one's own; batch
    norm sees micro-batches in any case). A device out of memory halves ``micro_batch`` and repeats
    the step, so that the effective batch stays; not in a deterministic run, whose sums it would
    change.

    A network with a second task of its own (``auxiliary_loss(images)``: DARR's puzzle) has its loss
    added in training; validation sees the first task's alone.
    """

    def __init__(self, run: RunConfig, model: nn.Module, device: torch.device) -> None:
        self.run, self.model, self.device = run, model, device
        self.optimizer = make_optimizer(run, model)
        self.loss_of = LOSSES[run.recipe["loss"]]
        # Only fp16 is so narrow that gradients vanish without a scale.
        self.scaler = torch.amp.GradScaler(device.type, enabled=run.precision == "fp16")
        # Each shape is compiled for itself: the whole batch, and the rest at the end of an epoch.
        self.forward: Callable[[Tensor], Tensor] = (
            torch.compile(model, dynamic=False) if run.compile else model
        )
        self.auxiliary_loss: Callable[[Tensor], Tensor] | None = getattr(
            model, "auxiliary_loss", None
        )
        self.micro_batch = run.micro_batch or run.batch_size
        self.may_halve = not run.deterministic
        self.halvings = 0
        self.first_losses: list[float] = []
        self.pairs = any(isinstance(module, _BatchNorm) for module in model.modules())
        """Whether a part of one image is to be avoided: batch norm of a 1 x 1 map needs two."""

    def autocast(self) -> AbstractContextManager[object]:
        """The precision of the forward pass; blocks that need fp32 leave it by themselves."""
        return autocast(self.run, self.device)

    def step(self, images: Tensor, labels: Tensor, rate: float) -> Tensor:
        """One step at the learning rate ``rate``; returns the mean loss of the batch (float64, on
        the device: to read it here would make the host wait for every step).

        Raises:
            torch.OutOfMemoryError: a single image does not fit, or the run is deterministic.
            UserError: batch norm of a 1 x 1 map, and one image; or the network's output is none of
                the task's shape.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        images, labels = to_device(images, self.device), to_device(labels, self.device)
        while (loss := self._tried(images, labels)) is None:
            self.micro_batch = (min(self.micro_batch, len(labels)) + 1) // 2
            self.halvings += 1
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return loss

    def record(self, losses: list[float]) -> None:
        """Keep the losses of the first steps of the training."""
        self.first_losses += losses[: RECORDED - len(self.first_losses)]

    def _tried(self, images: Tensor, labels: Tensor) -> Tensor | None:
        """The loss, its gradients made; None, and nothing changed, if memory did not suffice."""
        # A step that is repeated must not move batch norm's averages twice.
        buffers = list(self.model.buffers()) if self.may_halve else []
        before = [buffer.clone() for buffer in buffers]
        try:
            return self._gradients(images, labels)
        except ValueError as error:
            if "Expected more than 1 value per channel" not in str(error):
                raise
            raise _too_few(self.run, self.micro_batch) from None
        except RuntimeError as error:
            if not is_memory_error(error) or not self.may_halve or self.micro_batch == 1:
                raise
        # Only here is the error gone, whose traceback held all tensors of the step.
        self.optimizer.zero_grad(set_to_none=True)
        for buffer, value in zip(buffers, before, strict=True):
            buffer.copy_(value)
        release(self.device)
        return None

    def parts(self, count: int) -> Iterator[slice]:
        """The micro-batches of a batch: of ``micro_batch`` images, the last of the rest. Where the
        rest would be one image that batch norm cannot take, it gets another from the part before.
        """
        size = self.micro_batch
        stops = [*range(size, count, size), count]
        if self.pairs and size > 1 and len(stops) > 1 and stops[-1] - stops[-2] == 1:
            stops[-2] -= 1
            if size == 2:  # that would leave one image there: the two parts become one of three
                del stops[-2]
        yield from (slice(a, b) for a, b in zip([0, *stops], stops, strict=False))

    def _gradients(self, images: Tensor, labels: Tensor) -> Tensor:
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for part in self.parts(len(labels)):
            inputs, truth = images[part], labels[part]
            with self.autocast():
                logits = self._checked(self.forward(inputs), truth)
                extra = self.auxiliary_loss(inputs) if self.auxiliary_loss else 0.0
            share = len(truth) / len(labels)
            loss = (self.loss_of(logits.float(), truth) + extra) * share
            self.scaler.scale(loss).backward()
            total += loss.detach()
        return total

    def _checked(self, logits: Tensor, truth: Tensor) -> Tensor:
        """A custom network may give anything."""
        wanted = (len(truth), len(self.run.classes), *truth.shape[1:])
        found = getattr(logits, "shape", None)
        if found is None or tuple(found) != wanted:
            raise UserError(
                f"'{self.run.method}' does not give the logits of its task",
                found=type(logits).__name__ if found is None else f"a tensor of {tuple(found)}",
                expected=f"a tensor of {wanted}: images x classes (x the pixels of a segmentation)",
                remedy="correct the network; 'mednext doctor' tries it on one image",
            )
        return logits

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "micro_batch": self.micro_batch,
            "halvings": self.halvings,
            "first_losses": self.first_losses,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.micro_batch, self.halvings = state["micro_batch"], state["halvings"]
        self.first_losses = state["first_losses"]


def _too_few(run: RunConfig, micro_batch: int) -> UserError:
    return UserError(
        f"'{run.method}' cannot train on one image at a time: batch norm sees a 1 x 1 map of it",
        found=f"batch_size {run.batch_size}, micro_batch {micro_batch}, img_size {run.img_size}",
        expected="at least two images in each forward pass, or larger ones",
        remedy="raise batch_size and micro_batch to 2 or more, give the data set more training "
        "images, or use a larger img_size",
    )
