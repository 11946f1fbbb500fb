"""What all rows of result files have in common."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
Status = Literal["ok", "failed", "skipped", "pending"]


class Row(BaseModel):
    """One row of a result file. An empty cell is None."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    retired: ClassVar[dict[str, str]] = {}
    """Names of columns in version 0.1, which are read until 0.3 -> their names now."""
    later: ClassVar[frozenset[str]] = frozenset()
    """Columns that older files lack: empty there."""

    @classmethod
    def fields_of(cls, *sources: object) -> dict[str, Any]:
        """The columns that one of ``sources`` has under the same name; the first one's counts."""
        return {
            name: getattr(source, name)
            for source in reversed(sources)
            for name in cls.model_fields
            if hasattr(source, name)
        }


class Outcome(Row):
    """A row that may stand for something that did not come about."""

    status: Status
    reason: str | None = None

    @model_validator(mode="after")
    def _reason_given(self) -> Outcome:
        if self.status != "ok" and not self.reason:
            raise ValueError(f"status '{self.status}' needs a reason")
        return self


def grouped(rows: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """The rows of each key, in their order; the keys in the order of their first rows.

    >>> grouped(["ab", "c", "de"], len)
    {2: ['ab', 'de'], 1: ['c']}
    """
    found: dict[K, list[T]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
