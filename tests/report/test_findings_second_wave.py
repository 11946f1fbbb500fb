"""The questions asked beforehand, as FINDINGS.md and the README answer them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mednext.config.questions import load_questions
from mednext.layout import reference_root, results_root
from mednext.report.findings.learning import learning_speed
from mednext.report.findings.second_wave import second_wave, words
from mednext.report.findings.text import findings_texts
from mednext.report.findings.under import behind
from mednext.report.findings.write import BEGIN, CHARTS, END, write_findings
from mednext.results import Metric, MetricRow, write_rows
from mednext.results.conditions import ConditionRow
from mednext.results.contrasts import ContrastRow
from mednext.results.orders import OrderRow
from mednext.results.subgroups import SubgroupRow
from tests.checkout import ROOT
from tests.finished_runs import run_of, trained

from .made_up import metric_row, reduced_results
from .test_findings_subgroups import row as of_level


def row(**changes: Any) -> ContrastRow:
    values: dict[str, Any] = {
        "status": "ok", "part": "A", "dataset": "sars_cov2_ct", "selection": "last",
        "metric": "accuracy", "condition": None,
        "a": "mednext/overlap_in", "b": "mednext/overlap_out",
        "primary": True, "seeds": 5, "trainings": 5, "n_cases": 372, "n_groups": 220,
        "value_a": 0.95, "value_b": 0.9, "difference": 0.05, "ci_low": 0.02, "ci_high": 0.08,
        "p": 0.001, "p_holm": 0.004, "p_overlapping": None, "most_frequent": 0.505,
    }  # fmt: skip
    return ContrastRow(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "higher: +5.0 points, the interval is [+2.0, +8.0]"),
        # The correction decides, not the interval.
        ({"p_holm": 0.051}, "inconclusive: +5.0 points, the interval is [+2.0, +8.0]"),
        (
            {"difference": -0.05, "ci_low": -0.08, "ci_high": -0.02},
            "lower: -5.0 points, the interval is [-8.0, -2.0]",
        ),
        (
            {"difference": 0.002, "ci_low": -0.005, "ci_high": 0.009, "p_holm": 0.6},
            "equal within a point: +0.2 points, the interval is [-0.5, +0.9]",
        ),
        (
            {"difference": 0.002, "ci_low": -0.008, "ci_high": 0.012, "p_holm": 0.6},
            "inconclusive: +0.2 points, the interval is [-0.8, +1.2]",
        ),
        (
            {"primary": False, "p_holm": None},
            "no verdict: +5.0 points, the interval is [+2.0, +8.0]",
        ),
        # Other weights than those that decide.
        (
            {"selection": "averaged"},
            "no verdict: +5.0 points, the interval is [+2.0, +8.0]",
        ),
        ({"ci_low": None, "ci_high": None}, "inconclusive: no interval"),
        ({"status": "pending", "reason": "no run", "difference": None}, "pending: no run"),
    ],
)
def test_words_are_those_of_the_protocol(changes: dict[str, Any], expected: str) -> None:
    assert words(row(**changes)) == expected


@pytest.fixture
def asked(reduced: Path) -> Path:
    """Two runs of part A and one of part D, with what their contrasts say."""
    shutil.copytree(ROOT / "config", "config")
    target = reference_root("wave2") / "planned.csv"
    target.parent.mkdir(parents=True)
    shutil.copy(ROOT / target, target)
    for task, profile, seed, minutes in (
        ("classification", "wave2_a", 0, 30),
        ("classification", "wave2_a", 1, 60),
        ("segmentation", "wave2_d", 0, 90),
    ):
        run = trained(run_of(task, profile=profile, seed=seed), wall_seconds=60.0 * minutes)
        made = Path("results", profile, "runs", run.dataset, run.protocol, run.method)
        place = reference_root(profile) / made.relative_to(f"results/{profile}") / f"seed{seed}"
        shutil.copytree(made / f"seed{seed}", place)
    segmenters = {"part": "D", "dataset": "acdc", "metric": "dice", "a": "medunext", "b": "unet"}
    rows = [
        row(),
        row(
            a="resnet18/overlap_in",
            b="resnet18/overlap_out",
            status="pending",
            reason="no run",
            **dict.fromkeys(("n_cases", "n_groups", "value_a", "value_b", "difference")),
        ),
        row(**segmenters, n_cases=20, n_groups=20, p_holm=0.2, p_overlapping=0.139),
        row(**segmenters, n_cases=20, n_groups=20, selection="averaged"),
    ]
    write_rows(reduced / "contrasts.csv", ContrastRow, rows)
    return reduced


def test_each_part_says_how_much_is_there_and_what_it_could_show(asked: Path) -> None:
    found = second_wave(reduced_results())
    assert found is not None
    a, d = found["parts"]
    assert (a["name"], a["finished"], a["cells"], a["hours"]) == ("A", 2, 40, 1.5)
    assert (d["name"], d["finished"], d["cells"], d["hours"]) == ("D", 1, 20, 1.5)
    assert [part["name"] for part in found["missing"]] == ["B", "C", "E", "FA", "FB", "FD"]
    first, second = a["lines"]
    assert first["contrast"] == "MedNeXt, with − without train images that overlap with test"
    assert (first["a"], first["b"], round(first["can_show"], 1)) == (95, 90, 3.0)
    assert (second["done"], second["words"]) == (False, "pending: no run")
    # Part FA waits for its evaluations, though the runs of A are there.
    # Other weights than those of the last epoch decide nothing.
    assert [line["contrast"] for line in d["lines"]] == ["MedUNeXt − UNet"]
    assert [line["selection"] for line in d["beside"]] == ["averaged"]


def test_the_answers_come_first_and_the_readme_has_the_primary_ones(asked: Path) -> None:
    results = reduced_results()
    texts = findings_texts(results.profile, [], {"report": "r.md", "figures": "figures"})
    report = texts.report
    assert [line for line in report.splitlines() if line.startswith("## ")][:3] == [
        "## What the second wave answers",
        "## The first wave, run by run",
        "## Which orderings of the paper hold",
    ]
    assert "*2 of 40 runs are finished; 64 px, 10 epochs; 1.5 CPU hours of training" in report
    assert "**Not complete: what is pending may\nchange the correction of the rest.**" in report
    assert "p before any correction is 0.14 (MedUNeXt − UNet)." in report
    line = next(line for line in report.splitlines() if "pending: no run" in line)
    assert line.endswith("| – | – | 50.5 | pending: no run | 0.004 | 5, 5 | – | 3.0 |")
    assert "\nWithout a run: B (Is MedNeXt better" in report
    assert (
        "- A: What do leaked test data buy? *Not complete: 2 of 40 runs.* (of images that have "
        "relatives, on Monkeypox copies of one photograph)\n"
        "  - SARS-COV2-CT-Scan, MedNeXt, with − without train images that overlap with test "
        "(95.0 and 90.0 %): higher: +5.0 points, the interval is [+2.0, +8.0] "
        "(5 seeds; 372 images of 220 groups; can show 3.0 points)."
    ) in texts.summary
    assert "MedUNeXt − UNet (95.0 and 90.0 %): inconclusive" in texts.summary
    assert "(5 seeds; 20 patients; can show 14.4 points; overlap of" in texts.summary
    assert "training sets allowed for, p 0.14)." in texts.summary
    assert "pending" not in texts.summary and "**Does LAFFN contribute?**" not in texts.summary


def test_without_any_run_nothing_is_said(reduced: Path) -> None:
    results = reduced_results()
    assert second_wave(results) is None
    texts = findings_texts(results.profile, [], {"report": "r.md", "figures": "figures"})
    assert "second wave" not in texts.report and "asked beforehand" not in texts.summary
    assert "**Does LAFFN contribute?**" in texts.summary


def test_the_readme_has_no_heading_without_an_answer(asked: Path) -> None:
    file = asked / "contrasts.csv"
    pending = {"status": "pending", "reason": "no run", "difference": None}
    write_rows(file, ContrastRow, [row(**pending), row(primary=False)])
    texts = findings_texts(reduced_results().profile, [], {"report": "r.md", "figures": "figures"})
    assert "second wave" in texts.report and "asked beforehand" not in texts.summary


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("external: covid-ct-ucsd", "MedNeXt − ResNet18 on covid-ct-ucsd"),
        ("shifted: mean", "MedNeXt − ResNet18 on corrupted images (mean)"),
    ],
)
def test_a_condition_is_said_in_words(asked: Path, condition: str, expected: str) -> None:
    elsewhere = row(part="FA", a="mednext", b="resnet18", condition=condition)
    write_rows(asked / "contrasts.csv", ContrastRow, [elsewhere])
    found = second_wave(reduced_results())
    assert found is not None
    assert [line["contrast"] for part in found["parts"] for line in part["lines"]] == [expected]
    # It trained nothing of its own.
    assert [part["weights_of"] for part in found["parts"] if part["name"] == "FA"] == ["A"]


def under(condition: str, method: str, seed: int, metric: Metric, after: float) -> ConditionRow:
    return ConditionRow(
        dataset="sars_cov2_ct", protocol="overlap_out", method=method, seed=seed,
        weights="0" * 12, condition=condition, metric=metric, before=0.9, after=after,
        change=after - 0.9, ci_low=None, ci_high=None, relative=None, n_cases=4, n_groups=4,
    )  # fmt: skip


def test_what_stands_behind_a_contrast_of_other_conditions(reduced: Path) -> None:
    contrasts = load_questions().parts["FA"].contrasts
    outside, corrupted = contrasts[:2]
    folder = Path("export")
    assert behind(folder, outside, "classification") is None
    accuracy, auc, name = Metric.ACCURACY, Metric.AUC, "external: covid-ct-ucsd"
    rows = [
        under(name, "mednext", 0, auc, 0.4),
        under(name, "mednext", 1, auc, 0.5),
        under(name, "mednext", 1, accuracy, 0.9),
        under(name, "resnet18", 0, auc, 0.3),
        # The mean over all is no kind of its own.
        under("shifted: mean", "mednext", 0, accuracy, 0.1),
        under("shifted: mean", "resnet18", 0, accuracy, 0.9),
    ]
    for detail, ours, theirs in (
        ("blur 1", (0.9, 0.8), 0.8),
        ("blur 2", (0.6, 0.6), 0.6),
        ("gamma_down 1", (0.5, 0.3), 0.6),
        ("jpeg 1", (0.7, 0.7), 0.85),
        ("pixelate 5", (0.9, 0.9), 0.8),
    ):
        condition = f"shifted: {detail}"
        rows += [under(condition, "mednext", s, accuracy, v) for s, v in enumerate(ours)]
        rows += [under(condition, "resnet18", 0, accuracy, theirs)]
    # Of other protocols and methods nothing is taken.
    rows.append(rows[0].model_copy(update={"protocol": "overlap_in", "after": 0.99}))
    write_rows(folder / "conditions.csv", ConditionRow, rows)
    assert behind(folder, outside, "classification") == (
        "On covid-ct-ucsd the AUC of MedNeXt and ResNet18 is 0.45 and 0.30 (mean over trainings; "
        "0.5 is chance)."
    )
    # blur: +5 and 0 points, gamma: -20, jpeg: -15, pixelate: +10.
    assert behind(folder, corrupted, "classification") == (
        "Of 5 kinds and severities of corruption MedNeXt is lower in 2 and higher in 2. Means over "
        "severities: lowest -20.0 (gamma down), -15.0 (jpeg), highest +2.5 (blur), "
        "+10.0 (pixelate) points."
    )


def test_who_is_served_worse_by_the_weights_of_a_part(asked: Path) -> None:
    base = {"dataset": "sars_cov2_ct", "metric": "accuracy", "attribute": "images of the group"}
    levels = ("1", "2")
    rows = [
        of_level(**base, seeds=5, protocol=protocol, method=method, level=level)
        for protocol in ("overlap_in", "overlap_out")
        for method in ("mednext", "resnet18", "all")
        for level in levels
    ]
    target = results_root("wave2_a") / "subgroups.csv"
    write_rows(target, SubgroupRow, rows)
    results = reduced_results()
    found = second_wave(results)
    assert found is not None
    # Not what was trained with overlap; D was not computed.
    (section,) = found["served"]
    assert "protocol `overlap_out`, 64 px, epochs 10" in section["caption"]
    assert "seed 0, 1, 2, 3, 4; not comparable" in section["caption"]
    assert section["worse"] == [
        "images of the group, 1: 2 methods",
        "images of the group, 2: 2 methods",
    ]
    texts = findings_texts(results.profile, [], {"report": "r.md", "figures": "figures"})
    answers, first_wave = texts.report.split("## The first wave, run by run")
    assert "### F: Who is served worse?" in answers and "| images of the group | 1 |" in answers
    assert "images of the group" not in first_wave
    for chart in CHARTS:
        (asked / "figures" / f"{chart}.png").parent.mkdir(exist_ok=True)
        (asked / "figures" / f"{chart}.png").touch()
    Path("mine.md").write_text(f"{BEGIN}{END}")
    write_findings(results.profile, [], reference_root("reduced"), Path("r.md"), Path("mine.md"))
    kept = reference_root("wave2_a") / "subgroups.csv"
    assert kept.read_bytes() == target.read_bytes()


def early(b: str, difference: float, p: float) -> OrderRow:
    return OrderRow(
        dataset="sars_cov2_ct", protocol="paper", metric="accuracy", method_a="mednext",
        method_b=b, basis="borrowed", seeds="0", n_cases=496, n_groups=378, difference=difference,
        error=0.01, df=20.0, p=p, p_holm=p, family=6, design_effect=1.35, detectable=0.03,
        detectable_holm=0.05, borrowed_from="resnet18 (3 seeds)",
    )  # fmt: skip


def test_an_order_that_more_epochs_undo_is_one_of_the_speed_of_learning(reduced: Path) -> None:
    later: dict[str, Any] = {"part": "C", "a": "mednext", "value_a": 0.95, "p_holm": 0.5}
    rows = [
        # Half of eight points lies above the whole interval.
        row(**later, b="resnet18", value_b=0.94, difference=0.01, ci_low=-0.01, ci_high=0.03),
        # Told from 0 before, and turned round.
        row(**later, b="vit", value_b=0.96, difference=-0.01, ci_low=-0.06, ci_high=0.05),
        # The interval holds half of eight points.
        row(**later, b="mlp_mixer", value_b=0.9, difference=0.05, ci_low=0.03, ci_high=0.07),
    ]
    # Told from 0 below it before: the interval lies beyond the half. Not told: not asked.
    rows += [
        row(**later, b="swin_v2", value_b=0.99, difference=-0.06, ci_low=-0.08, ci_high=-0.045),
        row(**later, b="resmlp", value_b=0.94, difference=0.01, ci_low=-0.01, ci_high=0.03),
    ]
    orders = [early(b, 0.08, 0.01) for b in ("resnet18", "vit", "mlp_mixer")]
    orders += [early("swin_v2", -0.08, 0.01), early("resmlp", 0.08, 0.2)]
    write_rows(reduced / "orders.csv", OrderRow, orders)
    scores = {"mednext": 0.9, "resnet18": 0.82, "vit": 0.81, "mlp_mixer": 0.8}
    others = ("swin_v2", "resmlp")
    write_rows(
        reduced / "metrics.csv",
        MetricRow,
        [metric_row(method=m, value=v) for m, v in scores.items()],
    )
    for method in (*scores, *others):
        for seed, loss in ((0, 0.1), (1, 0.3)):
            place = Path("export/runs/sars_cov2_ct/paper", method, f"seed{seed}")
            place.mkdir(parents=True)
            (place / "history.csv").write_text(f"epoch,train_loss\n1,0.9\n40,{loss}\n")
    found = learning_speed(reduced_results(), rows, Path("export"))
    assert found is not None
    speed = {line["b"]: line["speed"] for line in found["lines"]}
    assert speed == {
        "resnet18": ("yes", "its interval lies below half of what it was"),
        "vit": ("yes", "it has changed its sign"),
        "mlp_mixer": ("inconclusive", "its interval holds half of what it was"),
        "swin_v2": ("no", "its interval lies above half of what it was"),
        "resmlp": None,
    }
    assert found["answer"].startswith("yes (MedNeXt − ResNet18: its interval lies below")
    assert found["few"] == "10"
    answers = [
        some["answer"].partition(" (")[0]
        for chosen in (rows[2:4], rows[3:4], rows[4:])
        if (some := learning_speed(reduced_results(), chosen, Path("export"))) is not None
    ]
    assert answers == [
        "inconclusive",
        "no",
        "not asked: no difference was told from 0 after few epochs",
    ]
    assert found["methods"][0] == ("mednext", 90.0, 95.0, None, pytest.approx(0.2))
    # Ranks before 4 3 2 1, after 3 2 4 1: 1 - 6 * (1 + 1 + 4) / 60
    assert found["correlation"] == pytest.approx(0.4)
    rows[0] = rows[0].model_copy(update={"status": "pending", "reason": "no run"})
    assert learning_speed(reduced_results(), rows, Path("export")) is None
