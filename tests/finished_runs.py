"""Runs whose records and counts per case were made up, for what is computed from them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mednext.config import RunConfig, load_recipes
from mednext.layout import RunPaths
from mednext.results import RunRecord, write_run

HISTORY = "epoch,lr,train_loss,val_loss,val_score\n1,0.1,0.7,0.6,0.7\n2,0.1,0.5,,\n"


def run_of(task: str, **changes: Any) -> RunConfig:
    image = task == "classification"
    values: dict[str, Any] = {
        "profile": "tiny",
        "source": "phantom",
        "source_id": "phantom-00000000",
        "task": task,
        "dataset": "sars_cov2_ct" if image else "acdc",
        "protocol": "paper",
        "method": "mednext" if image else "medunext",
        "method_kwargs": {},
        "constructor": "mednext.models.mednext:mednext",
        "seed": 0,
        "img_size": 32,
        "channels": 1,
        "classes": ("normal", "covid19") if image else ("background", "rv", "myo", "lv"),
        "epochs": 1,
        "batch_size": 4,
        "limit": None,
        "recipe": load_recipes()[task].values(),
        "threads": 1,
        "device": "cpu",
        "deterministic": True,
        "selections": ("last",),
    }
    return RunConfig(**{**values, **changes})


def paths(run: RunConfig) -> RunPaths:
    return RunPaths(run.profile, run.dataset, run.protocol, run.method, run.seed)


def trained(run: RunConfig, cases: pd.DataFrame | None = None, **changes: Any) -> RunConfig:
    values: dict[str, Any] = {
        "status": "ok",
        "config": run.model_dump(mode="json"),
        "config_hash": run.config_hash,
        **dict.fromkeys(("data_hash", "split_hash", "code_hash", "env_hash"), "0" * 16),
        "git_commit": None,
        "git_dirty": None,
        "device": "cpu",
        "machine": {},
        "versions": {},
        "threads": 1,
        "epochs_done": 1,
        "best_epochs": {},
        "micro_batch": 4,
        "memory_halvings": 0,
        **dict.fromkeys(("n_train", "n_val", "n_test"), 1),
        "wall_seconds": 1.0,
        "epoch_seconds": [1.0],
        "weights": {"last": "0" * 64},
    }
    write_run(paths(run).run_json, RunRecord(**{**values, **changes}))
    if cases is not None:
        cases.to_csv(paths(run).cases("last"), index=False)
        paths(run).history.write_text(HISTORY)
    return run


def images() -> pd.DataFrame:
    """10 images of 5 groups: of 6 diseased 5 are found, of 4 normal ones 3."""
    label = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0]
    score = [0.9, 0.9, 0.8, 0.7, 0.6, 0.2, 0.1, 0.3, 0.4, 0.75]
    return pd.DataFrame(
        {
            "row": range(10),
            "path": [f"{i}.png" for i in range(10)],
            "group": [i // 2 for i in range(10)],
            "side": "test",
            "label": label,
            "score_0": [1 - s for s in score],
            "score_1": score,
            "prediction": [int(s > 0.5) for s in score],
        }
    )
