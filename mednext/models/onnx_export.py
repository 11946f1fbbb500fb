"""Networks as ONNX files, checked against onnxruntime before they are handed over."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mednext.errors import UserError
from mednext.files import atomic_path
from mednext.models.inference import optimize_for_inference

OPSET = 18
TOLERANCE = 1e-4
"""Largest difference of logits, relative to the largest logit, that still counts as equal."""


def export_onnx(
    model: nn.Module,
    path: Path,
    *,
    in_chans: int,
    img_size: int,
    facts: Mapping[str, str] | None = None,
) -> float:
    """Write ``model``, folded for inference, as ONNX; the batch size stays free, H and W are fixed.

    The written graph is run by onnxruntime on one and on three random images and compared with the
    logits of ``model`` as it is; a file that does not agree is not left behind.

    Args:
        model: a network on the CPU.
        path: the file to write.
        in_chans: channels of the images.
        img_size: their height and width.
        facts: what is stored beside the graph, as onnxruntime's ``custom_metadata_map`` gives it.

    Returns:
        The largest difference of the logits over the largest logit.

    Raises:
        UserError: the network cannot be exported, or onnxruntime computes something else.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    >>> export_onnx(network, Path("network.onnx"), in_chans=1, img_size=8) < 1e-4
    True
    """
    images = torch.randn(
        3, in_chans, img_size, img_size, generator=torch.Generator().manual_seed(0)
    )
    training = model.training
    model.eval()
    try:
        with atomic_path(path) as part, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's own deprecations
            _write(optimize_for_inference(model), part, images, facts or {})
            difference = _difference(model, part, images)
            if not difference <= TOLERANCE:
                raise UserError(
                    "onnxruntime computes other logits than torch",
                    file=path,
                    found=f"a relative difference of {difference:.2g}",
                    expected=f"at most {TOLERANCE:.2g}",
                )
    finally:
        model.train(training)
    return difference


def _write(model: nn.Module, part: Path, images: torch.Tensor, facts: Mapping[str, str]) -> None:
    batch = torch.export.Dim("batch", min=1)
    # torch's exporter reads the older switch of TF32; training in this process sets the newer one.
    precision = torch.backends.cudnn.conv.fp32_precision  # type: ignore[attr-defined]
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    try:
        program = torch.onnx.export(
            model,
            (images,),
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: batch},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    except torch.onnx.errors.OnnxExporterError as error:
        raise UserError(
            "the network cannot be exported to ONNX",
            file=part,
            found=str(error).strip().splitlines()[0][:200],
        ) from error
    assert program is not None  # as the exporter by dynamo returns it
    program.model.metadata_props.update(facts)
    program.save(part, external_data=False)


def _difference(model: nn.Module, part: Path, images: torch.Tensor) -> float:
    """Largest difference of the logits on one image and on three, over the largest logit."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(part), options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in (images[:1], images):
        with torch.no_grad():
            expected = model(batch).numpy()
        (found,) = session.run(["logits"], {"images": batch.numpy()})
        worst = max(worst, float(np.abs(found - expected).max() / np.abs(expected).max()))
    return worst
