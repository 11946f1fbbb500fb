"""A user's own images are read and never written."""

from __future__ import annotations

import tracemalloc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mednext.config import RunConfig
from mednext.errors import UserError
from mednext.files import sha256_file
from mednext.training import predict_folder as streamed
from mednext.training import train as engine
from mednext.training.predict_folder import predict_folder

Tiny = Callable[..., RunConfig]


def images(folder: Path, *names: str) -> dict[Path, str]:
    """Pictures of noise, and their digests."""
    random = np.random.default_rng(0)
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (40, 36), dtype=np.uint8)).save(file)
    return {folder / name: sha256_file(folder / name) for name in names}


@pytest.mark.parametrize("out", ["mine", "mine/labels", "mine/../mine"])
@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_results_among_the_images_are_refused(
    tiny: Tiny, tmp_path: Path, task: str, out: str
) -> None:
    digests = images(tmp_path / "mine", "a.png", "b.png")
    place = out if task == "segmentation" else "mine/b.png"
    with pytest.raises(UserError, match=r"the images, and overwrite them(.|\n)*remedy"):
        predict_folder(tiny(task), "last", tmp_path / "mine", tmp_path / place)
    assert {file: sha256_file(file) for file in digests} == digests
    assert len(list((tmp_path / "mine").iterdir())) == 2


@pytest.mark.parametrize("pair", [("a.png", "a.PNG"), ("a.png", "A.png")])
def test_two_images_of_one_name_are_refused(
    tiny: Tiny, tmp_path: Path, pair: tuple[str, str]
) -> None:
    images(tmp_path / "mine", *pair)
    with pytest.raises(UserError, match=r"two results would be one file(.|\n)*rename one of them"):
        predict_folder(tiny("segmentation"), "last", tmp_path / "mine", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_result_that_is_a_link_to_an_image_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    digests = images(tmp_path / "mine", "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.png").symlink_to(tmp_path / "mine/a.png")
    with pytest.raises(UserError, match="an image would be overwritten"):
        predict_folder(tiny("segmentation"), "last", tmp_path / "mine", tmp_path / "out")
    assert {file: sha256_file(file) for file in digests} == digests


@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_elsewhere_each_image_has_its_result(tiny: Tiny, tmp_path: Path, task: str) -> None:
    run: Any = tiny(task, epochs=1)
    engine.train(run)
    digests = images(tmp_path / "mine", "a.png", "b.png")
    out = tmp_path / ("out" if task == "segmentation" else "out.csv")
    predict_folder(run, "last", tmp_path / "mine", out)
    if task == "segmentation":
        assert sorted(file.name for file in out.iterdir()) == ["a.png", "b.png"]
        with Image.open(out / "a.png") as labels:
            assert labels.size == (36, 40)
    else:
        assert pd.read_csv(out).path.tolist() == ["a.png", "b.png"]
    assert {file: sha256_file(file) for file in digests} == digests


def test_memory_does_not_grow_with_the_number_of_images(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: Any = tiny("classification", epochs=1)
    engine.train(run)
    many = (24, 48, 96)
    names = [f"{k:03}.png" for k in range(many[-1])]
    images(tmp_path / "all", *names)
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    at_once: list[int] = []
    decode = streamed.resized

    def counted(*arguments: Any) -> np.ndarray:
        found = decode(*arguments)
        alive.add(found := Kept(found))
        at_once.append(len(alive))
        return found

    class Kept(np.ndarray):
        """Hashable, as a weak set needs it."""

        def __new__(cls, values: np.ndarray) -> Any:
            return values.view(cls)

        __hash__ = object.__hash__  # type: ignore[assignment]

    monkeypatch.setattr(streamed, "resized", counted)
    peaks, most = {}, {}
    for count in many:
        folder = tmp_path / str(count)
        folder.mkdir()
        for name in names[:count]:
            (folder / name).hardlink_to(tmp_path / "all" / name)
        at_once.clear()
        tracemalloc.start()
        predict_folder(run, "last", folder, tmp_path / f"{count}.csv")
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        most[count] = max(at_once)
        assert len(pd.read_csv(tmp_path / f"{count}.csv")) == count
    assert most[96] <= 3 * run.batch_size + 2  # read ahead, in a batch, and in work
    assert peaks[96] - peaks[48] < 48 * 3000  # bytes: names, sizes, times and digests stay
