"""docs/speed.md, from the files of engines.py and predicting.py and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from measured.rows import (
    ENGINES_FILE,
    FOLDER,
    PACKAGES,
    PREDICTING_FILE,
    PROFILE_FILE,
    EngineRow,
    ProfileRow,
    StreamRow,
)
from mednext.cost.timing import BUSY_CORES
from mednext.files import write_text
from mednext.results import read_rows

SHARE = 0.01
"""Of a pass: operations below it are not shown."""
HEAD = """# Speed

How long one forward pass takes of MedNeXt and of ResNet-18, whose multiply-accumulates are almost
as many. Both are folded for inference, which is the fair pair: MedNeXt by
`mednext.optimize_for_inference`, ResNet-18 by joining each BatchNorm to the convolution before it.
A training step (forward, cross-entropy, backward, AdamW) is of both as they are defined. The ratio
is MedNeXt's time over ResNet-18's: lower is better.

Images of {pixels} pixels, fp32. Medians over n rounds, in which the two take turns; in brackets the
quartiles of the ratio, which is taken within a round. `make engines` and `make predicting` write
this page and the CSV files of `benchmarks/speed/`; `make bench` times the plain forms and MedUNeXt,
too, and `benchmarks/speed/NOTES.md` says what was tried.

"""
LIMITS = """## What the machine allows

