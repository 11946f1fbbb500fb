"""What every data set's file offers, so that verifying, preparing and splitting know no data set.

A reader is a module with the functions of :class:`Reader`. It knows the folders, names and tables
of its data set; decoding is shared (:mod:`~mednext.datasets.images`,
:mod:`~mednext.datasets.volumes`).
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from mednext.config import DatasetSpec
from mednext.datasets.manifest import Entry, read_checked


@dataclass(frozen=True)
class Item:
    """One image or one volume: what is known of it before it is decoded."""

    path: str
    """Its (first) file, below the source's folder."""
    name: str
    """Its name in splits and results; unique within the data set."""
    label: str = ""
    """Slug of its class; empty for a volume."""
    patient: str = ""
    """Patient, or whatever must stay in one subset; empty if it is not known."""
    frame: str = ""
    """ACDC: ED or ES."""
    photograph: str = ""
    """MSLD: the photograph that it is, or was made from."""
    part: str = ""
    """MSLD: ``original`` or ``augmented``."""
    subset: str = ""
    """The subset in which the delivery itself puts it, if it does."""
    order: int = -1
    """Place in the numbering of its class where neighbours may show one scan; -1: none."""
    more: tuple[str, ...] = ()
    """Further files of the item: the label, or the other slices."""


@dataclass(frozen=True)
class Picture:
    """A decoded image, brought to the colour mode of its data set, and what the file was."""

    image: Image.Image
    mode: str
    format: str
    notes: tuple[str, ...] = ()
    """What was done on decoding that a user may want to know; counted by the verification."""


@dataclass(frozen=True)
class Volume:
    """One labelled volume: image (D, H, W) float32, label (D, H, W) uint8, spacing (z, y, x) mm."""

    image: np.ndarray
    label: np.ndarray
    spacing: tuple[float, float, float] | None
    notes: tuple[str, ...] = ()
    """As of a picture."""


class Files:
    """The files of a source, read through its manifest: none is used unless its digest agrees."""

    def __init__(self, root: Path, entries: Iterable[Entry]) -> None:
        self.root = root
        self._entries = {entry.path: entry for entry in entries}

    @property
    def paths(self) -> list[str]:
        """All paths, in the order of the manifest."""
        return list(self._entries)

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def read(self, path: str) -> io.BytesIO:
        """The bytes of one file; a :class:`UserError` if it is gone or has changed."""
        return read_checked(self.root, self._entries[path])

    def entry(self, path: str) -> Entry:
        """Size and digest of one file."""
        return self._entries[path]

    def file(self, path: str) -> Path:
        """Where it lies, for messages."""
        return self.root / path


class Reader(Protocol):
    """The functions of a data set's module."""

    def list_files(self, root: Path, spec: DatasetSpec) -> list[str]:
        """Paths below ``root`` of everything that is read, by name only and in a fixed order.

        Raises:
            UserError: no known layout is there, or a part of it is missing.
        """

    def items(self, files: Files, spec: DatasetSpec) -> list[Item]:
        """The images or volumes, with classes and patients; names and tables are checked here.

        Raises:
            UserError: a name, a table or the set of files does not fit.
        """

    def read(self, item: Item, files: Files, spec: DatasetSpec) -> Picture | Volume:
        """Decode one item and check it.

        Raises:
            UserError: it is damaged, or its content does not fit.
        """

    def stand_in(self, paths: list[str]) -> str | None:
        """Why these files are not the data set itself but something used in its place, or None."""
