"""FINDINGS.md: words by rule, numbers checked by hand, equal bytes, missing cells said plainly."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from mednext.cli import main
from mednext.cli.findings import BEGIN, END
from mednext.report.wording import Estimate, detectable, detectable_over_seeds, estimate
from mednext.results import CodeRow, DifferenceRow, read_rows, write_rows
from tests.runs.test_export import CONFIG, files, finish, tiny


def row(difference: float, seed: int = 0, half: float = 0.01) -> DifferenceRow:
    return DifferenceRow(
        dataset="sars_cov2_ct", protocol="paper", seed=seed, metric="accuracy", method_a="a",
        method_b="b", difference=difference, ci_low=difference - half, ci_high=difference + half,
        deviation=0.3, n_cases=100, n_groups=100,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.1, 2.0, "higher"), (-2.0, -0.1, "lower"), (-1.0, 1.0, "inconclusive"),
     (0.0, 2.0, "inconclusive"), (None, None, "inconclusive")],
)  # fmt: skip
def test_words_follow_the_interval_alone(low: float, high: float, word: str) -> None:
    assert Estimate(0.5, low, high).words.startswith(word)


def test_nothing_has_no_minus() -> None:
    words = Estimate(-0.04, -1.04, 0.96).words
    assert words == "inconclusive: +0.0 points, the interval is [-1.0, +1.0]"


def test_seeds_widen_the_interval() -> None:
    # Differences of 1, 2 and 3 points: s = 1, t(0.975, 2) = 4.302653, so 2.484 points.
    found = estimate([row(d, s) for s, d in enumerate((0.01, 0.02, 0.03))])
    half = math.hypot(1.0, 4.302653 / math.sqrt(3))
    assert found.value == pytest.approx(2.0)
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half), abs=1e-5)
    turned = estimate([row(0.05)], turned=True)
    assert (turned.value, turned.low, turned.high) == pytest.approx((-5.0, -6.0, -4.0))


def test_smallest_detectable_difference() -> None:
    # (1.959964 + 0.841621) * 0.3 / 10, in points; of ten tests z is 2.807034.
    assert detectable(0.3, 100) == pytest.approx(8.404755, abs=1e-4)
    assert detectable(0.3, 100, 10) == pytest.approx(10.945965, abs=1e-4)
    # t(0.975, 2) = 4.302653, t(0.8, 2) = 1.060660; s = 1, three seeds.
    assert detectable_over_seeds([1.0, 2.0, 3.0]) == pytest.approx(3.096515, abs=1e-4)
    assert detectable_over_seeds([1.0]) is None


def test_findings_repeat_and_say_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finish(tiny(), ("resnet18", 1))
    main(["results", "export", *CONFIG, "--out", "ref"])
    shutil.rmtree("results")
    write_rows(Path("ref/code.csv"), CodeRow, carried())
    Path("R.md").write_text(f"# Mine\n{BEGIN}outdated\n{END}after\n")
    command = [
        "results",
        "findings",
        *CONFIG,
        "--reference",
        "ref",
        "--out",
        "F.md",
        "--summary",
        "R.md",
    ]
    assert main(command) == 0
    texts = [Path(name).read_text() for name in ("F.md", "R.md")]
    text, before = texts[0], files(Path("ref"))
    assert main(command) == 0
    assert [Path(name).read_text() for name in ("F.md", "R.md")] == texts
    assert files(Path("ref")) == before
    assert texts[1].startswith(f"# Mine\n{BEGIN}**PHANTOM") and texts[1].endswith(f"{END}after\n")
    assert "3 of 4 runs are finished" in texts[1] and "outdated" not in texts[1]
    for linked in ("F.md", "ref/figures/critical_difference.png", "ref/figures/pareto.png"):
        assert f"]({linked})" in texts[1] and Path(linked).is_file()
    assert not Path("results").exists()
    assert "**3 of 4 runs finished**" in text and "PHANTOM" in text.splitlines()[0]
    assert "not yet measured" in text and "Not yet measured" in text  # mednext_nc; the plan
    assert {"metrics.csv", "losses.csv", "tables/table2.md", "figures/pareto.png"} <= set(before)
    # Seed 0 errs on image 0 beside the fixture's errors, seed 1 on image 1; equal methods.
    found = read_rows(Path("ref/differences.csv"), DifferenceRow)
    assert [(r.method_a, r.method_b, r.difference, r.n_cases) for r in found] == [
        ("mednext", "resnet18", 0.0, 10)
    ]
    assert "| mednext | 2 | 70.0, 70.0 | 70.0 | 0.0 |" in text
    assert "\n1 rerun, 2 verified by 1 re-run cells.\n" in text


def carried() -> list[CodeRow]:
    """Three runs of older code, one of which was trained again."""
    return [
        CodeRow(
            run=run, old_commit="a", new_commit="b", code_hash_old="c", code_hash_new="d",
            weights_old="e", weights_new=None, cases_old="f", cases_new=None, cpu="One",
            status="verified by 1 re-run cells" if number else "rerun",
        )
        for number, run in enumerate(("one", "two", "three"))
    ]  # fmt: skip


def test_without_its_markers_a_file_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    finish(tiny())
    main(["results", "export", *CONFIG, "--out", "ref"])
    before = files(Path("ref"))
    for content in ("no marker\n", f"{END}turned round\n{BEGIN}"):
        Path("R.md").write_text(content)
        command = [
            "results",
            "findings",
            *CONFIG,
            "--reference",
            "ref",
            "--out",
            "F.md",
            "--summary",
            "R.md",
        ]
        assert main(command) == 2
        assert "R.md" in capsys.readouterr().err
        assert Path("R.md").read_text() == content and not Path("F.md").exists()
        assert files(Path("ref")) == before
