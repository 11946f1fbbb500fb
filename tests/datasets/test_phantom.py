"""The phantoms: the originals' quirks, and not to be solved by a linear model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from mednext.config import SplitCounts, load_datasets
from mednext.datasets.phantom import acdc, monkeypox_msld, sars_cov2_ct
from mednext.metrics.statistics import wilson


def test_images_have_the_names_modes_and_sizes_of_the_original(tmp_path: Path) -> None:
    counts = SplitCounts(train=30, val=10, test=10)
    sars_cov2_ct.generate(tmp_path, counts, load_datasets()["sars_cov2_ct"])
    covid = sorted(f.name for f in (tmp_path / "COVID").iterdir())
    normal = {f.name for f in (tmp_path / "non-COVID").iterdir()}
    assert len(covid) == len(normal) == 25
    assert "Covid (1).png" in covid and "Covid (25).png" in covid
    assert "Non-Covid (2).png" not in normal and "Non-Covid (26).png" in normal
    with_modes = [Image.open(f) for f in (tmp_path / "COVID").iterdir()]
    assert {i.mode for i in with_modes} == {"RGB", "RGBA"}
    assert len({i.size for i in with_modes}) > 10


def ct_slice(order: int) -> Image.Image:
    pixels = sars_cov2_ct.draw(np.random.default_rng([7, order]), disease=bool(order % 2))
    return Image.fromarray(pixels)


def skin(order: int) -> Image.Image:
    random, tone = np.random.default_rng([7, order]), np.random.default_rng([8, order])
    return monkeypox_msld.draw(random, tone, disease=bool(order % 2))


@pytest.mark.slow
@pytest.mark.parametrize("draw", [ct_slice, skin])
def test_a_linear_model_on_pixels_stays_near_chance(draw: Callable[[int], Image.Image]) -> None:
    images, labels = [], []
    for order in range(480):
        images.append(np.asarray(draw(order).resize((64, 64))).ravel() / 255)
        labels.append(order % 2)
    model = LogisticRegression(max_iter=300).fit(images[:320], labels[:320])
    hits = int((model.predict(images[320:]) == labels[320:]).sum())
    assert wilson(hits, 160)[1] < 0.7  # balanced classes: accuracy is the balanced accuracy


def test_hearts_are_labelled_as_in_the_original(tmp_path: Path) -> None:
    acdc.generate(tmp_path, SplitCounts(train=1, val=1, test=1), load_datasets()["acdc"])
    folder = tmp_path / "database" / "training" / "patient002"
    info = dict(line.split(": ") for line in (folder / "Info.cfg").read_text().splitlines())
    assert set(info) == {"ED", "ES", "Group", "Height", "NbFrame", "Weight"}
    volume = []
    for frame in (int(info["ED"]), int(info["ES"])):
        stem = folder / f"patient002_frame{frame:02d}"
        image, label = nib.load(f"{stem}.nii.gz"), nib.load(f"{stem}_gt.nii.gz")
        assert image.shape == label.shape
        assert 1.4 <= image.header.get_zooms()[0] <= 1.7
        assert 5 <= image.header.get_zooms()[2] <= 10
        values = np.asarray(label.dataobj)
        assert set(np.unique(values)) == {0, 1, 2, 3}
        assert not values[..., -1].any()  # a slice without label
        volume.append((values == 3).sum())
    assert volume[1] < volume[0]  # the left ventricle is smaller at end-systole
