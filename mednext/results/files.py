"""Reading and writing result files, checked against their schemas."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pydantic import ValidationError

from mednext.errors import UserError
from mednext.files import read_csv, write_csv, write_json
from mednext.results.base import Row
from mednext.results.runs import RunRecord

R = TypeVar("R", bound=Row)


def write_rows(path: Path, model: type[R], rows: Sequence[R]) -> None:
    """Write ``rows`` as CSV with exactly the columns of ``model``, atomically."""
    columns = list(model.model_fields)
    records = [row.model_dump(mode="json") for row in rows]
    # As objects, so that whole numbers with gaps stay whole: pandas would turn them into floats.
    frame = pd.DataFrame(records, columns=columns, dtype=object)
    write_csv(path, frame)


def read_rows(path: Path, model: type[R]) -> list[R]:
    """Read a CSV written by :func:`write_rows`.

    Raises:
        UserError: the file is missing, or a row does not fit the schema.
    """
    if not path.is_file():
        raise UserError(
            "a result file is missing", file=path, remedy="run the workflow that makes it first"
        )
    frame = read_csv(path)
    old = [name for name in frame.columns if name in model.retired]
    if old:
        new = ", ".join(model.retired[name] for name in old)
        print(f"note: columns of {path} have new names: {new}", file=sys.stderr)
    frame = frame.rename(columns=model.retired)
    unknown = (set(frame.columns) ^ set(model.model_fields)) - (model.later - set(frame.columns))
    if unknown:
        raise UserError(
            "a result file has the wrong columns",
            file=path,
            found=", ".join(sorted(unknown)) + " (missing or unknown)",
            expected=", ".join(model.model_fields),
        )
    records = ({k: (v if v != "" else None) for k, v in r.items()} for r in _records(frame))
    return [_validate(model, record, path, n) for n, record in enumerate(records, start=2)]


def _records(frame: pd.DataFrame) -> Iterable[dict[str, str]]:
    yield from frame.to_dict(orient="records")


def _validate(model: type[R], record: dict[str, Any], path: Path, line: int) -> R:
    try:
        return model.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"line {line}, column '{'.'.join(map(str, first['loc'])) or 'row'}' is not valid",
            file=path,
            found=repr(first["input"])[:200],
            expected=first["msg"],
        ) from None


def write_run(path: Path, record: RunRecord) -> None:
    """Write ``run.json``, atomically."""
    write_json(path, record.model_dump(mode="json"))


def read_run(path: Path) -> RunRecord:
    """Read ``run.json``.

    Raises:
        UserError: missing, not JSON, or not of the schema.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("this run has not been made", file=path, remedy="train it first") from None
    except json.JSONDecodeError as error:
        raise UserError("not valid JSON", file=path, found=str(error)) from None
    return _validate(RunRecord, value, path, 1)
