"""Read one YAML file as a pydantic model; every problem becomes one clear message."""

from __future__ import annotations

import difflib
from collections import Counter
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from mednext.errors import UserError


class Strict(BaseModel):
    """Unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


MOST_BYTES = 1_000_000
MOST_VALUES = 100_000
M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


class _Loader(yaml.SafeLoader):
    """YAML 1.1, but numbers that YAML would change (007 is 7, 1:30 is 90) must be quoted, and a key
    stands once.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := [key for key, count in Counter(keys).items() if count > 1 and key != "<<"]:
            what = f"the key '{twice[0]}' stands twice"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found

    def construct_plain_int(self, node: yaml.ScalarNode) -> int:
        text = node.value.lstrip("+-")
        if ":" in text or (text.startswith("0") and text[1:].isdecimal()):
            what = f"{node.value} would be read as another number: put it in quotes"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark)
        return int(self.construct_yaml_int(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_plain_int)


def read_yaml(path: Path) -> Any:
    """Parse one YAML file.

    Raises:
        UserError: there is no such file, it is not YAML in UTF-8, or it is larger than any
            configuration, written out (aliases may repeat one part of it a billion times).
    """
    if not path.is_file():
        raise UserError(
            "not a file" if path.exists() else "the file does not exist",
            file=path,
            expected="a YAML file",
            remedy="check the path; the files of config/ lie in a checkout of the project",
        )
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise _too_large(path, f"{size:,} bytes")
        value = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (a safe one)
        _count(value, path)
    except UnicodeDecodeError as error:
        raise UserError(
            "the file is not text in UTF-8",
            file=path,
            found=str(error),
            expected="UTF-8, with or without a byte order mark",
            remedy="save it again as UTF-8",
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        found = "too many levels" if isinstance(error, RecursionError) else str(error)
        raise UserError(
            "not valid YAML", file=path, found=found, remedy="correct the line that is named"
        ) from None
    return value


def _count(value: Any, path: Path) -> None:
    """Count the values as if every alias were written out.

    Raises:
        UserError: there are too many, or an alias stands inside what it repeats.
    """
    waiting, count = [value], 0
    while waiting:
        one = waiting.pop()
        count += 1
        if count > MOST_VALUES:
            raise _too_large(path, f"over {MOST_VALUES:,} values with all aliases")
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one


def _too_large(path: Path, found: str) -> UserError:
    return UserError(
        "the file is larger than any configuration",
        file=path,
        found=found,
        expected=f"at most {MOST_BYTES:,} bytes and {MOST_VALUES:,} values",
        remedy="check that it is the right file",
    )


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
