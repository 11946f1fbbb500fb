"""What the page's case browser shows, from small networks: the same numbers as the case files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from torch import nn

from mednext.config import RunConfig
from mednext.errors import UserError
from mednext.models.cam import cam_layer
from mednext.runs.resolve import first_runs
from mednext.training import explain
from mednext.training import train as engine
from mednext.training.browse import HEAT_SIDE, SIDE, browse, labelled_planes, pictured
from mednext.training.evaluate import evaluate, paths_of, predict

from .conftest import tiny_data, tiny_run

Tiny = Callable[..., RunConfig]


def done(run: RunConfig) -> RunConfig:
    assert engine.train(run).status == "ok"
    predict(run)
    evaluate(run)
    return run


def shown(out: Path) -> dict[str, np.ndarray]:
    with np.load(out) as stored:
        return {name: stored[name] for name in stored.files}


def test_images_with_scores_and_heatmaps(tiny: Tiny, tmp_path: Path) -> None:
    run, out = done(tiny("classification")), tmp_path / "browse.npz"
    browse([run], out)
    found = shown(out)
    # sorted by name, as the case file is not: 18, 20 (class 0), then 17, 19
    assert found["names"].tolist() == [
        f"class {k}/image ({i}).png" for k, i in ((0, 18), (0, 20), (1, 17), (1, 19))
    ]
    assert found["labels"].tolist() == [0, 0, 1, 1]
    cases = pd.read_csv(paths_of(run).cases("last")).set_index("path")
    for n, name in enumerate(found["names"]):
        assert found["scores"][0, n].tolist() == pytest.approx(
            cases.loc[name, ["score_0", "score_1"]].tolist(), abs=1e-6
        )
    assert found["methods"].tolist() == ["resnet18"] and found["seeds"].tolist() == [0]
    assert found["heatmaps"].shape == (1, 4, HEAT_SIDE, HEAT_SIDE)
    assert found["pictured"].tolist() == [0, 1, 2, 3]
    assert found["images"].dtype == np.uint8
    # the crop in the middle that the network saw, unchanged where it is small already
    data = tiny_data(run)
    assert (found["images"][0] == data.images[18, 0, 2:34, 2:34]).all()


def test_volumes_with_masks_and_dice(tiny: Tiny, tmp_path: Path) -> None:
    run, out = done(tiny("segmentation")), tmp_path / "browse.npz"
    browse([run], out)
    found = shown(out)
    assert found["names"].tolist() == ["patient003_ED", "patient004_ED"]
    assert found["pictured"].tolist() == [0, 0, 1, 1]
    assert found["planes"].tolist() == [1, 2, 1, 2]  # slice 0 shows no organ
    assert found["images"].shape == found["truth"].shape == (4, SIDE, SIDE)
    assert found["masks"].shape == (1, 4, SIDE, SIDE)
    cases = pd.read_csv(paths_of(run).cases("last")).set_index(["case", "organ"])
    for n, case in enumerate(found["names"]):
        for k, organ in enumerate(("rv", "myo", "lv")):
            tp, fp, fn = cases.loc[(case, organ), ["tp", "fp", "fn"]]
            # every organ is there, so one that was not found counts 0
            assert found["dice"][0, n, k] == pytest.approx(2 * tp / (2 * tp + fp + fn), abs=1e-6)
    # 40 x 36 pixels: fitted by height to 128 x 115, in the middle; organ 1 in rows 8 to 15
    rows, columns = np.nonzero(found["truth"][0] == 1)
    assert (rows.min(), rows.max()) == (round(8 * 3.2), round(16 * 3.2) - 1)
    assert columns.min() == pytest.approx((128 - 115) // 2 + 4 * 3.2, abs=1)


def test_a_method_without_weights_is_named(tiny: Tiny, tmp_path: Path) -> None:
    run, out = done(tiny("classification")), tmp_path / "browse.npz"
    other = run.model_copy(update={"method": "failed_one"})
    record = paths_of(run).run_json.read_text().replace('"last":', '"none":')
    paths_of(other).root.mkdir(parents=True)
    paths_of(other).run_json.write_text(record)
    browse([other, run], out)
    assert shown(out)["methods"].tolist() == ["resnet18"]
    assert shown(out)["absent"].tolist() == ["failed_one"]
    browse([other], out)
    assert shown(out)["scores"].shape == (0, 4, 2) and len(shown(out)["images"]) == 4


def test_without_evaluation_it_is_a_clear_error(tiny: Tiny, tmp_path: Path) -> None:
    run = done(tiny("classification"))
    paths_of(run).cases("last").unlink()
    with pytest.raises(UserError, match=r"cases\.last\.csv"):
        browse([run], tmp_path / "browse.npz")
    assert not (tmp_path / "browse.npz").exists()


def test_half_of_the_pictures_show_the_worst() -> None:
    scores = np.linspace(0, 1, 101)[None].repeat(2, axis=0)
    scores[:, [10, 60]] = scores[:, [60, 10]]
    found = pictured(scores, 10)
    # the five lowest, then five evenly spaced over the other 96: their first and last among them
    assert found[:5].tolist() == [0, 1, 2, 3, 4] and len(found) == 10
    assert found[5] == 5 and found[-1] == 100
    assert np.ptp(np.diff(found[5:])) <= 1
    assert pictured(scores, 101).tolist() == list(range(101))
    # ranked by the mean over the methods, not by one of them: 0.5 in place 2, 0.4 in place 3
    two = np.ones((2, 8))
    two[:, 2], two[:, 3] = (0.0, 1.0), (0.4, 0.4)
    assert pictured(two, 3).tolist() == [0, 3, 7]


@pytest.mark.parametrize(
    ("labelled", "planes"),
    [
        ((3,), [3]),
        ((1, 2, 3), [1, 2, 3]),
        (range(11), [0, 2, 4, 6, 8, 10]),
        ((), [0, 2, 4, 7, 9, 11]),
    ],
)
def test_slices_with_labels_are_spread(labelled: tuple[int, ...], planes: list[int]) -> None:
    truth = np.zeros((12, 4, 4), np.uint8)
    truth[list(labelled), 0, 0] = 2
    assert labelled_planes(truth) == planes


def test_the_first_seed_of_each_method() -> None:
    runs = [
        tiny_run("classification", method=method, seed=seed, protocol=protocol)
        for protocol in ("paper", "grouped")
        for method in ("mednext", "resnet18")
        for seed in (3, 1)
    ]
    found = first_runs(runs, "sars_cov2_ct", "grouped")
    assert [(r.method, r.seed, r.protocol) for r in found] == [
        ("mednext", 3, "grouped"),
        ("resnet18", 3, "grouped"),
    ]


def test_a_network_that_does_not_describe_its_maps_is_shown_without_heatmaps(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A custom network need not have ``feature_info``; the page is made all the same."""
    run, out = done(tiny("classification")), tmp_path / "browse.npz"
    monkeypatch.setattr(explain, "gradcam_layer", lambda method, model: cam_layer(nn.Flatten()))
    browse([run], out)
    found = shown(out)
    assert found["heatmaps"].shape == (1, 4, HEAT_SIDE, HEAT_SIDE) and not found["heatmaps"].any()
    assert found["scores"].shape == (1, 4, 2) and np.isfinite(found["scores"]).all()
    assert "resnet18: shown without heatmaps: " in capsys.readouterr().err
    figure = tmp_path / "fig6.npz"
    explain.explain_classification([run], [0], figure)
    assert not shown(figure)["heatmaps"].any()
