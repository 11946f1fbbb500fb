"""Read one YAML file as a pydantic model; every problem becomes one clear message."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from mednext.errors import UserError


class Strict(BaseModel):
    """Unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


def read_yaml(path: Path) -> Any:
    """Parse one YAML file; a missing or malformed one is a :class:`UserError`."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("the file does not exist", file=path, remedy="check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError("not valid YAML", file=path, found=str(error)) from None


def parse(model: type[M], value: Any, path: Path) -> M:
    """Validate ``value`` as ``model``; the first problem becomes one clear message."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "(top level)"
        remedy = None
        if first["type"] == "extra_forbidden":
            known = _keys_at(model, first["loc"][:-1])
            close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            remedy = f"{hint}known keys here: {', '.join(known)}"
            what = f"unknown key '{where}'"
        else:
            what = f"bad value at '{where}'"
        raise UserError(
            what, file=path, found=repr(first["input"])[:200], expected=first["msg"], remedy=remedy
        ) from None


def _keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The field names of the (sub)model that ``loc`` points into."""
    current: Any = model
    for part in loc:
        fields = getattr(current, "model_fields", {})
        annotation = fields[part].annotation if part in fields else current
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        models = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        current = models[0] if models else current
    return sorted(getattr(current, "model_fields", {}))


def lookup(kind: str, slug: str, known: dict[str, T], path: str | Path | None = None) -> T:
    """``known[slug]``, or a :class:`UserError` that lists what exists and the nearest match."""
    if slug in known:
        return known[slug]
    close = difflib.get_close_matches(slug, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else "use one of the known names"
    raise UserError(
        f"unknown {kind}", file=path, found=slug, expected=", ".join(sorted(known)), remedy=hint
    )
