"""MedNeXt against ResNet-18, both folded for inference, in every engine that is installed.

The fair pair: ``mednext.optimize_for_inference`` on one side, BN folded into the convolutions on
the other. Each engine, batch and number of threads has a process of its own, in which the two
networks take turns; a ratio is taken within a round. ``engines.csv`` and ``profile.csv`` beside
this script are committed, and docs/speed.md is written from them. On a quiet machine: make engines
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from side_by_side import interleave, ratios
from tabulate import tabulate
from torch import nn
from torch.fx.experimental.optimization import fuse

from mednext import create_model, optimize_for_inference
from mednext.cost.allocator import keep_freed_memory
from mednext.cost.timing import BUSY_CORES, OthersWatch
from mednext.cost.work import prediction_work
from mednext.files import write_text
from mednext.models.onnx_export import export_onnx
from mednext.provenance import machine
from mednext.results import Outcome, Row, Status, write_rows

HERE = Path(__file__).resolve().parent
COMMITTED = HERE / "engines.csv"
PROFILE = "profile.csv"
"""Beside ``engines.csv``."""
DOCUMENT = HERE.parents[1] / "docs/speed.md"
PACKAGES = {
    "torch": "torch",
    "torch.compile": "torch",
    "ONNX Runtime": "onnxruntime",
    "OpenVINO": "openvino",
}
"""Engine -> the package that brings it."""
BATCHES, THREADS = (1, 16), (2, 1)
TARGETS = {("torch", 2, 1): 1.30, ("torch", 2, 16): 1.35}
"""Engine, threads, batch -> the ratio that was aimed at."""
REPEATS = {1: 5, 16: 1}
Call = Callable[[], Any]


@dataclass(frozen=True)
class Setting:
    """One process."""

    engine: str
    threads: int
    batch: int
    rounds: int
    folder: str
    """Of the ONNX files, which are written once."""
    img_size: int = 224


class EngineRow(Outcome):
    """One line of ``engines.csv``: medians and quartiles over ``n`` rounds, ratios within one."""

    engine: str
    version: str | None = None
    threads: int
    batch: int
    n: int = 0
    mednext_ms: float | None = None
    mednext_q1: float | None = None
    mednext_q3: float | None = None
    resnet18_ms: float | None = None
    resnet18_q1: float | None = None
    resnet18_q3: float | None = None
    ratio: float | None = None
    ratio_q1: float | None = None
    ratio_q3: float | None = None
    target: float | None = None
    busy_cores: float | None = None
    """CPU time that others took per second."""
    cpu: str | None = None
    flops_ratio: float | None = None
    """Counted, not timed, for torch alone: the others fuse what they like."""
    bytes_ratio: float | None = None
    """Of memory read and written, each map once per operation."""


class ProfileRow(Row):
    """One line of ``profile.csv``: an operation of torch within one forward pass."""

    network: str
    threads: int
    batch: int
    operation: str
    ms: float


def row_of(setting: Setting, status: Status, **values: Any) -> EngineRow:
    """A row of one setting."""
    where = (setting.engine, setting.threads, setting.batch)
    engine, threads, batch = where
    values |= {"status": status, "target": TARGETS.get(where)}
    return EngineRow(engine=engine, threads=threads, batch=batch, **values)


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


def onnx_file(name: str, network: nn.Module, setting: Setting) -> Path:
    """The exported network."""
    file = Path(setting.folder) / f"{name}.onnx"
    if not file.exists():
        model = network if name == "mednext" else fuse(network)
        export_onnx(model, file, in_chans=3, img_size=setting.img_size)
    return file


def in_onnxruntime(name: str, network: nn.Module, images: torch.Tensor, setting: Setting) -> Call:
    """By ONNX Runtime, whose threads the two networks share: idle ones spin."""
    import onnxruntime

    if name == "mednext":
        onnxruntime.set_global_thread_pool_sizes(setting.threads, 1)
    options = onnxruntime.SessionOptions()
    options.use_per_session_threads = False
    file = str(onnx_file(name, network, setting))
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    array = images.contiguous().numpy()
    return lambda: session.run(None, {"images": array})[0]


def in_openvino(name: str, network: nn.Module, images: torch.Tensor, setting: Setting) -> Call:
    """By OpenVINO, for this batch."""
    import openvino

    model = openvino.Core().read_model(str(onnx_file(name, network, setting)))
    model.reshape(list(images.shape))
    how = {"INFERENCE_NUM_THREADS": setting.threads, "PERFORMANCE_HINT": "LATENCY"}
    ready = openvino.compile_model(model, "CPU", how)
    array = images.contiguous().numpy()
    return lambda: ready([array])[0]


ENGINES = {
    "torch": in_torch,
    "torch.compile": compiled,
    "ONNX Runtime": in_onnxruntime,
    "OpenVINO": in_openvino,
}


def counted(both: dict[str, nn.Module], images: torch.Tensor) -> dict[str, float]:
    """Arithmetic and traffic of the folded MedNeXt over those of the folded ResNet-18."""
    work = {
        name: prediction_work(folded(name, network).to("meta"), tuple(images.shape)).operations
        for name, network in both.items()
    }
    found = {}
    for column, share in (
        ("flops_ratio", lambda o: o.tensor_flops + o.vector_flops),
        ("bytes_ratio", lambda o: o.bytes),
    ):
        total = {name: sum(share(o) * o.times for o in every) for name, every in work.items()}
        found[column] = round(total["mednext"] / total["resnet18"], 3)
    return found


def profiled(setting: Setting, calls: dict[str, Call]) -> list[ProfileRow]:
    """Milliseconds of each of torch's operations, without those that it calls itself."""
    rows = []
    for name, call in calls.items():
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            for _ in range(setting.rounds):
                call()
        for event in profile.key_averages():
            ms = round(event.self_cpu_time_total / 1e3 / setting.rounds, 3)
            where = {"network": name, "threads": setting.threads, "batch": setting.batch}
            rows.append(ProfileRow(operation=event.key, ms=ms, **where))
    return sorted(rows, key=lambda row: (row.network, -row.ms))


