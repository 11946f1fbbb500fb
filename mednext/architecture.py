"""``architecture.json``: the networks of the paper's Figs. 1-5 as graphs, read off the modules."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mednext.errors import UserError
from mednext.files import write_json


class Part(BaseModel):
    """Base of everything in the file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Node(Part):
    """One module or operation of a forward pass."""

    id: int
    op: str
    """Class of the module, or name of the operation (``mul``, ``softmax``, ...)."""
    name: str
    """Path of the module below the traced one; empty for an operation."""
    shape: tuple[int, ...]
    """Of the output, without the batch."""
    params: int
    inputs: tuple[int, ...]
    """Ids of the nodes it reads."""
    kernel: tuple[int, int] | None = None
    stride: int | None = None
    groups: int | None = None
    detail: str = ""
    """What a softmax or mean runs over, which part of a split this is."""
    then: tuple[str, ...] = ()
    """Classes of normalisation and activation right behind it, which are drawn with it."""
    repeat: int = 1
    """How many equal blocks in a row this node stands for; ``params`` is that of all of them."""


class Panel(Part):
    """One panel of a figure."""

    figure: int
    letter: str
    """Empty where the figure has one panel."""
    title: str
    method: str
    """The network that it was read from, with its options."""
    module: str
    """Path of the traced module in it; empty for the network itself."""
    params: int
    nodes: tuple[Node, ...]


class Architecture(Part):
    """The whole file."""

    img_size: int
    in_chans: int
    panels: tuple[Panel, ...]

    def of(self, figure: int) -> list[Panel]:
        """The panels of one figure, by letter."""
        return sorted((p for p in self.panels if p.figure == figure), key=lambda p: p.letter)


def write_architecture(path: Path, architecture: Architecture) -> None:
    """Write the file, atomically."""
    write_json(path, architecture.model_dump(mode="json"))


def read_architecture(path: Path) -> Architecture:
    """Read the file.

    Raises:
        UserError: missing, not JSON, or not of the schema.
    """
    try:
        return Architecture.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(
            "the description of the networks is missing",
            file=path,
            remedy="run 'mednext models architecture' or the workflow first",
        ) from None
    except json.JSONDecodeError as error:
        raise UserError("not valid JSON", file=path, found=str(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"bad value at '{where}'", file=path, expected=first["msg"]) from None
