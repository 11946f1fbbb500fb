"""Hours of a profile on GPUs that are not here: a roofline per operation.

An operation takes as long as the slowest of its arithmetic, its traffic to memory and the shortest
time of any kernel; the host starts them one after the other. A step takes the longer of what the
GPU and what the host needs (Williams, Waterman and Patterson 2009, 10.1145/1498765.1498785, with a
third roof for launches). Several trainings on one GPU fill the gaps that a host leaves. The peaks
are those of ``benchmarks/gpus.yaml``; the shares of them that programs reach are assumed below,
were set before any run on a GPU, and change only with a note of the runs that say so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mednext.config import GpuSpec, Profile, load_datasets, load_gpus
from mednext.config.names import display_name
from mednext.cost.work import Work
from mednext.planning.plan import Plan, Timing, counts
from mednext.results import PlanRow
from mednext.training.validate import LARGER

COMPUTE_SHARE = 0.5
"""Of the peak that matrix products and convolutions of this size reach (assumed)."""
BANDWIDTH_SHARE = 0.75
"""Of the memory's bandwidth that a large copy reaches (assumed)."""
KERNEL_SECONDS = 2.5e-6
"""Of the smallest kernel, its start on the GPU included (assumed)."""
LAUNCH_SECONDS = 9e-6
"""Of the host per operation in eager mode: Python, dispatch, autograd, launch (assumed; 5 to 25
microseconds are usual)."""
STARTUP_SECONDS = 20.0
"""Of one process: imports, the CUDA context, loading of kernels and data (assumed)."""
CONTEXT_BYTES = 0.6e9
"""GPU memory of a process beside its tensors (assumed)."""
WORKSPACE = 1.25
"""Peak memory over that of living tensors: workspaces and fragmentation (assumed)."""
SLOTS = 8
"""Most trainings at once on one GPU."""
LOW_PRECISION = ("bf16", "fp16")
SHOWN = "h100"
"""The GPU whose hours are shown by themselves."""
MOST_COSTLY = 10


@dataclass(frozen=True)
class Price:
    """Seconds of one pass over a batch, and what bounds them."""

    compute: float = 0.0
    """Of the operations that arithmetic bounds."""
    bandwidth: float = 0.0
    """Of those that memory bounds."""
    small: float = 0.0
    """Of those too small for either: the shortest kernel."""
    transfer: float = 0.0
    """Images from the host; overlaps with nothing."""
    host: float = 0.0
    """What the host needs to start all of them."""

    @property
    def busy(self) -> float:
        """Of the GPU."""
        return self.compute + self.bandwidth + self.small + self.transfer

    @property
    def alone(self) -> float:
        """Wall time with the GPU to itself."""
        return max(self.busy, self.host)

    def together(self, count: int) -> Price:
        """Of so many batches in one pass, which the host starts once."""
        names = ("compute", "bandwidth", "small", "transfer")
        return replace(self, **{name: count * getattr(self, name) for name in names})

    def packed(self, slots: int) -> float:
        """Share of the GPU's time where ``slots`` like it run at once."""
        return max(self.busy, self.alone / slots)


def price(work: Work, gpu: GpuSpec, precision: str, image_bytes: float) -> Price:
    """Price one pass; ``image_bytes`` come from the host."""
    tensor = gpu.peak_tflops(precision) * 1e12 * COMPUTE_SHARE
    vector = gpu.vector_tflops * 1e12 * COMPUTE_SHARE
    rate = gpu.bandwidth_gbs * 1e9 * BANDWIDTH_SHARE
    terms = {"compute": 0.0, "bandwidth": 0.0, "small": 0.0}
    for operation in work.operations:
        # Autocast halves what products and convolutions move; all else stays in fp32.
        halved = precision in LOW_PRECISION and operation.tensor_flops > 0
        seconds = {
            "compute": operation.tensor_flops / tensor + operation.vector_flops / vector,
            "bandwidth": operation.bytes * (0.5 if halved else 1.0) / rate,
            "small": KERNEL_SECONDS,
        }
        bound = max(seconds, key=seconds.__getitem__)
        terms[bound] += operation.times * seconds[bound]
    transfer = image_bytes / (gpu.pcie_gbs * 1e9 * BANDWIDTH_SHARE)
    return Price(**terms, transfer=transfer, host=work.launches * LAUNCH_SECONDS)


