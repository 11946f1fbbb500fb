"""Predictions, counts per case and what the figures show, from small networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from medpy.metric import binary as medpy
from torch import nn

from mednext.config import RunConfig
from mednext.errors import UserError
from mednext.models.cam import CamLayer
from mednext.training import train as engine
from mednext.training.evaluate import evaluate, native_labels, paths_of, predict
from mednext.training.explain import explain_classification, explain_segmentation, grad_cam

Tiny = Callable[..., RunConfig]


def done(run: RunConfig) -> RunConfig:
    assert engine.train(run).status == "ok"
    predict(run)
    evaluate(run)
    return run


def test_classification_cases(tiny: Tiny) -> None:
    run = done(tiny("classification"))
    cases = pd.read_csv(paths_of(run).cases("last"))
    columns = ["row", "path", "group", "side", "label", "score_0", "score_1", "prediction"]
    assert cases.columns.tolist() == columns
    assert cases.row.tolist() == [17, 18, 19, 20] and cases.label.tolist() == [1, 0, 1, 0]
    assert cases.path[0] == "class 1/image (17).png"
    assert np.allclose(cases.score_0 + cases.score_1, 1)
    assert (cases.prediction == (cases.score_1 > cases.score_0)).all()


def test_segmentation_cases(tiny: Tiny) -> None:
    run = done(tiny("segmentation", epochs=60))
    cases = pd.read_csv(paths_of(run).cases("last"))
    assert cases.case.unique().tolist() == ["patient004_ED", "patient003_ED"]
    assert cases.organ.tolist() == ["rv", "myo", "lv"] * 2
    # 8 rows x 16 columns in two of the three slices: counted on the native 40 x 36
    assert (cases.tp + cases.fn == 2 * 8 * 16).all()
    assert (2 * cases.tp / (2 * cases.tp + cases.fp + cases.fn)).mean() > 0.5
    unknown = cases.case == "patient004_ED"  # without spacing
    assert cases[unknown].hd95_pooled_mm.isna().all()
    assert cases[~unknown].hd95_pooled_mm.notna().all()
    data = engine.load(run)
    truth = data.volume(data.cases[3])[1] == 1
    found = np.load(paths_of(run).predictions("last"))["patient003_ED"] == 1
    row = cases[(cases.case == "patient003_ED") & (cases.organ == "rv")].iloc[0]
    assert row.tp == (truth & found).sum() and row.fp == (~truth & found).sum()
    spaced = medpy.hd95(found, truth, voxelspacing=(10.0, 2.0, 2.0))
    assert row.hd95_pooled_mm == pytest.approx(spaced, abs=1e-6)
    assert row.hd95_pooled_vox == pytest.approx(medpy.hd95(found, truth), abs=1e-6)


def test_label_maps_grow_by_whole_pixels() -> None:
    small = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    grown = native_labels(small, (2, 4, 6))
    assert grown.shape == (2, 4, 6) and grown.dtype == np.uint8
    assert np.array_equal(grown, small.repeat(2, axis=1).repeat(3, axis=2))
    assert native_labels(np.zeros((1, 32, 32), np.uint8), (1, 217, 181)).shape == (1, 217, 181)


def test_evaluating_before_predicting_is_one_message(tiny: Tiny) -> None:
    run = tiny("classification", epochs=1)
    engine.train(run)
    with pytest.raises(UserError, match=r"no predictions(.|\n)*mednext predict"):
        evaluate(run)


class TwoMaps(nn.Module):
    """Two feature maps, the mean of the first minus that of the second is class 1's logit."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.AvgPool2d(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.maps(x)
        logit = (maps[:, 0] - maps[:, 1]).mean((1, 2))
        return torch.stack([-logit, logit], dim=1)


def test_grad_cam_by_hand() -> None:
    images = torch.zeros(2, 3, 16, 16)
    images[:, 0, :8, :8] = 1.0  # speaks for class 1
    images[:, 1, 8:, 8:] = 1.0  # speaks for class 0
    model = TwoMaps()
    found = grad_cam(model, CamLayer(model.maps, lambda out: out), images, torch.tensor([1, 0]))
    assert found.shape == (2, 16, 16) and found.dtype == np.float32
    assert found[0, 0, 0] == 1 and found[0, 15, 15] == 0
    assert found[1, 0, 0] == 0 and found[1, 15, 15] == 1
    assert found.min() >= 0 and found.max() <= 1


def test_heatmaps_of_the_listed_cases(tiny: Tiny, tmp_path: Path) -> None:
    run = done(tiny("classification"))
    out = tmp_path / "fig6.npz"
    explain_classification([run], (0, 1), out)
    with np.load(out) as stored:
        # by name: class 0 has images 18, 20; class 1 has 17, 19
        assert stored["items"].tolist() == [
            f"class {k}/image ({i}).png" for k, i in ((0, 18), (0, 20), (1, 17), (1, 19))
        ]
        assert stored["images"].shape == (4, 32, 32) and stored["images"].dtype == np.uint8
        assert stored["heatmaps"].shape == (1, 4, 32, 32)
        assert stored["heatmaps"].min() >= 0 and stored["heatmaps"].max() <= 1
        assert stored["labels"].tolist() == [0, 0, 1, 1]
        cases = pd.read_csv(paths_of(run).cases("last")).set_index("row")
        expected = cases.loc[[18, 20, 17, 19], ["score_0", "score_1"]].to_numpy()
        assert np.allclose(stored["scores"][0], expected, atol=1e-5)
        assert str(stored["source"]) == "phantom"
    with pytest.raises(UserError, match="ranks from 0 to 1"):
        explain_classification([run], (2,), out)


def test_overlays_of_the_listed_cases(tiny: Tiny, tmp_path: Path) -> None:
    run = done(tiny("segmentation"))
    out = tmp_path / "fig8.npz"
    explain_segmentation([run], (0,), out)
    with np.load(out) as stored:
        assert stored["cases"].tolist() == ["patient003_ED"]
        assert stored["slices"].tolist() == [2]  # of the labelled slices 1, 2
        assert stored["truth"].shape == (1, 36, 36)
        found = np.load(paths_of(run).predictions("last"))["patient003_ED"]
        assert np.array_equal(stored["predictions"][0, 0], found[2, 2:38])
        assert stored["methods"].tolist() == ["unet"]
    with pytest.raises(UserError, match="ranks from 0 to 1"):
        explain_segmentation([run], (2,), out)
