"""A plan as people read it."""

from __future__ import annotations

from collections import Counter

from mednext.datasets.needs import Need
from mednext.planning.plan import Plan, device_seconds
from mednext.results import PlanRow

KIND = {"data": "data", "train": "training", "evaluate": "prediction and counting"}


def text(plan: Plan, device: str, cores: int, age: float | None = None) -> str:
    """Jobs, hours, disk, downloads and credentials of a whole profile.

    Args:
        plan: what to show.
        device: what the hours are hours of.
        cores: for the wall time.
        age: seconds since the oldest measurement behind the hours.
    """
    profile = plan.profile
    jobs = plan.jobs
    kinds = ", ".join(f"{count} {KIND[kind]}" for kind, count in jobs.items())
    parts = [
        f"profile {profile.profile}: {sum(jobs.values())} jobs ({kinds}), "
        "and the few that gather, draw and check",
        *_shared(plan.rows),
        "",
        *_table(plan.rows),
        "",
        *_subtotals(plan.rows),
        "",
        *_hours(plan, device, cores),
        *([] if age is None else [_measured(plan.rows, age)]),
        *_disk(plan),
        *(line for need in plan.needs for line in _need(need)),
    ]
    return "\n".join(parts)


def hours(seconds: float) -> str:
    """``35 s``, ``12 min``, ``3.4 h`` or ``5.1 d``."""
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86400:.3g} d"


def size(count: float) -> str:
    """Bytes in MB or GB (powers of ten, as disks have them)."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _shared(rows: list[PlanRow]) -> list[str]:
    taken = sum(row.runs - row.trained for row in rows)
    if not taken:
        return []
    total = sum(row.runs for row in rows)
    return [
        f"{taken} of the {total} trainings are reused from a protocol with the same split and "
        "take no time"
    ]


def _subtotals(rows: list[PlanRow]) -> list[str]:
    """Device time of each data set and protocol, with its share of all."""
    seconds: dict[tuple[str, str], float] = {}
    runs: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for key in ((row.dataset, row.protocol), (row.dataset, "all")):
            seconds[key] = seconds.get(key, 0.0) + device_seconds(row)
            runs[key] += row.runs
    total = sum(map(device_seconds, rows)) or 1.0
    return [
        f"{dataset:16} {protocol:18} {runs[dataset, protocol]:4} runs {hours(value):>8} "
        f"{value / total:6.1%}"
        for (dataset, protocol), value in sorted(seconds.items())
        # The sum over one protocol is that protocol's.
        if protocol != "all" or sum(d == dataset for d, _ in seconds) > 2
    ]


def _table(rows: list[PlanRow]) -> list[str]:
    head = f"{'data set':16} {'protocol':18} {'method':24} {'runs':>4} {'GMACs':>8} "
    out = [head + f"{'images':>7} {'epochs':>6} {'one run':>8}  seconds from"]
    for row in rows:
        out.append(
            f"{row.dataset:16} {row.protocol:18} {row.method:24} {row.runs:4} {row.gmacs:8.3f} "
            f"{row.n_train:7} {row.epochs:6} {hours(row.train_seconds):>8}  {_basis(row)}"
        )
    return out


def _basis(row: PlanRow) -> str:
    taken = row.runs - row.trained
    return f"{row.basis} ({taken} reused)" if taken else row.basis


def _hours(plan: Plan, device: str, cores: int) -> list[str]:
    at_once = max(1, cores // plan.profile.threads)
    total = plan.device_hours
    wall = (total + plan.startup_hours + plan.writing_hours) / at_once
    out = [
        f"training and prediction: {total:.3g} hours of {device}",
        f"starting processes: {plan.startup_hours:.2g} hours; "
        f"writing checkpoints and weights: {plan.writing_hours:.2g} hours",
    ]
    if plan.profile.device == "cuda":
        return [*out, f"GPU-hours: {total:.3g}; with 8 GPUs {hours(total / 8 * 3600)}"]
    return [*out, f"on {cores} cores ({at_once} runs at a time): {hours(wall * 3600)}"]


def _measured(rows: list[PlanRow], age: float) -> str:
    """What the hours rest on, and how old it is."""
    kinds = Counter(row.basis for row in {(r.dataset, r.method): r for r in rows}.values())
    counts = "; ".join(f"{kind}: {count}" for kind, count in kinds.most_common())
    return f"measured (the oldest {hours(age)} ago; networks by {counts})"


def _disk(plan: Plan) -> list[str]:
    total = sum(plan.disk_bytes.values())
    kinds = ", ".join(f"{kind} {size(count)}" for kind, count in plan.disk_bytes.items() if count)
    return [f"disk: {size(total)} ({kinds})"]


def _need(need: Need) -> list[str]:
    if need.problem:
        return [f"MISSING {need.dataset}: {need.problem}"]
    if need.source == "phantom":
        return [f"{need.dataset}: made here, no download"]
    if need.here:
        return [f"{need.dataset}: on this machine"]
    about = "" if need.exact else "about "
    out = [f"{need.dataset}: {about}{size(need.download_bytes)} to download from {need.page}"]
    if need.credentials != "none":
        found = "found" if need.credentials_found else f"NOT FOUND: {need.credentials_how}"
        out.append(f"  credentials ({need.credentials}): {found}")
    return [*out, f"  terms: {need.terms}"]
