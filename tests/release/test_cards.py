"""The cards are those of the registered data sets and methods, and say what they must."""

from __future__ import annotations

from pathlib import Path

from mednext.config import load_datasets, load_downloads, load_methods
from mednext.release.cards import data_cards, model_cards

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_cards_are_up_to_date() -> None:
    for name, text in (("data_cards.md", data_cards()), ("model_cards.md", model_cards())):
        assert (ROOT / "docs" / name).read_text() == text, f"run `make cards`: {name}"


def test_each_data_set_with_licence_and_terms() -> None:
    for section in data_cards().split("\n## ")[1:-1]:
        slug = section[section.index("`") + 1 :].split("`")[0]
        spec = load_datasets()[slug]
        assert spec.licence in section and spec.url in section
        assert load_downloads()[slug].terms.split(";")[0] in section
        assert "Not for | diagnosis" in section
    assert "1252 COVID-19 images" in data_cards()


def test_each_method_is_not_for_clinical_use() -> None:
    sections = model_cards().split("\n## ")[1:]
    assert [s.split("`")[1] for s in sections] == list(load_methods())
    assert all("not for clinical use" in section for section in sections)
