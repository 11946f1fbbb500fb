"""Baselines beside what the papers cited for them report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mednext.audit.paper import Paper
from mednext.audit.published import published_rows
from mednext.errors import UserError

from .conftest import REPORTED


def test_rows_that_are_printed_at_another_value_than_in_the_cited_paper() -> None:
    """Swin-Unet: 79.13 and 21.55 there, 77.45 and 27.65 here; the printed ACDC rows that cite
    TransUNet's paper for R50 U-Net, R50 AttnUNet and ViT-CUP are higher than in it."""
    found = {(r.table, r.slug, r.column): r.difference for r in published_rows(Paper(REPORTED))}
    off = {cell: d for cell, d in found.items() if float(d)}
    assert off == {
        (5, "swin_unet", "dsc_pct"): "-1.68",
        (5, "swin_unet", "hd95_mm"): "6.10",
        (6, "swin_unet", "dsc_pct"): "-1.91",
        (6, "r50_unet", "dsc_pct"): "0.41",
        (6, "r50_attn_unet", "dsc_pct"): "0.74",
        (6, "vit_cup", "dsc_pct"): "2.69",
    }
    assert {slug for _, slug, _ in found} - {slug for _, slug, _ in off} == {"transunet", "mt_unet"}


def test_every_difference_was_looked_up() -> None:
    """What is unverified equals the printed cell, so that no conclusion rests on it."""
    rows = list(published_rows(Paper(REPORTED)))
    unverified = [row for row in rows if row.checked_at is None]
    assert [(row.slug, row.column) for row in unverified] == [("mt_unet", "hd95_mm")]
    assert {float(row.difference) for row in unverified} == {0}


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("5,vnet,hd95_mm,1.0,a paper,", "two numbers"),  # the cell is empty
        ("5,swin,dsc_pct,1.0,a paper,", "no cell"),
        ("5,vnet,dsc_pct,many,a paper,", "not a number"),
        ("5,vnet,dsc_pct,1.0,a paper,from memory", "https://"),
    ],
)
def test_what_cannot_be_compared_is_refused(line: str, word: str, tmp_path: Path) -> None:
    shutil.copytree(REPORTED, tmp_path / "paper")
    head = "table,slug,column,published,source,checked_at"
    (tmp_path / "paper/published.csv").write_text(f"{head}\n{line}\n")
    with pytest.raises(UserError, match=word):
        list(published_rows(Paper(tmp_path / "paper")))
