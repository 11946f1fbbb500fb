"""``benchmarks/tables.yaml`` and the printed numbers."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

import pandas as pd
from pydantic import model_validator

from mednext.config import Strict, benchmarks_dir, parse, read_yaml
from mednext.config.names import class_names, display_name
from mednext.files import read_csv
from mednext.results import Metric


class Column(Strict):
    """One column of a table: a text, a cost, a count of data, or a metric."""

    name: str
    header: str
    text: bool = False
    cost: Literal["params", "gmacs"] | None = None
    count: Literal["train", "val", "test", "total"] | None = None
    metric: Metric | None = None
    beside: Metric | None = None
    """The same in another unit, for a note."""
    target: str | None = None
    scale: float = 1.0
    digits: int = 2
    better: Literal["higher", "lower"] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Column:
        if self.text + sum(k is not None for k in (self.cost, self.count, self.metric)) != 1:
            raise ValueError("a column is a text, a cost, a count or a metric")
        return self

    @property
    def arrow(self) -> str:
        """The header with the direction that is better."""
        mark = {"higher": " ↑", "lower": " ↓", None: ""}[self.better]
        return self.header + mark


class TableSpec(Strict):
    """One table of the paper."""

    title: str
    dataset: str | None = None
    """None: every row names its own (Table 1)."""
    reported: str
    row_header: str = "Method"
    keys: tuple[str, ...] = ("method", "slug")
    """The reported columns that say what a row is."""
    remarks: tuple[str, ...] = ()
    """What stands above the table, about its columns."""
    slug_prefix: str = ""
    """Before the slug of a row, to make the name of its method (ablations)."""
    columns: tuple[Column, ...]


@cache
def load_tables() -> dict[str, TableSpec]:
    """``benchmarks/tables.yaml`` by table number."""
    path = benchmarks_dir() / "tables.yaml"
    return {number: parse(TableSpec, value, path) for number, value in read_yaml(path).items()}


def reported(spec: TableSpec) -> pd.DataFrame:
    """The printed cells as texts, an unreported one empty."""
    path = benchmarks_dir() / "reported" / spec.reported
    return read_csv(path)


def row_name(number: str, slug: str) -> str:
    """Name of a row of a table for readers; an unknown one by itself.

    >>> row_name("7", "sa_ffn"), row_name("2", "resnet18"), row_name("1", "acdc/")
    ('MedNeXt (SA+FFN)', 'ResNet18', 'ACDC')
    """
    dataset, slash, klass = slug.partition("/")
    if slash:
        return ": ".join(filter(None, (display_name(dataset), *class_names(dataset, [klass]))))
    prefix = load_tables()[number].slug_prefix if number in load_tables() else ""
    found = display_name(prefix + slug)
    return display_name(slug) if found == prefix + slug else found


def column_name(number: str, column: str) -> str:
    """Heading of a column of a table; an unknown one by itself.

    >>> column_name("5", "kidney_l")
    'Kidney (L) (%)'
    """
    columns = load_tables()[number].columns if number in load_tables() else ()
    return next((c.header for c in columns if c.name == column), column)


@cache
def _columns() -> dict[str, str]:
    """Name of a column that is no word -> its heading."""
    columns = [c for spec in load_tables().values() for c in spec.columns if "_" in c.name]
    return {c.name: c.header for c in columns}


def with_headings(text: str) -> str:
    """``text`` with headings for the names of columns in it.

    >>> with_headings("best accuracy_pct on SARS-COV2")
    'best Accuracy (%) on SARS-COV2'
    """
    return re.sub(r"\b[a-z0-9]+(_[a-z0-9]+)+\b", lambda m: _columns().get(m[0], m[0]), text)
