"""Progress for people: a bar on a terminal, one plain line per epoch in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def bar(batches: Iterable[T], total: int, title: str) -> Iterator[T]:
    """The batches, with a bar where stderr is a terminal."""
    quiet = not sys.stderr.isatty()
    yield from tqdm(batches, total=total, desc=title, disable=quiet, leave=False, unit="batch")


def epoch_line(
    title: str, row: dict[str, float], epochs: int, images_per_s: float, seconds: float
) -> None:
    """Print loss, validation score, training speed and the time left if epochs take ``seconds``."""
    done = int(row["epoch"])
    left = timedelta(seconds=round(seconds * (epochs - done)))
    score = "" if row["val_score"] != row["val_score"] else f" val {row['val_score']:.4f}"
    print(
        f"{title} epoch {done}/{epochs} loss {row['train_loss']:.4f}{score}"
        f" {images_per_s:.1f} images/s, {left} left",
        flush=True,
    )
