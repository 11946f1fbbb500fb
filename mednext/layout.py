"""Where every file lives: the only place that spells out a path below ``data/`` or ``results/``.

The workflow's rules and the library's code both ask here, so the two cannot drift apart.
``MEDNEXT_DATA`` (default ``data``), ``MEDNEXT_LOCAL`` (default ``data/incoming``) and
``MEDNEXT_RESULTS`` (default ``results``) move the roots; none enters any hash.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from mednext.errors import UserError

_RESULTS: ContextVar[Path | None] = ContextVar("results", default=None)


def data_root() -> Path:
    """Root of fetched and prepared data."""
    return _root("MEDNEXT_DATA", "data")


def local_root() -> Path:
    """Folder in which the user's own copies of the data sets lie."""
    return Path(os.environ.get("MEDNEXT_LOCAL") or "data/incoming")


def _root(variable: str, default: str) -> Path:
    """What an environment variable names; an empty one is as good as none.

    Raises:
        UserError: it holds braces, which in the names of files are Snakemake's wildcards.
    """
    text = os.environ.get(variable) or default
    if "{" in text or "}" in text:
        raise UserError(
            f"{variable} names a folder with braces",
            found=text,
            expected="a path without { and }, which Snakemake takes for wildcards",
            remedy="rename the folder, or set another one",
        )
    return Path(text)


@dataclass(frozen=True)
class DataPaths:
    """Files of one data set from one source: ``data/<source_id>/<dataset>/``."""

    source_id: str
    dataset: str

    @property
    def root(self) -> Path:
        """The data set's folder."""
        return data_root() / self.source_id / self.dataset

    @property
    def raw(self) -> Path:
        """What the source delivers, and its manifest."""
        return self.root / "raw"

    @property
    def manifest(self) -> Path:
        """``path,bytes,sha256`` of every file of the source."""
        return self.raw / "manifest.csv"

    @property
    def facts(self) -> Path:
        """What the verification found (counts, sizes, labels); exists only if it passed."""
        return self.raw / "verified.json"

    @property
    def items(self) -> Path:
        """What the verification found of each image or volume."""
        return self.raw / "items.csv"

    def prepared(self, key: str) -> Path:
        """Arrays decoded for one image size."""
        return self.root / "prepared" / key

    def prepared_meta(self, key: str) -> Path:
        """Written last: its presence says that the folder is complete."""
        return self.prepared(key) / "meta.json"

    def split(self, protocol: str) -> Path:
        """Which item is in which subset."""
        return self.root / "splits" / f"{protocol}.csv"

    def split_facts(self, protocol: str) -> Path:
        """The hash of a split, the command that made it, and what it depends on."""
        return self.root / "splits" / f"{protocol}.json"


@dataclass(frozen=True)
class RunPaths:
    """Files of one run: ``results/<profile>/runs/<dataset>/<protocol>/<method>/seed<k>``."""

    profile: str
    dataset: str
    protocol: str
    method: str
    seed: int

    @property
    def root(self) -> Path:
        """The run's folder."""
        folder = results_root(self.profile) / "runs" / self.dataset / self.protocol
        return folder / self.method / f"seed{self.seed}"

    @property
    def run_json(self) -> Path:
        """Everything to repeat the run; written last."""
        return self.root / "run.json"

    @property
    def history(self) -> Path:
        """One row per epoch."""
        return self.root / "history.csv"

    def weights(self, selection: str) -> Path:
        """Weights of the last or the best validation epoch."""
        return self.root / f"weights.{selection}.safetensors"

    def predictions(self, selection: str) -> Path:
        """Scores or label maps of the test set."""
        return self.root / f"predictions.{selection}.npz"

    def cases(self, selection: str) -> Path:
        """Scores or counts, one row per test case."""
        return self.root / f"cases.{selection}.csv"

    def conditions(self, weights: str) -> Path:
        """Folder of scores or counts per case under other conditions, of weights with this digest:
        ``<kind>.<detail>.csv``. No rule declares it.
        """
        return self.root / "conditions" / weights[:12]

    @property
    def condition_scores(self) -> Path:
        """Score of each case under other conditions: what an export holds of the folder above."""
        return self.root / "condition_scores.csv"

    @property
    def imported(self) -> Path:
        """Says that the run was imported from another folder of results."""
        return self.root / "imported"

    @property
    def counts_only(self) -> bool:
        """A run imported without its weights: counted, but nothing can be predicted again."""
        return self.imported.is_file() and not any(self.root.glob("weights.*.safetensors"))

    @property
    def work(self) -> Path:
        """Checkpoints; no rule declares it, so Snakemake never deletes it."""
        folder = results_root(self.profile) / "work" / self.dataset / self.protocol
        return folder / self.method / f"seed{self.seed}"


def results_root(profile: str) -> Path:
    """``results/<profile>``."""
    return (_RESULTS.get() or _root("MEDNEXT_RESULTS", "results")) / profile


def move_results(root: str) -> None:
    """From here on, in this process and in those that it starts, ``results/`` is ``root``."""
    os.environ["MEDNEXT_RESULTS"] = root


@contextmanager
def results_under(root: Path) -> Iterator[None]:
    """Within the block ``results/`` is the folder ``root``."""
    token = _RESULTS.set(root)
    try:
        yield
    finally:
        _RESULTS.reset(token)


CODE = "code.csv"
"""In a reference: which of its runs were carried over from older code."""


def reference_root(profile: str) -> Path:
    """``results/reference/<profile>``: what is committed of a profile's results, wherever they are
    made."""
    return Path("results/reference", profile)


def cases_npz(profile: str, figure: str) -> Path:
    """Small arrays (images, heatmaps, masks) that one figure draws."""
    return results_root(profile) / "cases" / f"{figure}.npz"


def browse_npz(profile: str, dataset: str, protocol: str) -> Path:
    """Every test case of one data set and protocol with predictions and small pictures."""
    return cases_npz(profile, f"browse.{dataset}.{protocol}")


def audit_cells() -> Path:
    """What the audit found about each printed cell; the same for every profile."""
    return results_root("audit") / "cells.csv"


def architecture_json(profile: str) -> Path:
    """The graphs of Figs. 1-5."""
    return results_root(profile) / "architecture.json"
