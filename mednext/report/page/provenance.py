"""Where each number comes from: one entry per run, and one per environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mednext.layout import RunPaths
from mednext.results import MetricRow, RunRecord, read_run

HASHES = ("config_hash", "data_hash", "split_hash", "code_hash", "env_hash")


def provenance(metrics: Sequence[MetricRow]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Runs (axes, digests, state; epochs, time, commit and device where ``run.json`` is there) and
    environments (machine and versions behind each ``env_hash``)."""
    runs: dict[tuple[str, str, str, int], dict[str, Any]] = {}
    environments: dict[str, dict[str, Any]] = {}
    for row in metrics:
        axes = (row.dataset, row.protocol, row.method, row.seed)
        if axes in runs:
            continue
        file = RunPaths(row.profile, *axes).run_json
        record = read_run(file) if file.is_file() else None
        runs[axes] = {
            "dataset": row.dataset,
            "protocol": row.protocol,
            "method": row.method,
            "seed": row.seed,
            "status": row.status if record is None else record.status,
            "reason": (row.reason if record is None else record.reason) or "",
            "source_id": row.source_id,
            **{name: getattr(row, name) or "" for name in HASHES},
            **_details(record),
        }
        if row.env_hash not in environments:
            environments[row.env_hash] = _environment(row.env_hash, record)
    return list(runs.values()), list(environments.values())


def _details(record: RunRecord | None) -> dict[str, Any]:
    if record is None:
        return dict.fromkeys(("epochs", "wall", "commit", "device"), "")
    commit = (record.git_commit or "")[:10]
    return {
        "epochs": str(record.epochs_done),
        "wall": f"{record.wall_seconds:.0f}",
        "commit": commit + (" + changes" if commit and record.git_dirty else ""),
        "device": f"{record.device}, {record.threads} threads",
    }


def _environment(digest: str, record: RunRecord | None) -> dict[str, Any]:
    if record is None:
        return {"env_hash": digest, "facts": {}}
    facts = {str(k): str(v) for k, v in {**record.machine, **record.versions}.items()}
    return {"env_hash": digest, "facts": facts}
