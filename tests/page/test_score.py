"""The page of ``mednext score`` in a browser: on a phone, and where the desktop is dark."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from mednext.report.score import score_html
from mednext.results import Metric
from mednext.results.score import YOURS, AgainstRow, PlaceRow, ScoreReport, ScoreRow, WorstRow


def report() -> ScoreReport:
    metric = {"metric": Metric.ACCURACY, "target": "non_disease", "policy": None, "value": 0.5}
    ends = {"ci_low": None, "ci_high": None}
    against = {"metric": Metric.ACCURACY, "value": 0.5, "other": 0.6, "difference": -0.1}
    place = {"value": 0.5, "rank": 1, "rank_low": 1, "rank_high": 2, "first": 0.5, "seeds": 1}
    return ScoreReport(
        name="a-long-name-without-any-blank-" * 3,
        sha256="0" * 64,
        version="0",
        task="classification",
        dataset="sars_cov2_ct",
        dataset_name="SARS-COV2-CT-Scan",
        protocol="paper",
        selection="last",
        source_id="local-0",
        against="results/reference/reduced",
        n_cases=2,
        n_groups=1,
        notes=(),
        metrics=(ScoreRow(**metric, **ends, n_cases=2, n_groups=1),),
        against_rows=(AgainstRow(method="vit", seed=0, **against, **ends, p=0.5, p_holm=0.5),),
        places=(PlaceRow(method=YOURS, **place), PlaceRow(method="vit", **place)),
        worst=(
            WorstRow(
                case="a/long/path/" * 9,
                group="g",
                truth="normal",
                prediction="covid19",
                score=0.9,
                others=1.0,
            ),
        ),
    )


def test_nothing_is_cut_off_on_a_phone_and_it_is_dark_where_the_desktop_is(
    browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "score.html"
    file.write_text(score_html(report()))
    colours = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert "to –" not in page.inner_text("body")  # an interval that there is not
        style = "getComputedStyle(document.body)"
        colours[scheme] = page.evaluate(f"[{style}.color, {style}.backgroundColor]")
        dot = page.evaluate("getComputedStyle(document.querySelector('circle')).fill")
        assert dot == colours[scheme][0]
        page.close()
    assert colours["light"] == ["rgb(26, 26, 26)", "rgb(255, 255, 255)"]
    assert colours["dark"] == ["rgb(228, 231, 234)", "rgb(21, 24, 28)"]
