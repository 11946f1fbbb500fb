"""Networks written here equal the public forms that they follow.

``recorded_outputs.json`` holds logits in float64 of a **transcription** of the public code, with
the repository, file and commit that was read. Weakness: the forward pass was typed anew and
shortened from the files as read, not run from the original files, whose digests are therefore not
here; a mistake in both the transcription and ours would not show. What ``unet`` is compared with
has no biases in its convolutions, unlike the cited commit.

How they were made: that network and ours are built for ``img_size`` and four classes, ours is
filled by ``recorded.fill``, and layer by layer, in the order in which they run, its weights are
copied to the other (q, k and v of one product to three; halves of the input channels swapped where
a concatenation is the other way round: MT-UNet's upper three levels, the axes of sMLPNet). The
logits of ``recorded.image`` in evaluation mode then differ by less than 1e-14 of the largest; those
of the transcription are recorded. ``.cuda()`` was left out, dropout rates play no part.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets.vnet import VNet as MonaiVNet

from mednext.models.baselines.nnunet import planned_features
from mednext.models.registry import create_model
from tests.models.recorded import fill, image, samples

RECORDED = json.loads(Path(__file__).with_name("recorded_outputs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "method",
    # r50_vit is transunet without its skips
    [pytest.param(m, marks=[pytest.mark.slow] if m == "r50_vit" else []) for m in RECORDED],
)
def test_logits_are_those_of_the_transcribed_public_code(method: str) -> None:
    recorded = RECORDED[method]
    size = recorded["img_size"]
    model = create_model(method, num_classes=4, img_size=size).double().eval()
    fill(model)
    with torch.no_grad():
        found = samples(model(image(size)))
    scale = float(np.abs(recorded["logits"]).max())
    np.testing.assert_allclose(found, recorded["logits"], rtol=0, atol=1e-12 * scale)


def test_vnet_is_monais() -> None:
    ours = create_model("vnet", num_classes=4, img_size=64, in_chans=1).double().eval()
    fill(ours)
    theirs = MonaiVNet(spatial_dims=2, in_channels=1, out_channels=4).double().eval()
    renamed = {
        name.removeprefix("net.").replace("in_tr.conv.", "in_tr.conv_block."): value
        for name, value in ours.state_dict().items()
    }
    theirs.load_state_dict(renamed)
    x = image(64)[:, :1]
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "stages", "padded"),
    # by the rule of nnU-Net's get_pool_and_conv_props: halve, rounding up, while the edge is >= 8
    [
        (64, 5, 64),
        (96, 5, 96),
        (224, 6, 224),
        (256, 7, 256),
        (288, 7, 320),
        (352, 7, 384),
        (416, 7, 448),
        (480, 8, 512),
        (544, 8, 640),
    ],
)
def test_nnunet_plans_as_nnunet_does(size: int, stages: int, padded: int) -> None:
    assert len(planned_features(size)) == stages
    with torch.device("meta"):
        model = create_model("nnunet", num_classes=2, img_size=size)
        assert model(torch.zeros(1, 3, size, size)).shape == (1, 2, size, size)
    assert size + sum(model.margins) == padded