def measure(setting: Setting) -> tuple[EngineRow, list[ProfileRow]]:
    """Time both networks in rounds; of torch, also its operations.

    Raises:
        AssertionError: the engine computes other logits than the networks as they are defined.
    """
    torch.set_num_threads(setting.threads)
    torch.set_flush_denormal(True)
    side = setting.img_size
    torch.manual_seed(0)
    both: dict[str, nn.Module] = {
        "mednext": create_model("mednext", num_classes=2, img_size=side).eval(),
        "resnet18": timm.create_model("resnet18", num_classes=2).eval(),
    }
    images = torch.randn(setting.batch, 3, side, side).to(memory_format=torch.channels_last)
    build, calls = ENGINES[setting.engine], {}
    for name, network in both.items():
        with torch.no_grad():
            expected = network(images).numpy()
        calls[name] = build(name, network, images, setting)
        difference = np.abs(calls[name]() - expected).max() / np.abs(expected).max()
        assert difference < 1e-3, f"{setting.engine}, {name}: logits differ by {difference:.2g}"
    watch = OthersWatch()
    seconds = interleave(calls, setting.rounds, REPEATS.get(setting.batch, 1), untimed=1)
    in_eager = setting.engine == "torch"
    row = row_of(
        setting,
        "ok",
        version=importlib.metadata.version(PACKAGES[setting.engine]),
        n=setting.rounds,
        busy_cores=round(watch.cores(), 2),
        cpu=machine()["cpu"],
        **figures(seconds),
        **(counted(both, images) if in_eager else {}),
    )
    return row, profiled(setting, calls) if in_eager else []


