"""One call of one network on one batch: in each engine, or as a training step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from networks import train
from torch import nn
from torch.fx.experimental.optimization import fuse

from measured.rows import Setting
from mednext import create_model, optimize_for_inference
from mednext.models.onnx_export import export_onnx

Call = Callable[[], Any]


def folded(name: str, network: nn.Module) -> nn.Module:
    """As fast as the function allows: ours by the suite, ResNet-18 by torch's own folding of BN."""
    if name == "mednext":
        return optimize_for_inference(network)
    return fuse(network).to(memory_format=torch.channels_last)


def in_torch(name: str, network: nn.Module, images: torch.Tensor, setting: Setting) -> Call:
    """As Python calls it."""
    ready = folded(name, network)

    def call() -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(ready(images))

    return call


def compiled(name: str, network: nn.Module, images: torch.Tensor, setting: Setting) -> Call:
    """By torch.compile, for this batch."""
    ready = torch.compile(folded(name, network), dynamic=False)

    def call() -> np.ndarray:
        with torch.no_grad():
            return np.asarray(ready(images))

    return call


def both_networks(img_size: int) -> dict[str, nn.Module]:
    """The pair, as in every process."""
    torch.manual_seed(0)
    return {
        "mednext": create_model("mednext", num_classes=2, img_size=img_size).eval(),
        "resnet18": timm.create_model("resnet18", num_classes=2).eval(),
    }


def onnx_file(name: str, folder: str) -> Path:
    """Where the exported network lies."""
    return Path(folder) / f"{name}.onnx"


def export_both(folder: str, img_size: int) -> None:
    """Write both files. Never in a process that times: the check of an export has threads of its
    own, and ONNX Runtime refuses those beside shared ones.
    """
    for name, network in both_networks(img_size).items():
        model = network if name == "mednext" else fuse(network)
        export_onnx(model, onnx_file(name, folder), in_chans=3, img_size=img_size)


def in_onnxruntime(name: str, network: nn.Module, images: torch.Tensor, setting: Setting) -> Call:
    """By ONNX Runtime, whose threads the two networks share: idle ones spin."""
    import onnxruntime

    if name == "mednext":
        onnxruntime.set_global_thread_pool_sizes(setting.threads, 1)
    options = onnxruntime.SessionOptions()
    options.use_per_session_threads = False
    file = str(onnx_file(name, setting.folder))
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    array = images.contiguous().numpy()
    return lambda: session.run(None, {"images": array})[0]


def in_openvino(name: str, network: nn.Module, images: torch.Tensor, setting: Setting) -> Call:
    """By OpenVINO, for this batch; in fp32 also on a CPU that has bf16."""
    import openvino

    model = openvino.Core().read_model(str(onnx_file(name, setting.folder)))
    model.reshape(list(images.shape))
    how = {
        "INFERENCE_NUM_THREADS": setting.threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    ready = openvino.compile_model(model, "CPU", how)
    array = images.contiguous().numpy()
    return lambda: ready([array])[0]


ENGINES = {
    "torch": in_torch,
    "torch.compile": compiled,
    "ONNX Runtime": in_onnxruntime,
    "OpenVINO": in_openvino,
}


def training_step(name: str, network: nn.Module, images: torch.Tensor, setting: Setting) -> Call:
    """Forward, cross-entropy, backward and AdamW in eager torch; nothing is folded."""
    return train(network.to(memory_format=torch.channels_last), images)