The operations of eager torch and their traffic are counted, and the speed of memory (a copy of a
map of the stem's size) and of arithmetic (a matrix product) measured in the same process. *Memory
alone*: every map is read and written once per operation, and nothing else takes time. *Limit*: each
operation takes as long as the slower of its memory and its arithmetic. Maps that stay in the caches
are faster, so that at batch 1 neither is a bound.
"""
STREAM = """## Many images

`mednext predict` on folders of made-up images, in a process of its own: memory must not grow with
their number, and all cores should be busy.
"""
UNMEASURED = "So far nothing is measured: it needs a machine on which nothing else runs."


def write_page(
    to: Path, engines: Path = FOLDER / ENGINES_FILE, streams: Path = FOLDER / PREDICTING_FILE
) -> None:
    """Write the page from ``engines``, the profile beside it, and ``streams``."""
    text = page(
        read_rows(engines, EngineRow),
        read_rows(engines.with_name(PROFILE_FILE), ProfileRow),
        read_rows(streams, StreamRow),
    )
    write_text(to, text)


def summary(row: EngineRow) -> str:
    """One line for the terminal."""
    return " | ".join(_cells(row))


def page(
    rows: Sequence[EngineRow], profile: Sequence[ProfileRow], streams: Sequence[StreamRow]
) -> str:
    """The whole of docs/speed.md."""
    found = [row for row in rows if row.status == "ok"]
    pixels = " and ".join(sorted({str(row.img_size) for row in rows}))
    parts = [HEAD.format(pixels=pixels) + _measured_on(found), *_headline(found), _engines(rows)]
    busy = [row for row in found if (row.busy_cores or 0) > BUSY_CORES]
    if busy:
        parts.append(
            f"{len(busy)} of {len(found)} rows were measured while others took more than "
            f"{BUSY_CORES:g} of a core; their column n says busy."
        )
    parts += _limits(found)
    missed = [row for row in found if row.target and row.ratio and row.ratio > row.target]
    if missed:
        parts.append("## Where the time is")
        parts += [_where_the_time_is(row, profile) for row in missed]
    return "\n\n".join([*parts, STREAM + "\n" + _streams(streams)]) + "\n"


def _measured_on(found: Sequence[EngineRow]) -> str:
    if not found:
        return UNMEASURED
    cpus = ", ".join(sorted({str(row.cpu) for row in found}))
    versions = dict.fromkeys(f"{PACKAGES[row.engine]} {row.version}" for row in found)
    return f"Measured on {cpus} with {', '.join(versions)}."


def _headline(found: Sequence[EngineRow]) -> list[str]:
    """One line per target."""
    lines = [
        f"- {row.work}, batch {row.batch}, {row.engine}, {_threads(row.threads)}: "
        f"**{row.ratio:.2f}** (target {row.target:.2f}: "
        f"{'missed' if row.ratio > row.target else 'met'})"
        for row in found
        if row.target and row.ratio
    ]
    return ["\n".join(lines)] if lines else []


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _engines(rows: Sequence[EngineRow]) -> str:
    columns = ["work", "engine", "threads", "batch", "MedNeXt, ms", "ResNet-18, ms", "ratio", "n"]
    return _table([_cells(row) for row in rows], [*columns, "target"])


def _cells(row: EngineRow) -> list[str]:
    head = [row.work, row.engine, str(row.threads), str(row.batch)]
    target = "" if row.target is None else f"{row.target:.2f}"
    if row.status != "ok":
        return [*head, _said(row), "", "", "", target]
    ratio = f"**{row.ratio:.2f}** [{row.ratio_q1:.2f}, {row.ratio_q3:.2f}]"
    return [*head, f"{row.mednext_ms:.1f}", f"{row.resnet18_ms:.1f}", ratio, _n(row), target]


def _said(row: EngineRow | StreamRow) -> str:
    return str(row.reason) if row.status == "pending" else f"{row.status}: {row.reason}"


def _n(row: EngineRow) -> str:
    return f"{row.n}, busy" if (row.busy_cores or 0) > BUSY_CORES else str(row.n)


def _limits(found: Sequence[EngineRow]) -> list[str]:
    lines = []
    for row in found:
        if row.mednext_limit_ms is None:
            continue
        head = [row.work, str(row.threads), str(row.batch)]
        head += [f"{row.flops_ratio:.2f}", f"{row.bytes_ratio:.2f}"]
        head += [f"{row.gflops_per_s:.0f}", f"{row.gbytes_per_s:.1f}"]
        for kind in ("memory", "limit"):
            ours, theirs = (getattr(row, f"{name}_{kind}_ms") for name in ("mednext", "resnet18"))
            head.append(f"{ours:.1f} / {theirs:.1f} = {ours / theirs:.2f}")
        lines.append([*head, f"{row.ratio:.2f}"])
    columns = ["work", "threads", "batch", "arithmetic, ratio", "traffic, ratio", "GFLOP/s", "GB/s"]
    columns += ["memory alone, ms", "limit, ms", "measured ratio"]
    return [LIMITS + "\n" + _table(lines, columns)] if lines else []


def _where_the_time_is(row: EngineRow, profile: Sequence[ProfileRow]) -> str:
    """Torch's operations of that pass, the small ones left out."""
    ms: dict[str, dict[str, float]] = {}
    for one in profile:
        if (one.work, one.threads, one.batch) == (row.work, row.threads, row.batch):
            ms.setdefault(one.operation, {})[one.network] = one.ms
    networks = ("mednext", "resnet18")
    total = {name: sum(times.get(name, 0) for times in ms.values()) for name in networks}
    lines = [
        [operation, *(f"{times.get(name, 0):.1f}" for name in networks)]
        for operation, times in sorted(ms.items(), key=lambda item: -max(item[1].values()))
        if any(times.get(name, 0) > SHARE * total[name] for name in networks)
    ]
    lines.append(["all", *(f"{total[name]:.1f}" for name in networks)])
    title = f"{row.work.capitalize()}, batch {row.batch}, {_threads(row.threads)}: ms (profiled)."
    return f"{title}\n\n" + _table(lines, ["operation", "MedNeXt", "ResNet-18"])


def _streams(streams: Sequence[StreamRow]) -> str:
    columns = ["images", "pixels", "seconds", "images/s", "peak memory, MiB", "cores busy", "of"]
    lines = [
        [str(row.images), str(row.img_size)]
        + (
            [
                f"{row.seconds:.0f}",
                f"{row.images / row.seconds:.0f}",
                f"{row.peak_mib:.0f}",
                f"{row.cpu_seconds / row.seconds:.2f}",
                str(row.cores),
            ]
            if row.seconds and row.cpu_seconds
            else [_said(row), "", "", "", ""]
        )
        for row in streams
    ]
    return _table(lines, columns)


def _table(lines: Sequence[Sequence[str]], columns: Sequence[str]) -> str:
    return tabulate(lines, columns, "github", disable_numparse=True)
