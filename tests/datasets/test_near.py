"""Perceptual near-duplicates: what a copy may look like, and why the committed radius."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance, ImageOps

from mednext.config import DatasetRun, benchmarks_dir
from mednext.datasets.calibrate import (
    CHANGES,
    MILD,
    calibrate,
    cross_distances,
    distances_of_pairs,
    fix_radius,
)
from mednext.datasets.groups import components, thumbnail
from mednext.datasets.near import (
    VARIANTS,
    codes,
    fixed_radius,
    near_graph,
    near_links,
    unpacked,
    variants,
)
from mednext.datasets.phantom.sars_cov2_ct import draw
from mednext.errors import UserError


def slice_of(number: int) -> Image.Image:
    pixels = draw(np.random.default_rng([3, number]), disease=bool(number % 2))
    return Image.fromarray(pixels).resize((128, 128), Image.Resampling.BICUBIC)


def packed(images: list[Image.Image]) -> np.ndarray:
    return np.stack([codes(thumbnail(image)) for image in images])


def jpeg(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=40)
    return Image.open(stream).convert("L")


def test_the_bits_are_imagehashs() -> None:
    small = thumbnail(slice_of(0))
    bits = unpacked(codes(small))
    assert bits.shape == (len(VARIANTS), 256)
    for number, image in enumerate(variants(Image.fromarray(small))):
        expected = imagehash.phash(image, hash_size=16, highfreq_factor=2)
        ours = imagehash.ImageHash(bits[number].reshape(16, 16))
        assert ours - expected == 0
    # the first is the image itself, the second its mirror image
    assert np.array_equal(variants(Image.fromarray(small))[1], small[:, ::-1])


@pytest.mark.parametrize(
    "change",
    [
        ImageOps.mirror,
        jpeg,
        lambda i: ImageEnhance.Brightness(i).enhance(0.8),
        lambda i: i.resize((300, 200)),
        lambda i: i.rotate(4, Image.Resampling.BICUBIC),
        lambda i: i.resize(i.size, box=(4, 4, 124, 124)),
    ],
    ids=["mirrored", "jpeg", "darker", "resized", "rotated", "cropped"],
)
def test_a_changed_copy_is_found_among_others(
    change: Callable[[Image.Image], Image.Image],
) -> None:
    others = [slice_of(n) for n in range(12)]
    node, (left, right) = near_graph(packed([*others, change(others[5])]), fixed_radius())
    assert len(set(node)) == 13
    assert list(zip(left, right, strict=True)) == [tuple(sorted((node[5], node[12])))]


def test_equal_images_are_one_node_and_join_their_duplicates() -> None:
    images = [slice_of(0), slice_of(1), slice_of(0), slice_of(0), ImageOps.mirror(slice_of(0))]
    all_codes = packed(images)
    node, (left, _) = near_graph(all_codes, fixed_radius())
    assert node[0] == node[2] == node[3] and len(set(node)) == 3 and len(left) == 1
    group = components(5, [near_links(all_codes, fixed_radius())])
    assert len(set(group[[0, 2, 3, 4]])) == 1 and group[1] != group[0]


def test_distances_agree_with_the_search() -> None:
    images = [slice_of(n) for n in range(8)]
    images += [i.rotate(3) for i in images]
    all_codes = packed(images)
    labels = np.asarray(["a", "b"] * 8)
    radius = 70
    node, (left, right) = near_graph(all_codes, radius)
    found = {tuple(sorted((int(a), int(b)))) for a, b in zip(left, right, strict=True)}
    rows = np.argsort(node)  # every image is a node of its own
    for i in range(16):
        for j in range(i + 1, 16):
            apart = distances_of_pairs(all_codes[rows[[i]]], all_codes[rows[[j]]])[0]
            assert (apart <= radius) == ((i, j) in found)
    expected = [
        distances_of_pairs(all_codes[[i]], all_codes[[j]])[0]
        for i in range(16)
        for j in range(16)
        if labels[i] == "a" and labels[j] == "b"
    ]
    assert sorted(cross_distances(all_codes, all_codes, labels)) == sorted(expected)


def test_the_radius_finds_99_percent_of_the_copies_of_each_change() -> None:
    easy, hard = np.arange(1, 101) // 10, np.arange(1, 101)
    # 99 of the 100 distances 1 to 100 are within 99, and not within 98
    assert fix_radius([easy, hard]) == fix_radius([hard]) == 99
    assert fix_radius([easy]) == 9
    assert fix_radius([np.asarray([5] * 200 + [90])]) == 5


def test_the_committed_calibration_is_of_this_code() -> None:
    table = pd.read_csv(benchmarks_dir() / "near_duplicates.csv", keep_default_na=False)
    assert list(zip(table.change, table.strength, strict=True)) == list(CHANGES)
    assert {"flip", "jpeg", "crop", "rotation", "brightness"} < set(table.change)
    assert set(table.radius) == {fixed_radius()} and 0 < fixed_radius() < 128
    assert (table.recall_count <= table.recall_of).all() and (table.recall_of > 1000).all()
    assert np.allclose(table.recall, table.recall_count / table.recall_of, atol=1e-3)
    assert table.recall[0] == 1  # an unchanged image is found
    mild = table[table.fixed_by == 1]
    assert list(zip(mild.change, mild.strength, strict=True)) == list(MILD)
    # 99 % on the half that fixed the radius; the other half is a little harder
    assert (mild.recall > 0.95).all() and (table.false_alarm_high < 1e-4).all()


def test_a_part_of_the_images_is_not_enough(roots: Path, images: Path) -> None:
    run = DatasetRun(source="local", methods=("mednext",), img_size=32, epochs=1, batch_size=1)
    with pytest.raises(UserError, match=r"complete data set(.|\n)*20 images(.|\n)*2481"):
        calibrate(run, roots / "out.csv")
    assert not (roots / "out.csv").exists()


def test_a_damaged_calibration_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "near_duplicates.csv").write_text("radius\n3\n4\n")
    monkeypatch.setattr("mednext.datasets.near.benchmarks_dir", lambda: tmp_path)
    fixed_radius.cache_clear()
    with pytest.raises(UserError, match=r"near_duplicates.csv(.|\n)*one value"):
        fixed_radius()
    fixed_radius.cache_clear()
