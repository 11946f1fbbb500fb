"""MedNeXt and MedUNeXt against timm's ResNet-18 and against their own plain form.

At 224 pixels in channels_last, batch 1 and 16. "plain" runs the blocks as they are defined, module
by module; "folded" is ``mednext.optimize_for_inference``, and ResNet-18 with its BN folded into the
convolutions: the pair that is fair. ResNet-18 as timm builds it stands beside networks that are not
folded. Other engines: engines.py. Run: make bench
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import timm
import torch
from side_by_side import Figure, interleave, publish, ratios
from torch import nn
from torch.fx.experimental.optimization import fuse

from mednext import create_model, optimize_for_inference
from mednext.cost.allocator import keep_freed_memory
from mednext.models.layers import as_defined

FAIR = {1: 1.30, 16: 1.35}
"""Batch -> times ResNet-18, both folded, on two threads: the pair that is fair."""
INFERENCE, TRAINING = 1.4, 1.55
"""Times the ResNet-18 of the same run as timm builds it."""


def images(batch: int) -> torch.Tensor:
    """Noise."""
    return torch.randn(batch, 3, 224, 224).contiguous(memory_format=torch.channels_last)


def infer(model: nn.Module, x: torch.Tensor, plain: bool = False) -> Callable[[], Any]:
    """A call of the network without gradients."""

    def call() -> None:
        with torch.inference_mode(), as_defined() if plain else nullcontext():
            model(x)

    return call


def train(model: nn.Module, x: torch.Tensor, plain: bool = False) -> Callable[[], Any]:
    """A step: forward, cross-entropy, backward, AdamW."""
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def call() -> None:
        with as_defined() if plain else nullcontext():
            model.train()
            out = model(x)
            target = torch.zeros(len(x), *out.shape[2:], dtype=torch.long)
            nn.functional.cross_entropy(out, target).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    return call


def networks() -> dict[str, Any]:
    """Fresh networks in evaluation mode."""
    torch.manual_seed(0)
    made: dict[str, Any] = {
        "resnet18": timm.create_model("resnet18", num_classes=2),
        "mednext": create_model("mednext", num_classes=2),
        "medunext": create_model("medunext", num_classes=4),
    }
    made = {k: v.eval().to(memory_format=torch.channels_last) for k, v in made.items()}
    made["resnet18 folded"] = fuse(made["resnet18"]).to(memory_format=torch.channels_last)
    for name in ("mednext", "medunext"):
        made[f"{name} folded"] = optimize_for_inference(made[name])
    return made


def main() -> None:
    """Time in rounds and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    keep_freed_memory()  # as every command of mednext does
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    figures, rows = [], []

    def keep(setting: str, seconds: dict[str, list[float]]) -> None:
        for name, values in seconds.items():
            rows.extend(
                {"setting": setting, "network": name, "round": i, "seconds": round(s, 5),
                 "threads": arguments.threads}
                for i, s in enumerate(values)
            )  # fmt: skip

    for batch, repeats in ((1, 5), (16, 1)):
        made, x = networks(), images(batch)
        names = ("resnet18", "resnet18 folded", "mednext", "mednext folded")
        calls = {name: infer(made[name], x) for name in names}
        calls["mednext plain"] = infer(made["mednext"], x, plain=True)
        seconds = interleave(calls, arguments.rounds, repeats)
        setting = f"inference, batch {batch}"
        keep(setting, seconds)
        for of, to, most in (
            ("mednext folded", "resnet18 folded", FAIR[batch]),
            ("mednext", "resnet18", None),
            ("mednext plain", "resnet18", None),
        ):
            figures.append(Figure(f"{setting}: {of} / {to}", ratios(seconds, of, to), most=most))
    for batch in (16,):
        made, x = networks(), images(batch)
        calls = {name: train(made[name], x) for name in ("resnet18", "mednext")}
        calls["mednext plain"] = train(made["mednext"], x, plain=True)
        seconds = interleave(calls, max(arguments.rounds // 2, 3))
        setting = f"training step, batch {batch}"
        keep(setting, seconds)
        for of, most in (("mednext", TRAINING), ("mednext plain", None)):
            figures.append(
                Figure(f"{setting}: {of} / resnet18", ratios(seconds, of, "resnet18"), most=most)
            )
    made, x = networks(), images(1)
    calls = {name: infer(made[name], x) for name in ("medunext", "medunext folded", "resnet18")}
    calls["medunext plain"] = infer(made["medunext"], x, plain=True)
    seconds = interleave(calls, max(arguments.rounds // 2, 3))
    keep("inference, batch 1", seconds)
    for of in ("medunext", "medunext folded"):
        figures.append(
            Figure(
                f"inference, batch 1: {of} / medunext plain", ratios(seconds, of, "medunext plain")
            )
        )
    # 33.7 GMACs against 1.8: per GMAC it should be no dearer than MedNeXt may be.
    gmacs = 33.718 / 1.814
    per = [r / gmacs for r in ratios(seconds, "medunext folded", "resnet18")]
    figures.append(
        Figure("inference, batch 1, per GMAC: medunext folded / resnet18", per, INFERENCE)
    )
    publish("networks", figures, rows)


if __name__ == "__main__":
    main()
