"""The losses of the first steps of a training, without the rest of it."""

from __future__ import annotations

from mednext.config import RunConfig
from mednext.training.device import fresh_network, pick_device, prepare_torch
from mednext.training.on_device import HostData, where_it_fits
from mednext.training.step import RECORDED, Stepper
from mednext.training.train import train_epoch


def first_losses(run: RunConfig, host: HostData) -> list[float]:
    """The losses that :func:`mednext.training.train.train` would record of this run on its data.

    Whole epochs are trained until there are enough; nothing is written.
    """
    prepare_torch(run)
    device = pick_device(run)
    data = where_it_fits(host, run, device)
    stepper = Stepper(run, fresh_network(run, device), device)
    for epoch in range(run.epochs):
        train_epoch(run, data, stepper, epoch, f"{run.dataset}/{run.method}/seed{run.seed}")
        if len(stepper.first_losses) == RECORDED:
            break
    return stepper.first_losses
