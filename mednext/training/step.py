"""One optimiser step: precision, compilation, accumulated micro-batches, and a full device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mednext.config import RunConfig
from mednext.training.losses import LOSSES

OPTIMIZERS: dict[str, type[torch.optim.Adam]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def make_optimizer(run: RunConfig, model: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimiser over all parameters."""
    kind = OPTIMIZERS[run.recipe["optimizer"]]
    options: dict[str, Any] = {k: run.recipe[k] for k in ("lr", "eps", "weight_decay")}
    options["betas"] = tuple(run.recipe["betas"])
    return kind(model.parameters(), fused=True, **options)


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
        self.model, self.device = model, device
        self.optimizer = make_optimizer(run, model)
        self.loss_of = LOSSES[run.recipe["loss"]]
        self.dtype = PRECISIONS[run.precision]
        # Only fp16 is so narrow that gradients vanish without a scale.
        self.scaler = torch.amp.GradScaler(device.type, enabled=run.precision == "fp16")
        self.forward: Callable[[Tensor], Tensor] = torch.compile(model) if run.compile else model
        self.auxiliary_loss: Callable[[Tensor], Tensor] | None = getattr(
            model, "auxiliary_loss", None
        )
        self.micro_batch = run.micro_batch or run.batch_size
        self.may_halve = not run.deterministic
        self.halvings = 0

    def autocast(self) -> torch.autocast:
        """The precision of the forward pass; blocks that need fp32 leave it by themselves."""
        return torch.autocast(
            self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32
        )

    def step(self, images: Tensor, labels: Tensor, rate: float) -> float:
        """One step at the learning rate ``rate``; returns the mean loss of the batch.

        Raises:
            torch.OutOfMemoryError: a single image does not fit, or the run is deterministic.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        while True:
            try:
                loss = self._gradients(images, labels)
                break
            except torch.OutOfMemoryError:
                self.optimizer.zero_grad(set_to_none=True)
                if not self.may_halve or self.micro_batch == 1:
                    raise
                self.micro_batch = (min(self.micro_batch, len(labels)) + 1) // 2
                self.halvings += 1
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return loss

    def _gradients(self, images: Tensor, labels: Tensor) -> float:
        total = 0.0
        parts = zip(images.split(self.micro_batch), labels.split(self.micro_batch), strict=True)
        for some, truth in parts:
            inputs = some.to(self.device)
            with self.autocast():
                logits = self.forward(inputs)
                extra = self.auxiliary_loss(inputs) if self.auxiliary_loss else 0.0
            share = len(truth) / len(labels)
            loss = (self.loss_of(logits.float(), truth.to(self.device)) + extra) * share
            self.scaler.scale(loss).backward()
            total += loss.item()
        return total

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "micro_batch": self.micro_batch,
            "halvings": self.halvings,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.micro_batch, self.halvings = state["micro_batch"], state["halvings"]
