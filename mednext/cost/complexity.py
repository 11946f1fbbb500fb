"""Parameters and multiply-accumulates of the registered methods, beside the printed ones.

The paper's "FLOPs" are multiply-accumulates (MACs). ``torch.utils.flop_counter`` counts matrix
products, convolutions and attention at two operations per MAC, nothing else. The printed values
look like fvcore's, which counts normalisation and pooling, too; :mod:`mednext.cost.cross_check`
adds that count.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mednext.config import (
    MethodSpec,
    Task,
    benchmarks_dir,
    load_methods,
    load_recipes,
    method_slug,
)
from mednext.config.benchmarks import PAPER_SIZE
from mednext.cost.cross_check import (
    CrossCheck,
    Uncounted,
    cross_check,
    listed,
    plain_attention,
)
from mednext.cost.memory import training_bytes
from mednext.errors import UserError
from mednext.models.layers import as_defined
from mednext.models.registry import create_model
from mednext.results import CONVENTIONS, CostRow, CostVerdict, cost_verdict, write_rows

IN_CHANS = 3
"""The paper's input is 3 x 224 x 224; slices of one channel are repeated."""
TASK_CLASSES: dict[Task, int] = {"classification": 2, "segmentation": 4}
"""Outputs at which the paper counts its own networks: two classes; ACDC with its background."""
IMAGENET_CLASSES = 1000
COST_TABLES = ("2", "6", "7", "8")
"""Where costs are printed, the first hit wins; Tables 3 and 4 repeat those of Table 2."""
DIGITS = 2
"""Decimals of the printed costs."""


@dataclass(frozen=True)
class Cost:
    """What one network costs for one image."""

    params: int
    gmacs: float
    activations_m: float
    """Output elements of all convolutions and linear maps, in millions."""
    uncounted: str
    """Operations that compute something but count as nothing: ``add x3, gelu x2``."""


def count(model: nn.Module, shape: tuple[int, ...]) -> Cost:
    """Count one forward pass over an input of ``shape``, on the device of ``model`` (meta is fine).

    GMACs are :class:`FlopCounterMode`'s operations over two.
    """
    elements = 0

    def add(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        nonlocal elements
        elements += output.numel()

    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)
    hooks = [m.register_forward_hook(add) for m in model.modules() if isinstance(m, kinds)]
    device = next(model.parameters()).device
    try:
        counter, skipped = FlopCounterMode(display=False), Uncounted()
        with torch.no_grad(), as_defined(), counter, skipped:
            model.eval()(torch.zeros(shape, device=device))
    finally:
        for hook in hooks:
            hook.remove()
    params = sum(p.numel() for p in model.parameters())
    gmacs = counter.get_total_flops() / 2 / 1e9
    return Cost(params, gmacs, elements / 1e6, listed(skipped.names))


def measure(
    method: str, *, num_classes: int, img_size: int = PAPER_SIZE, in_chans: int = IN_CHANS
) -> Cost:
    """Count a registered method without allocating its weights.

    Raises:
        UserError: unknown method, or its network cannot be built or counted.
    """
    with naming(method), plain_attention():
        model = on_meta(method, num_classes, img_size, in_chans)
        return count(model, (1, in_chans, img_size, img_size))


def on_meta(method: str, num_classes: int, img_size: int, in_chans: int = IN_CHANS) -> nn.Module:
    """A registered method without memory for its weights."""
    with torch.device("meta"):
        return create_model(method, num_classes=num_classes, in_chans=in_chans, img_size=img_size)


@contextmanager
def naming(method: str) -> Iterator[None]:
    """Turn what a network raises while it is counted into one message that names it."""
    try:
        yield
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        raise UserError(
            f"the costs of '{method}' cannot be counted",
            found=f"{type(error).__name__}: {error}",
            expected="a network that runs on torch's meta device",
        ) from error


def printed_costs(spec: MethodSpec) -> tuple[float | None, float | None]:
    """The printed parameters (millions) and FLOPs (GMACs); None where the paper has none."""
    found: dict[str, float] = {}
    for table in COST_TABLES:
        if table not in spec.printed:
            continue
        path = next((benchmarks_dir() / "reported").glob(f"table{table}_*.csv"))
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["method"] == spec.printed[table]]
        if not rows:
            raise UserError(
                "methods.yaml names a method that the table does not print",
                file=path,
                found=spec.printed[table],
            )
        for column in ("params_m", "flops_g"):
            if rows[0].get(column):
                found.setdefault(column, float(rows[0][column]))
    return found.get("params_m"), found.get("flops_g")


