"""What stands first: five answers, and what the numbers are about."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page

from mednext.audit.run import audit
from mednext.audit.write import write_audit
from mednext.config import benchmarks_dir, load_profile
from mednext.report.page import write_page

from .reading import Open

ROOT = Path(__file__).resolve().parents[2]
LINKS = ("#audit-cells", "#audit-confusion", "#audit-leads", "#data", "#tables")


def test_the_banner_stands_above_phantoms_only(opened: Open) -> None:
    assert opened("phantom").page.get_by_role("note").inner_text().startswith("PHANTOM")
    assert "PHANTOM" not in opened("local").page.locator("body").inner_text()


def test_five_answers_stand_on_the_first_screen(opened: Open) -> None:
    for source in ("phantom", "local"):
        cards = opened(source).page.locator(".answers li")
        assert cards.count() == 5
        page = opened(source).page  # as it opens: not scrolled
        page.evaluate("scrollTo(0, 0)")
        bottoms = [c.bounding_box() for c in page.locator(".answers li").all()]
        assert all(box and box["y"] + box["height"] <= 900 for box in bottoms), bottoms


@pytest.fixture(scope="session")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``results`` with the committed results of the real data, the audit and their page."""
    results = tmp_path_factory.mktemp("reduced") / "results"
    shutil.copytree(ROOT / "results/reference/reduced", results / "reduced")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(results.parent)
        write_audit(audit(benchmarks_dir() / "reported"), results / "audit")
        profile = load_profile(ROOT / "config/reduced.yaml")
        write_page(profile, results / "reduced/page", partial=True)
    return results


def demo() -> Path:
    if not (ROOT / "results/demo/page/index.html").is_file():
        pytest.skip("the demo has not been run")
    return ROOT / "results"


@pytest.mark.parametrize("name", ["demo", pytest.param("reduced", marks=pytest.mark.slow)])
def test_the_cards_say_what_the_files_hold(
    opened: Open, request: pytest.FixtureRequest, name: str
) -> None:
    results: Path = request.getfixturevalue("reduced") if name == "reduced" else demo()
    page: Page = opened(file=(results / name / "page/index.html").resolve()).page
    cards = page.locator(".answers li").all()
    boxes = [card.bounding_box() for card in cards]
    assert all(box and box["y"] + box["height"] <= 900 for box in boxes), boxes
    assert [card.locator("a").get_attribute("href") for card in cards] == list(LINKS)
    said = [card.locator(".number").inner_text() for card in cards]
    words = [" ".join(card.inner_text().split()) for card in cards]

    cells = pd.read_csv(results / "audit/cells.csv", dtype=str, keep_default_na=False)
    sure = cells[cells.basis == "arithmetic"]
    rules = ["confusion", "scores", "f1", "attainable", "prevalence"]
    rows = len(sure[sure.rule.isin(rules)].groupby(["table", "slug"]))
    means = len(cells[cells.rule.isin(["mean", "sum"])].groupby(["table", "slug", "column"]))
    assert said[0] == str(rows + means)
    assert f"{rows} printed rows and {means} printed means" in words[0]

    swapped = cells[cells.rule == "orientation"].groupby(["table", "slug"])
    assert said[1] == str(len(swapped))
    matrices = pd.read_csv(results / "audit/confusion.csv")
    ours = matrices.query("method == 'mednext' and verdict == 'fits' and matrices == 1")
    for row in ours.itertuples():
        counts = f"{row.missed_disease:.0f} ill missed, {row.false_alarms:.0f} false alarms"
        assert f"Table {row.table}, MedNeXt: {counts}" in words[1]

    leads = pd.read_csv(results / "audit/leads.csv")
    leads = leads[leads.winner.isin(["mednext", "medunext"])]
    closest = leads.loc[leads.groupby("table").p_false.idxmax()]
    assert said[2] == f"{closest.p_false.min():.2f} to {closest.p_false.max():.2f}"
    for row in closest.itertuples():
        interval = f"{row.p_false:.2f} [{row.p_false_low:.2f}, {row.p_false_high:.2f}]"
        assert re.search(rf"Table {row.table}, over [^:]*: {re.escape(interval)}", words[2])

    metrics = pd.read_csv(results / name / "metrics.csv", low_memory=False)
    if name == "demo":
        assert said[3] == "–" and "make results CONFIG=config/reduced.yaml" in words[3]
    else:
        scores = metrics.query(
            "method == 'mednext' and selection == 'last' and metric == 'accuracy'"
            " and target == 'non_disease' and seed == 0"
        ).set_index(["dataset", "protocol"])["value"]
        for dataset in ("sars_cov2_ct", "monkeypox_msld"):
            gain = 100 * (scores[dataset, "paper"] - scores[dataset, "grouped"])
            assert f"{gain:+.1f}" in said[3].split()
            assert f"{100 * scores[dataset, 'paper']:.1f} [" in words[3]

    runs = metrics.groupby(["dataset", "protocol", "method", "seed"]).status.first()
    assert said[4] == f"{(runs == 'ok').sum()} of {len(runs)}"
    assert "64 px and 10 epochs" in words[4] and ("PHANTOM" in words[4]) == (name == "demo")


def test_a_card_leads_to_the_listing_behind_it(opened: Open) -> None:
    page = opened("local").page
    listing = page.locator("#audit-splits")
    assert listing.get_attribute("open") is None
    page.evaluate("location.hash = 'audit-splits'")
    listing.locator("table").wait_for()
    assert listing.get_attribute("open") is not None
