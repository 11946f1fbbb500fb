"""Baselines beside what their own papers report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mednext.audit.paper import Paper
from mednext.audit.published import published_rows
from mednext.errors import UserError

from .conftest import REPORTED


def test_swin_unet_is_printed_below_its_own_paper_and_the_others_equal() -> None:
    """79.13 and 21.55 there, 77.45 and 27.65 here; on ACDC 90.00 and 88.09."""
    found = {(r.table, r.slug, r.column): r.difference for r in published_rows(Paper(REPORTED))}
    off = {cell: d for cell, d in found.items() if float(d)}
    assert off == {
        (5, "swin_unet", "dsc_pct"): "-1.68",
        (5, "swin_unet", "hd95_mm"): "6.10",
        (6, "swin_unet", "dsc_pct"): "-1.91",
    }
    assert {slug for _, slug, _ in found} == {"swin_unet", "transunet", "mt_unet"}


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("5,vnet,hd95_mm,1.0,a paper", "two numbers"),  # the cell is empty
        ("5,swin,dsc_pct,1.0,a paper", "no cell"),
        ("5,vnet,dsc_pct,many,a paper", "not a number"),
    ],
)
def test_what_cannot_be_compared_is_refused(line: str, word: str, tmp_path: Path) -> None:
    shutil.copytree(REPORTED, tmp_path / "paper")
    (tmp_path / "paper/published.csv").write_text(f"table,slug,column,published,source\n{line}\n")
    with pytest.raises(UserError, match=word):
        list(published_rows(Paper(tmp_path / "paper")))