def figures(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Median, first and third quartile: milliseconds of each network, and their ratio."""
    parts = {
        "mednext": ("mednext_ms", "mednext_q1", "mednext_q3", 1e3),
        "resnet18": ("resnet18_ms", "resnet18_q1", "resnet18_q3", 1e3),
        "ratio": ("ratio", "ratio_q1", "ratio_q3", 1),
    }
    values = {**seconds, "ratio": ratios(seconds, "mednext", "resnet18")}
    found = {}
    for name, (middle, low, high, factor) in parts.items():
        quartiles = np.quantile(values[name], (0.5, 0.25, 0.75)) * factor
        for column, value in zip((middle, low, high), quartiles, strict=True):
            found[column] = round(float(value), 3)
    return found


def settings(rounds: int, folder: str) -> Iterator[Setting]:
    """All of them; engines that are compared stand next to each other in time."""
    for threads in THREADS:
        for batch in BATCHES:
            for engine in ENGINES:
                yield Setting(engine, threads, batch, rounds, folder)


def installed(engine: str) -> bool:
    """Is the engine's package there?"""
    try:
        importlib.metadata.version(PACKAGES[engine])
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def run(setting: Setting) -> tuple[EngineRow, list[ProfileRow]]:
    """Measure in a process of its own; an engine that is missing or fails is a row, too."""
    if not installed(setting.engine):
        reason = f"{PACKAGES[setting.engine]} is not installed"
        return row_of(setting, "skipped", reason=reason), []
    words = [sys.executable, __file__, "--worker", json.dumps(asdict(setting))]
    done = subprocess.run(words, capture_output=True, text=True)  # noqa: S603  fixed words
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return row_of(setting, "failed", reason=lines[-1][:200]), []
    row, profile = json.loads(done.stdout.strip().splitlines()[-1])
    return EngineRow(**row), [ProfileRow(**values) for values in profile]


HEAD = """# Speed

How long one forward pass takes of MedNeXt and of ResNet-18, whose multiply-accumulates are almost
as many. Both are folded for inference, which is the fair pair: MedNeXt by
`mednext.optimize_for_inference`, ResNet-18 by joining each BatchNorm to the convolution before it.
The ratio is MedNeXt's time over ResNet-18's: lower is better.

Images of 224 pixels, fp32. Medians over n rounds, in which the two take turns; in brackets the
quartiles of the ratio, which is taken within a round. `make engines` writes this page and
`benchmarks/speed/engines.csv`; `make bench` times training steps and MedUNeXt, too, and
`benchmarks/speed/NOTES.md` says what was tried.

"""


def document(rows: Sequence[EngineRow], profile: Sequence[ProfileRow]) -> str:
    """docs/speed.md."""
    found = [row for row in rows if row.status == "ok"]
    cpus = {str(row.cpu) for row in found}
    versions = dict.fromkeys(f"{PACKAGES[row.engine]} {row.version}" for row in found)
    if found:
        first = f"Measured on {', '.join(sorted(cpus))} with {', '.join(versions)}."
    else:
        first = "So far nothing is measured: it needs a machine on which nothing else runs."
    columns = ["engine", "threads", "batch", "MedNeXt, ms", "ResNet-18, ms", "ratio", "n", "target"]
    table = tabulate([_cells(row) for row in rows], columns, "github", disable_numparse=True)
    parts = [HEAD + first, table]
    for row in found:
        if row.flops_ratio is not None and row.threads == max(THREADS):
            parts.append(
                f"Counted operation by operation, batch {row.batch}: {row.flops_ratio:.2f} times "
                f"the arithmetic of ResNet-18, {row.bytes_ratio:.2f} times its traffic to memory."
            )
    if profile:
        parts.append(_where_the_time_is(profile))
    busy = [row for row in found if (row.busy_cores or 0) > BUSY_CORES]
    if busy:
        parts.append(
            f"{len(busy)} of {len(found)} rows were measured while others took more than "
            f"{BUSY_CORES:g} of a core; their column n says busy."
        )
    return "\n\n".join(parts) + "\n"


def _where_the_time_is(profile: Sequence[ProfileRow]) -> str:
    """Torch's operations of half a per cent at least, at the largest batch and most threads."""
    threads, batch = max(row.threads for row in profile), max(row.batch for row in profile)
    ms: dict[str, dict[str, float]] = {}
    for row in profile:
        if (row.threads, row.batch) == (threads, batch):
            ms.setdefault(row.operation, {})[row.network] = row.ms
    networks = ("mednext", "resnet18")
    total = {name: sum(times.get(name, 0) for times in ms.values()) for name in networks}
    lines = [
        [operation, *(f"{times.get(name, 0):.1f}" for name in networks)]
        for operation, times in sorted(ms.items(), key=lambda item: -max(item[1].values()))
        if any(times.get(name, 0) > 0.005 * total[name] for name in networks)
    ]
    title = f"Where torch's time is, in ms, batch {batch}, threads: {threads} (profiled):"
    columns = ["operation", "MedNeXt", "ResNet-18"]
    return f"{title}\n\n" + tabulate(lines, columns, "github", disable_numparse=True)


def _cells(row: EngineRow) -> list[str]:
    head = [row.engine, str(row.threads), str(row.batch)]
    target = "" if row.target is None else f"{row.target:.2f}"
    if row.status != "ok":
        said = row.reason if row.status == "pending" else f"{row.status}: {row.reason}"
        return [*head, str(said), "", "", "", target]
    n = f"{row.n}, busy" if (row.busy_cores or 0) > BUSY_CORES else str(row.n)
    ratio = f"**{row.ratio:.2f}** [{row.ratio_q1:.2f}, {row.ratio_q3:.2f}]"
    return [*head, f"{row.mednext_ms:.1f}", f"{row.resnet18_ms:.1f}", ratio, n, target]


def main() -> None:
    """Measure all settings, or write what is said of none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=COMMITTED)
    parser.add_argument("--document", type=Path, help="where to write the table for people")
    parser.add_argument("--pending", action="store_true", help="measure nothing, and say so")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        keep_freed_memory()  # as every command of mednext does
        row, operations = measure(Setting(**json.loads(arguments.worker)))
        print(json.dumps([row.model_dump(), [one.model_dump() for one in operations]]))
        return
    rows, profile = [], []
    with tempfile.TemporaryDirectory() as folder:
        for setting in settings(arguments.rounds, folder):
            if arguments.pending:
                row, operations = row_of(setting, "pending", reason="unmeasured"), []
            else:
                row, operations = run(setting)
            profile += operations
            print(" | ".join(_cells(row)), flush=True)
            rows.append(row)
    write_rows(arguments.out, EngineRow, rows)
    write_rows(arguments.out.with_name(PROFILE), ProfileRow, profile)
    if arguments.document:
        write_text(arguments.document, document(rows, profile))


if __name__ == "__main__":
    main()
