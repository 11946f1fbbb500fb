"""Selection ``averaged``: the mean of the weights at the ends of the last epochs.

The mean is that of Izmailov et al. 2018 (10.48550/arXiv.1803.05407) at a recipe's own rate: one
set of weights per epoch, equal shares. Batch norm's statistics are not averaged, since those of
other weights fit none of the mean's layers; as the authors do, they are taken anew over one epoch
of training batches. Those come in an order and with an augmentation drawn for the epoch after the
last one, so that they, too, are the same however often a training was continued.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from mednext.config import RunConfig
from mednext.models.device import to_device
from mednext.training.batches import Data, train_batches
from mednext.training.seeds import seed_of
from mednext.training.step import Stepper

Weights = dict[str, Tensor]


def add(sums: Weights, model: nn.Module) -> None:
    """Add the parameters as they are now, in float64."""
    for name, value in model.named_parameters():
        now = value.detach().double()
        sums[name] = sums[name].to(now.device) + now if name in sums else now


@torch.no_grad()
def averaged(run: RunConfig, data: Data, stepper: Stepper, sums: Weights) -> nn.Module:
    """A copy of the network with the mean of ``run.averaged_epochs`` weights."""
    assert run.averaged_epochs is not None
    model = deepcopy(stepper.model)
    for name, parameter in model.named_parameters():
        parameter.copy_(sums[name] / run.averaged_epochs)

    def parts() -> Iterator[Tensor]:
        for images, _ in train_batches(data, run, run.epochs):
            for part in stepper.parts(len(images)):
                yield to_device(images[part], stepper.device)

    torch.manual_seed(seed_of(run.seed, run.dataset, run.epochs, "network"))
    with stepper.autocast():
        update_bn(parts(), model)
    return model
