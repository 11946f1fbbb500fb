"""Finished networks under other conditions: written, read and compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mednext.analysis.cases import conditions, read, scored_under
from mednext.analysis.conditions import MEAN, changes
from mednext.analysis.metrics import collect
from mednext.config import RunConfig
from mednext.errors import UserError
from mednext.metrics.calibration import scaled
from mednext.provenance import ENTRY_POINTS, closure
from mednext.results import Metric, MetricRow, read_rows, unconditional
from mednext.results.conditions import ConditionRow
from mednext.training import conditions as other
from mednext.training import evaluate as engine
from mednext.training import train
from mednext.training.corruptions import CT, MR

Tiny = Callable[..., RunConfig]


@pytest.fixture
def done(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunConfig]:
    monkeypatch.setattr(other, "load", lambda run: engine.load(run))

    def make(task: str, **changes: object) -> RunConfig:
        run = tiny(task, **changes)
        assert train.train(run).status == "ok"
        engine.predict(run)
        engine.evaluate(run)
        return run

    return make


def test_no_training_depends_on_what_is_evaluated_afterwards() -> None:
    reached = closure(*ENTRY_POINTS, "mednext.models.mednext", "mednext.datasets.sars_cov2_ct")
    later = {"mednext.training.conditions", "mednext.training.corruptions"}
    later |= {"mednext.metrics.calibration", "mednext.metrics.subgroup"}
    assert "mednext.training.evaluate" in reached and not later & reached
    assert later <= closure(*later)


def test_a_temperature_of_the_validation_set_keeps_the_classes(done: Tiny) -> None:
    run = done("classification")
    (name,) = other.evaluate_under(run, "calibrated")
    by = float(name.partition("T=")[2])
    plain = pd.read_csv(engine.paths_of(run).cases("last"))
    ((shown, found),) = conditions(run)
    assert shown == f"calibrated: T={by:.4f}"
    assert found.table.prediction.tolist() == plain.prediction.tolist()
    expected = scaled(plain[["score_0", "score_1"]].to_numpy(), by)
    assert np.allclose(found.table[["score_0", "score_1"]], expected, atol=1e-3)
    collect([run], Path("metrics.csv"))
    rows = read_rows(Path("metrics.csv"), MetricRow)
    conditional = [row for row in rows if row.condition == shown]
    assert len(conditional) == 20 and len(unconditional(rows)) == len(rows) - 20
    changes([run], Path("conditions.csv"), lambda _: [])
    by_metric = {row.metric: row for row in read_rows(Path("conditions.csv"), ConditionRow)}
    assert by_metric[Metric.ACCURACY].change == 0 and by_metric[Metric.AUC].change == 0
    ece = next(r for r in conditional if (r.metric, r.target) == (Metric.ECE, "disease"))
    assert by_metric[Metric.ECE].after == pytest.approx(ece.value)
    assert by_metric[Metric.ECE].ci_low is None  # its estimate is biased: no interval would hold
    assert by_metric[Metric.BRIER].ci_low is not None


def test_other_weights_have_no_conditions_yet(done: Tiny) -> None:
    run = done("classification")
    other.evaluate_under(run, "calibrated")
    record = engine.paths_of(run).run_json
    digest = engine.read_run(record).weights["last"]
    record.write_text(record.read_text().replace(digest, "0" * 64))
    assert list(conditions(run)) == []


@pytest.mark.parametrize(("task", "steps"), [("classification", CT), ("segmentation", MR)])
def test_worse_images_by_name_and_severity(
    task: str, steps: dict[str, object], done: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: steps[name] for name in ("gaussian_noise", "pixelate")}
    monkeypatch.setattr(other, "corruptions_of", lambda *_: few)
    run = done(task)
    names = other.evaluate_under(run, "shifted")
    assert len(names) == 10
    folder = engine.paths_of(run).conditions(
        engine.read_run(engine.paths_of(run).run_json).weights["last"]
    )
    first = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert len({*first.values()}) > 1
    # Images one by one, and in one batch: a draw depends on names alone.
    single = run.model_copy(update={"batch_size": 1})
    monkeypatch.setattr(
        other, "read_run", lambda file: engine.read_run(file).model_copy(update={"micro_batch": 1})
    )
    other.evaluate_under(single, "shifted")
    for name, content in first.items():
        once, again = (pd.read_csv(p) for p in (folder / name, _file(content)))
        numbers = once.select_dtypes("number").columns
        assert np.allclose(once[numbers], again[numbers], atol=1e-4, equal_nan=True)
    worse = [f"{name} {severity}" for name in few for severity in range(1, 6)]
    assert changes([run], Path("conditions.csv"), lambda _: worse) == []
    rows = read_rows(Path("conditions.csv"), ConditionRow)
    (mean,) = [row for row in rows if row.condition == MEAN]
    score = Metric.ACCURACY if task == "classification" else Metric.DICE
    after = [r.after for r in rows if r.metric is score and r.condition != MEAN]
    assert len(after) == 10 and mean.after == pytest.approx(np.mean(after))
    # Every patient has as many organs and frames, so that the mean over patients is that over rows.
    kept = scored_under(run, MEAN)
    assert kept is not None and kept.mean() == pytest.approx(mean.after)
    assert list(kept.index) == list(read(run).scored().index)  # type: ignore[union-attr]
    is_baseline = run.method in ("resnet18", "unet")
    # Measured against itself a baseline has 1, unless it makes no error at all.
    assert is_baseline and mean.relative == (None if mean.after == 1 else pytest.approx(1.0))


def test_an_evaluation_that_was_stopped_has_no_row(
    done: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"pixelate": CT["pixelate"]}
    monkeypatch.setattr(other, "corruptions_of", lambda *_: few)
    run = done("classification")
    other.evaluate_under(run, "shifted")
    other.evaluate_under(run, "calibrated")
    worse = [f"{name} {k}" for name in ("pixelate", "jpeg") for k in range(1, 6)]
    (said,) = changes([run], Path("conditions.csv"), lambda _: worse)
    assert said.endswith("/seed0: 5 of 10 corruptions and severities")
    rows = read_rows(Path("conditions.csv"), ConditionRow)
    assert rows and all(row.condition.startswith("calibrated") for row in rows)


def _file(content: bytes) -> Path:
    file = Path("again.csv")
    file.write_bytes(content)
    return file


def test_outside_data_are_all_tested_and_scans_stay_whole(
    done: Tiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = done("classification")
    monkeypatch.setenv("MEDNEXT_LOCAL", str(tmp_path / "local"))
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    random = np.random.default_rng(0)
    for klass in ("COVID", "NonCOVID"):
        (tmp_path / "local/elsewhere" / klass).mkdir(parents=True)
        for number in (1, 2, 3, 7, 8):
            pixels = random.integers(0, 255, (40, 50), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "local/elsewhere" / klass / f"img{number}.png")
    assert other.evaluate_under(run, "external", "elsewhere") == ["external.elsewhere"]
    ((name, found),) = conditions(run)
    assert name == "external: elsewhere" and len(found.table) == 10
    groups = dict(zip(found.table.path, found.table.group, strict=True))
    assert len(set(groups.values())) == 4
    assert groups["COVID/img1.png"] == groups["COVID/img3.png"] != groups["COVID/img7.png"]
    label = dict(zip(found.table.path, found.table.label, strict=True))
    assert label["COVID/img1.png"] == 1 and label["NonCOVID/img1.png"] == 0
    changes([run], Path("conditions.csv"), lambda _: [])
    row = next(r for r in read_rows(Path("conditions.csv"), ConditionRow) if r.metric == "accuracy")
    assert row.after == (found.table.label == found.table.prediction).mean()
    assert (row.n_cases, row.n_groups) == (10, 4)
    kept = scored_under(run, "external: elsewhere")
    assert kept is not None and list(kept.index) == found.table.group.tolist()
    assert kept.tolist() == (found.table.label == found.table.prediction).tolist()
    assert scored_under(run, "external: nowhere") is None


def test_what_cannot_be_done_is_said(done: Tiny) -> None:
    run = done("segmentation")
    with pytest.raises(UserError, match="nothing to fit a temperature on"):
        other.evaluate_under(run, "calibrated")
    with pytest.raises(UserError, match="other classes"):
        other.evaluate_under(run, "external", "acdc")