def cost_rows(method: str, img_size: int = PAPER_SIZE, full: bool = False) -> list[CostRow]:
    """The rows of one method: its task's head and, for classifiers, 1000 classes.

    The row of the head behind the printed costs (``cost_classes`` of ``methods.yaml``, else the
    task's) carries the verdict; printed costs are at 224 pixels, so only there.

    Args:
        method: a name of ``methods.yaml``.
        img_size: height and width of the input.
        full: count with fvcore and ptflops, too, and follow the memory of a training step.
    """
    method = method_slug(method)
    spec = load_methods()[method]
    task_classes = TASK_CLASSES[spec.task]
    heads = [task_classes] + ([IMAGENET_CLASSES] if spec.task == "classification" else [])
    judged = spec.cost_classes or task_classes
    params_m, gmacs = printed_costs(spec)
    shape = (1, IN_CHANS, img_size, img_size)
    rows = []
    for num_classes in heads:
        with naming(method), plain_attention():
            model = on_meta(method, num_classes, img_size)
            cost = count(model, shape)
            check = None
            if full:
                real = create_model(method, num_classes=num_classes, img_size=img_size)
                check = cross_check(real, model, shape)
        verdicts: tuple[CostVerdict | None, CostVerdict | None] = (None, None)
        reason = None
        if num_classes != judged:
            reason = f"the verdict is on the head with {judged} classes"
        elif img_size != PAPER_SIZE:
            reason = "the printed costs are at 224 pixels"
        else:
            verdict, counter = gmacs_verdict(cost.gmacs, check, gmacs)
            verdicts = cost_verdict(cost.params / 1e6, params_m, DIGITS), verdict
            differs = any(v in ("near", "off") for v in verdicts) or counter != "torch"
            reason = (spec.cost_note or "not known") if differs else None
            if counter != "torch":
                reason = f"The GMACs agree as {counter} counts. {reason}"
        memory = training_memory(method, img_size) if full and num_classes == task_classes else {}
        rows.append(
            CostRow(
                method=method,
                task=spec.task,
                input_shape="x".join(map(str, shape)),
                num_classes=num_classes,
                params=cost.params,
                gmacs_torch=round(cost.gmacs, 6),
                gmacs_fvcore=check.gmacs_fvcore if check else None,
                gmacs_ptflops=check.gmacs_ptflops if check else None,
                gmacs_without_maps=check.gmacs_without_maps if check else None,
                activations_m=round(cost.activations_m, 6),
                uncounted_ops=_uncounted(cost, check),
                reported_params_m=params_m,
                reported_gmacs=gmacs,
                verdict_params=verdicts[0],
                verdict_gmacs=verdicts[1],
                reason=reason,
                **memory,
            )
        )
    return rows


def gmacs_verdict(
    torch_count: float, check: CrossCheck | None, printed: float | None
) -> tuple[CostVerdict, str]:
    """The verdict of the way of counting that comes nearest to a printed count, and that way.

    Counters differ in what they count beside convolutions and matrix products: a printed number is
    not off since one of them says so.
    """
    counts = {
        name: count
        for name, column in CONVENTIONS.items()
        if (count := torch_count if name == "torch" else getattr(check, column, None)) is not None
    }
    order: tuple[CostVerdict, ...] = ("matches", "near", "off", "not printed")
    judged = {name: cost_verdict(count, printed, DIGITS) for name, count in counts.items()}
    best = min(judged, key=lambda name: order.index(judged[name]))  # the first of equal ones
    return judged[best], best


def training_memory(method: str, img_size: int) -> dict[str, Any]:
    """Peak memory of a training step at the recipe's batch size, as columns of ``cost.csv``."""
    task = load_methods()[method].task
    batch = int(load_recipes()[task].batch_size.value)
    with naming(method):
        model = on_meta(method, TASK_CLASSES[task], img_size)
        peak = training_bytes(model, (batch, IN_CHANS, img_size, img_size), task)
    return {"train_batch": batch, "train_memory_mib": round(peak / 2**20, 1)}


def _uncounted(cost: Cost, check: CrossCheck | None) -> str:
    """What each counter left out: ``torch: add x3, gelu x2; fvcore: ...``."""
    parts = {"torch": cost.uncounted}
    if check is not None:
        parts |= {"fvcore": check.skipped_fvcore, "ptflops": check.skipped_ptflops}
    return "; ".join(f"{name}: {ops or 'nothing'}" for name, ops in parts.items())


def write_costs(
    path: Path,
    methods: Sequence[str] | None = None,
    img_size: int = PAPER_SIZE,
    full: bool = False,
) -> None:
    """Write ``cost.csv`` for ``methods`` (all registered ones if None).

    Args:
        path: the file to write.
        methods: names of ``methods.yaml``.
        img_size: height and width of the counted input; the paper's is 224.
        full: count with fvcore and ptflops, too, and follow the memory of a training step (slower).

    Raises:
        UserError: unknown method, or one that cannot be counted.
    """
    names = list(load_methods()) if methods is None else list(methods)
    rows = [row for name in names for row in cost_rows(name, img_size, full)]
    write_rows(path, CostRow, rows)
