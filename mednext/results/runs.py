"""The record of a training run, and the rows of a plan of many."""

from __future__ import annotations

from typing import Any, Literal

from mednext.results.base import Outcome, Row

HISTORY = {"epoch": "int64", "lr": "float64", "*_loss": "float64", "*_score": "float64"}
"""Types of the columns of ``history.csv``."""


class RunRecord(Outcome):
    """``run.json``: everything that is needed to repeat one training run."""

    config: dict[str, Any]
    config_hash: str
    data_hash: str
    split_hash: str
    code_hash: str
    env_hash: str
    git_commit: str | None
    git_dirty: bool | None
    device: str
    machine: dict[str, Any]
    versions: dict[str, str]
    threads: int
    epochs_done: int
    best_epochs: dict[str, int]
    """Selection -> the epoch (from 1) whose weights it holds; ``last`` is not listed."""
    micro_batch: int
    """Images per forward pass; gradients were summed up to the batch size."""
    memory_halvings: int
    """How often the micro-batch was halved because the device was out of memory."""
    n_train: int
    n_val: int
    n_test: int
    wall_seconds: float
    """Training time summed over all continued parts."""
    epoch_seconds: list[float]
    """Of each epoch, its validation included."""
    weights: dict[str, str]
    """Selection -> SHA-256 of its weights file."""
    first_losses: tuple[float, ...] = ()
    """Of the first 20 steps, at full precision; empty in records of older versions."""
    trained_as: str | None = None
    """The protocol whose training this is, where another one has the same split; None: its own."""


class CodeRow(Row):
    """``code.csv``: a run trained by older code, and on whose word it counts as of the new.

    Digests of weights and counts per case are those of the cell trained by both; of a run that was
    not trained again the new ones are empty. Where the files of the weights are there, their values
    alone are digested: a layer that got another name changes nothing.
    """

    run: str
    """``<dataset>/<protocol>/<method>/seed<k>``"""
    old_commit: str | None
    new_commit: str
    code_hash_old: str
    code_hash_new: str
    weights_old: str
    weights_new: str | None
    cases_old: str
    cases_new: str | None
    cpu: str
    status: str
    """``rerun``, ``verified by N re-run cells``, or that the network has changed since"""


class PlanRow(Row):
    """One row of a plan: one method on one split, all seeds."""

    dataset: str
    protocol: str
    method: str
    runs: int
    trained: int
    """Of the runs those that train; the others reuse what a protocol with the same split
    trained."""
    params: int
    gmacs: float
    """Of one image at the profile's size."""
    n_train: int
    n_val: int
    n_test: int
    counts: Literal["prepared", "typical"]
    """Were images counted in the split, or taken from Table 1 and typical sizes?"""
    epochs: int
    train_seconds: float
    """Of one run, its validation included."""
    predict_seconds: float
    """Of the test set, all selections."""
    basis: str
    """How the seconds were found."""