@dataclass(frozen=True)
class Passes:
    """A training step and a forward pass of one method, each over one batch of a data set."""

    training: Work
    prediction: Work
    validated_every: int = 1
    """Epochs between two validations on a GPU."""


WorkOf = Callable[[str, str], Passes]
"""Data set and method -> their passes."""


def timing(
    profile: Profile, gpu: GpuSpec, work_of: WorkOf, cost: Callable[[str, str], tuple[float, int]]
) -> Callable[[str, str], Timing]:
    """What :func:`mednext.planning.plan.plan` asks, with the GPU to itself."""

    def answer(dataset: str, method: str) -> Timing:
        step, forward = prices(profile, gpu, work_of, dataset, method)
        gmacs, params = cost(dataset, method)
        image = forward.alone / _evaluated(profile, dataset)
        every = work_of(dataset, method).validated_every
        return Timing(
            gmacs, params, 0.0, step.alone, image, f"the roofline of one {gpu.name}", every
        )

    return answer


def prices(
    profile: Profile, gpu: GpuSpec, work_of: WorkOf, dataset: str, method: str
) -> tuple[Price, Price]:
    """Of a training step and of a forward pass, which is of more images."""
    run, spec = profile.datasets[dataset], load_datasets()[dataset]
    passes = work_of(dataset, method)
    # Classes of images are stored as bytes, slices and their labels as in mednext.datasets.prepare.
    pixel = spec.channels if spec.task == "classification" else 5
    moved = run.batch_size * run.img_size**2 * pixel
    forward = price(passes.prediction, gpu, profile.precision, moved)
    return (
        price(passes.training, gpu, profile.precision, moved),
        forward.together(_evaluated(profile, dataset) // run.batch_size),
    )


def _evaluated(profile: Profile, dataset: str) -> int:
    """Images of one forward pass in validation and prediction."""
    batch = profile.datasets[dataset].batch_size
    return batch if profile.deterministic else batch * LARGER


@dataclass(frozen=True)
class GpuHours:
    """A whole profile on one kind of GPU, in hours of one."""

    gpu: GpuSpec
    runs: int
    alone: float
    """One training after the other."""
    packed: float
    """Several at once, as many as memory holds and at most :data:`SLOTS`."""
    training: float
    validation: float
    prediction: float
    startup: float
    """The parts of ``alone``."""
    compute: float
    bandwidth: float
    small: float
    transfer: float
    host: float
    """Seconds of the GPU by what bounds them, and what the host needs; in hours."""
    too_large: tuple[str, ...]
    """``data set/method`` whose batch does not fit the memory."""


def gpu_hours(plan: Plan, work_of: WorkOf, name: str, seeds: int | None = None) -> GpuHours:
    """Price the rows of a plan on the GPU ``name``; ``seeds`` counts only so many of each."""
    profile, gpu = plan.profile, load_gpus()[name]
    parts = dict.fromkeys(("training", "validation", "prediction"), 0.0)
    terms = dict.fromkeys(("compute", "bandwidth", "small", "transfer", "host"), 0.0)
    packed, startup, runs, large = 0.0, 0.0, 0, []
    for row in plan.rows:
        row = first_seeds(row, seeds)
        runs += row.runs
        batch = _evaluated(profile, row.dataset)
        step, forward = prices(profile, gpu, work_of, row.dataset, row.method)
        passes = work_of(row.dataset, row.method)
        slots = slots_of(passes, gpu)
        if slots == 0:
            large.append(f"{row.dataset}/{row.method}")
        times = counts(profile, row)
        done = {
            "training": (times.steps, step),
            "validation": (times.validated / batch / passes.validated_every, forward),
            "prediction": (times.predicted / batch, forward),
        }
        for part, (often, one) in done.items():
            parts[part] += often * one.alone
            packed += often * one.packed(max(slots, 1))
            for term in terms:
                terms[term] += often * float(getattr(one, term))
        # A training, then one process that predicts; counting needs no GPU.
        starts = STARTUP_SECONDS * (row.trained + row.runs)
        startup += starts
        packed += starts / max(slots, 1)
    hours = {key: seconds / 3600 for key, seconds in {**parts, **terms}.items()}
    alone = (sum(parts.values()) + startup) / 3600
    return GpuHours(
        gpu, runs, alone, packed / 3600, startup=startup / 3600, too_large=tuple(large), **hours
    )


def first_seeds(row: PlanRow, seeds: int | None) -> PlanRow:
    """The row with at most ``seeds`` runs, the trained ones in proportion."""
    if seeds is None or row.runs <= seeds:
        return row
    trained = math.ceil(row.trained * seeds / row.runs)
    return row.model_copy(update={"runs": seeds, "trained": trained})


def slots_of(passes: Passes, gpu: GpuSpec) -> int:
    """Trainings that fit the GPU's memory at once, at most :data:`SLOTS`; 0: not even one."""
    need = passes.training.peak_bytes * WORKSPACE + CONTEXT_BYTES
    return min(SLOTS, int(gpu.memory_gb * 1e9 // need))


def roofline_text(plan: Plan, work_of: WorkOf) -> str:
    """A table: each GPU with one seed and with all, the hours by part and by what bounds them."""
    columns = ("alone", "packed", "training", "validation", "prediction", "startup")
    bounds = ("compute", "bandwidth", "small", "transfer", "host")
    out = [
        f"hours of one GPU at {plan.profile.precision} by a roofline (peaks: benchmarks/gpus.yaml; "
        f"reached, as assumed: {COMPUTE_SHARE:.0%} of arithmetic, {BANDWIDTH_SHARE:.0%} of "
        f"bandwidth, {LAUNCH_SECONDS * 1e6:.0f} us of the host per operation); measured: nothing",
        "alone = training + validation + prediction + startup; packed: up to "
        f"{SLOTS} trainings at once. Of the time the GPU works, by what bounds it: compute, "
        "bandwidth, small (kernels too short for either), transfer; host: to start all kernels",
        f"{'GPU':28} {'seeds':>5} {'runs':>4} "
        + " ".join(f"{name:>10}" for name in (*columns, *bounds)),
    ]
    for name, spec in load_gpus().items():
        for count in (1, None):
            found = gpu_hours(plan, work_of, name, count)
            values = [getattr(found, column) for column in (*columns, *bounds)]
            line = f"{spec.name:28} {count or 'all':>5} {found.runs:4} "
            out.append(line + " ".join(f"{value:10.2f}" for value in values))
        if found.too_large:
            out.append(f"  too large a batch for its memory: {', '.join(found.too_large)}")
    return "\n".join([*out, *_where(plan, work_of), *_instead(plan, work_of)])


def _where(plan: Plan, work_of: WorkOf) -> list[str]:
    """The hours of all seeds by data set, and of the methods that take most of them."""
    gpu = load_gpus()[SHOWN]
    out = ["", f"where the {gpu.name} works, hours of all seeds, packed (and of them bandwidth):"]
    groups: tuple[tuple[str, Callable[[PlanRow], str]], ...] = (
        ("by data set", lambda row: row.dataset),
        ("by method", lambda row: row.method),
    )
    for title, key in groups:
        found = {}
        for name in dict.fromkeys(map(key, plan.rows)):
            part = replace(plan, rows=[row for row in plan.rows if key(row) == name])
            found[name] = gpu_hours(part, work_of, SHOWN)
        most = sorted(found.items(), key=lambda item: -item[1].packed)[:MOST_COSTLY]
        words = (
            f"{display_name(n)} {hours.packed:.2f} ({hours.bandwidth:.2f})" for n, hours in most
        )
        out.append(f"  {title}: {', '.join(words)}")
    return out


def _instead(plan: Plan, work_of: WorkOf) -> list[str]:
    """What other settings of the profile would take; each changes what is computed."""
    profile = plan.profile
    last = tuple(name for name in profile.selections if name != "best_test")
    settings: list[dict[str, Any]] = [{}]
    if last != profile.selections:
        settings.append({"selections": last})
    if profile.precision not in LOW_PRECISION:
        settings += [{"precision": "bf16", **setting} for setting in settings]
    out = ["", f"hours of all seeds on an {load_gpus()[SHOWN].name} with other settings, packed:"]
    for setting in settings[1:]:
        part = replace(plan, profile=profile.model_copy(update=setting))
        words = [str(setting["precision"])] if "precision" in setting else []
        words += ["without best_test"] if "selections" in setting else []
        out.append(f"  {', '.join(words)}: {gpu_hours(part, work_of, SHOWN).packed:.2f}")
    return out if len(settings) > 1 else []
