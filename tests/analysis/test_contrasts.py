"""Contrasts over seeds, folds and groups by hand, missing runs, and what a design can show."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mednext.analysis.cases import scored_under
from mednext.analysis.contrasts import contrast_rows, planned_rows
from mednext.cli import main
from mednext.config import RunConfig, load_profile
from mednext.config.questions import Arm, Contrast, Part, Questions, load_questions
from mednext.errors import UserError
from mednext.results import read_rows, write_rows
from mednext.results.conditions import ConditionScoreRow
from mednext.results.contrasts import ContrastRow
from tests.finished_runs import paths, run_of, trained

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = "external: elsewhere"
IN_AGAINST_OUT = Contrast(
    dataset="sars_cov2_ct",
    a=Arm(method="mednext", protocols=("overlap_in",)),
    b=Arm(method="mednext", protocols=("overlap_out",)),
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def finished(right: list[int], first: int = 0, **axes: object) -> RunConfig:
    """A run whose images, each a group of its own, are right (1) or wrong (0)."""
    run = run_of("classification", **axes)
    paths(run).root.mkdir(parents=True)
    label = np.arange(len(right)) % 2
    names = range(first, first + len(right))
    prediction = np.where(right, label, 1 - label)
    table = pd.DataFrame(
        {
            "row": names,
            "path": [f"{i}.png" for i in names],
            "group": [f"g{i}" for i in names],
            "side": "test",
            "label": label,
            "score_0": 1.0 - prediction,
            "score_1": prediction.astype(float),
            "prediction": prediction,
        }
    )
    return trained(run, table, n_train=4, n_test=1)


def part(*contrasts: Contrast) -> Part:
    return Part(profile="tiny", question="?", contrasts=contrasts)


def test_the_same_images_with_and_without_their_groups_in_train() -> None:
    inside, outside = [1, 1, 1, 1, 1, 0, 1, 1], [1, 0, 1, 0, 1, 0, 1, 0]
    runs = [
        finished(right, protocol=protocol, seed=seed)
        for seed in (0, 1)
        for protocol, right in (("overlap_in", inside), ("overlap_out", outside))
    ]
    (row,) = contrast_rows("A", part(IN_AGAINST_OUT), runs, (0, 1))
    assert (row.a, row.b) == ("mednext/overlap_in", "mednext/overlap_out")
    assert (row.value_a, row.value_b) == (pytest.approx(7 / 8), pytest.approx(4 / 8))
    assert (row.seeds, row.trainings, row.n_cases, row.n_groups) == (2, 2, 8, 8)
    # Both seeds are alike, so only cases vary: the paired t-interval over them.
    paired = np.subtract(inside, outside)
    low, high = stats.t.interval(0.95, 7, paired.mean(), stats.sem(paired))
    assert (row.difference, row.ci_low, row.ci_high) == (
        pytest.approx(3 / 8), pytest.approx(low), pytest.approx(high)
    )  # fmt: skip
    assert row.p == pytest.approx(stats.ttest_1samp(paired, 0).pvalue) == row.p_holm
    assert row.p_overlapping is None  # no folds


def test_folds_are_trainings_of_one_arm() -> None:
    folds = ("cv1", "cv2")
    runs = [
        finished(right, first=10 * k, protocol=fold, method=method, seed=seed)
        for seed in (0, 1, 2)
        for k, fold in enumerate(folds)
        for method, right in (("mednext", [1, 1, 1, seed % 2]), ("resnet18", [1, 0, 1, 0]))
    ]
    contrast = Contrast(
        dataset="sars_cov2_ct",
        a=Arm(method="mednext", protocols=folds),
        b=Arm(method="resnet18", protocols=folds),
    )
    (row,) = contrast_rows("B", part(contrast), runs, (0, 1, 2))
    assert (row.a, row.b, row.trainings, row.n_cases) == ("mednext", "resnet18", 6, 8)
    assert row.difference == pytest.approx(1 / 4 + 1 / 12)
    # Of seed 1 each fold differs by 1/2, of the others by 1/4: variance 1/60 over six values.
    # The records say that four times as many images are in train as in test.
    error = np.sqrt((1 / 6 + 1 / 4) / 60)
    assert row.p_overlapping == pytest.approx(2 * stats.t.sf((1 / 3) / error, 5))
    assert row.most_frequent == 0.5


def test_the_most_frequent_class_is_that_of_all_tested_images() -> None:
    protocols = ("overlap_in", "overlap_out")
    runs = [finished([1, 1, 0], protocol=p, seed=s) for s in (0, 1) for p in protocols]
    (row,) = contrast_rows("A", part(IN_AGAINST_OUT), runs, (0, 1))
    assert row.most_frequent == pytest.approx(2 / 3)  # labels 0, 1, 0


def scored_outside(run: RunConfig, right: list[int], weights: str = "0" * 12) -> None:
    rows = [
        ConditionScoreRow(condition=OUTSIDE, weights=weights, group=f"o{i // 2}", score=score)
        for i, score in enumerate(right)
    ]
    write_rows(paths(run).condition_scores, ConditionScoreRow, rows)


def test_folds_share_outside_data_and_are_trainings_of_their_own() -> None:
    folds, better, worse = ("cv1", "cv2"), [1, 1, 1, 1, 0, 1, 1, 1], [1, 0, 1, 1, 0, 0, 1, 0]
    runs = []
    for seed in (0, 1, 2):
        for k, fold in enumerate(folds):
            for method, right in (("mednext", better), ("resnet18", worse)):
                # On its own test set, which other folds do not have, each is as good as the other.
                run = finished([1, 1], first=2 * k, protocol=fold, method=method, seed=seed)
                scored_outside(run, right)
                runs.append(run)
    arms = {m: Arm(method=m, protocols=folds) for m in ("mednext", "resnet18", "vit")}
    asked = [
        Contrast(dataset="sars_cov2_ct", a=arms["mednext"], b=arms[b], under=OUTSIDE)
        for b in ("resnet18", "vit")
    ]
    row, absent = contrast_rows("FB", part(*asked), runs, (0, 1, 2))
    assert (row.condition, row.trainings, row.n_cases, row.n_groups) == (OUTSIDE, 6, 8, 4)
    # Of other images than those that the records and the counts are about.
    assert row.p_overlapping is None and row.most_frequent is None
    assert row.difference == pytest.approx(3 / 8)
    # Trainings agree: what is left is the paired t-interval over groups of two images each.
    by_group = np.subtract(better, worse).reshape(4, 2).mean(axis=1)
    low, high = stats.t.interval(0.95, 3, by_group.mean(), stats.sem(by_group))
    assert (row.ci_low, row.ci_high) == (pytest.approx(low), pytest.approx(high))
    assert absent.reason == f"no sars_cov2_ct/cv1/vit/seed0 ({OUTSIDE})"


def test_scores_of_other_weights_are_refused() -> None:
    run = finished([1, 1])
    assert scored_under(run, OUTSIDE) is None
    scored_outside(run, [1, 0], weights="1" * 12)
    with pytest.raises(UserError, match="not of this run's weights"):
        scored_under(run, OUTSIDE)


def test_a_missing_run_leaves_its_contrast_pending_and_counts_in_the_correction() -> None:
    runs = [
        finished(right, method=method, seed=seed)
        for seed in (0, 1)
        for method, right in (("mednext", [1] * 10), ("resnet18", [1, 1, 0, 1, 0, 1, 0, 1, 0, 1]))
    ]
    arms = {m: Arm(method=m, protocols=("paper",)) for m in ("mednext", "resnet18", "vit")}
    contrasts = [
        Contrast(dataset="sars_cov2_ct", a=arms["mednext"], b=arms[other])
        for other in ("resnet18", "vit")
    ]
    there, absent = contrast_rows("C", part(*contrasts), runs, (0, 1))
    assert there.p is not None and there.p_holm == pytest.approx(2 * there.p)
    assert (absent.status, absent.difference) == ("pending", None)


def test_a_contrast_waits_for_every_seed() -> None:
    runs = [
        finished(right, protocol=protocol, seed=seed)
        for seed in (0, 1)
        for protocol, right in (("overlap_in", [1, 1, 1, 0]), ("overlap_out", [1, 0, 1, 0]))
    ]
    assert contrast_rows("A", part(IN_AGAINST_OUT), runs, (0, 1))[0].status == "ok"
    (row,) = contrast_rows("A", part(IN_AGAINST_OUT), runs[:-1], (0, 1))
    assert (row.status, row.seeds, row.p_holm) == ("pending", 2, None)
    assert row.reason == "no sars_cov2_ct/overlap_out/mednext/seed1 (last)"


def test_the_verb_reads_what_was_exported() -> None:
    shutil.copytree(ROOT / "config", "config")
    for protocol, right in (("overlap_in", [1, 1, 1, 0, 1]), ("overlap_out", [1, 0, 1, 0, 1])):
        for seed in range(5):
            run = finished(right, protocol=protocol, seed=seed, profile="wave2_a")
            made = paths(run).root
            shutil.move(made, Path("results/reference", *made.parts[1:]))
    assert main(["results", "contrasts", "--out", "contrasts.csv"]) == 0
    first, *others = read_rows(Path("contrasts.csv"), ContrastRow)
    assert (first.a, first.difference, first.seeds) == (
        "mednext/overlap_in", pytest.approx(1 / 5), 5
    )  # fmt: skip
    assert first.p is not None and first.p_holm == pytest.approx(min(1, 4 * first.p))
    assert [row.status for row in others] == ["pending"] * 6
    # Nothing was evaluated elsewhere yet.
    assert [(row.part, row.reason) for row in others[3:5]] == [
        ("FA", f"no sars_cov2_ct/overlap_out/mednext/seed0 ({under})")
        for under in ("external: covid-ct-ucsd", "shifted: mean")
    ]


def test_arms_tested_on_different_images_are_refused() -> None:
    runs = [
        finished([1, 0, 1, 1], first=first, protocol=protocol)
        for first, protocol in ((0, "overlap_in"), (4, "overlap_out"))
    ]
    with pytest.raises(UserError, match="different cases"):
        contrast_rows("A", part(IN_AGAINST_OUT), runs, (0,))


def test_more_seeds_can_show_less_and_a_set_with_one_seed_borrows() -> None:
    random = np.random.default_rng(0)
    pilot = [
        finished(
            (random.random(60) < share).astype(int).tolist(),
            method=method,
            seed=seed,
            dataset=dataset,
        )
        for dataset, seeds in (("sars_cov2_ct", (0, 1, 2)), ("large_covid_ct", (0,)))
        for seed in seeds
        for method, share in (("mednext", 0.9), ("resnet18", 0.8))
    ]
    other = IN_AGAINST_OUT.model_copy(update={"dataset": "large_covid_ct"})
    questions = Questions(pilot="tiny", parts={"A": part(IN_AGAINST_OUT, other)})
    designs = {
        "A": [(IN_AGAINST_OUT, 3, 100, 100), (IN_AGAINST_OUT, 6, 100, 100), (other, 3, 100, 100)]
    }
    few, many, borrowed = planned_rows(questions, designs, pilot)
    assert 0 < many.detectable < few.detectable < 1
    assert "between trainings as on sars_cov2_ct" in borrowed.pilot


def test_the_written_questions_fit_their_profiles() -> None:
    for name, asked in load_questions(ROOT / "benchmarks" / "wave2.yaml").parts.items():
        profile = load_profile(ROOT / "config" / f"{asked.profile}.yaml")
        assert profile.profile == asked.profile, name
        for contrast in asked.contrasts:
            cells = profile.datasets[contrast.dataset].cells(profile.seeds)
            for arm in (contrast.a, contrast.b):
                assert {(p, arm.method, s) for p in arm.protocols for s in profile.seeds} <= set(
                    cells
                )
