from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mednext.cli import main
from mednext.config import DatasetRun, SplitCounts, benchmarks_dir, load_datasets
from mednext.datasets.fetch import fetch
from mednext.datasets.groups import (
    components,
    group_names,
    neighbours,
    same,
    similar,
    thumbnail,
)
from mednext.datasets.lists import LISTS, write_lists
from mednext.datasets.load import limited
from mednext.datasets.prepare import prepare
from mednext.datasets.source import resolve_source
from mednext.datasets.splits import (
    PROTOCOLS,
    crossing_groups,
    grouped_split,
    paper_split,
    proportional,
    split,
)
from mednext.errors import UserError

RUN = DatasetRun(source="local", methods=("unet",), img_size=32, epochs=1, batch_size=2)


def source(dataset: str, kind: str = "local") -> SimpleNamespace:
    return SimpleNamespace(dataset=dataset, kind=kind, spec=load_datasets()[dataset])


def sars_items(normal: int = 1229, covid: int = 1252) -> pd.DataFrame:
    labels = ["normal"] * normal + ["covid19"] * covid
    rows = range(len(labels))
    return pd.DataFrame(
        {"row": rows, "item": [f"{r}.png" for r in rows], "group": [f"g{r}" for r in rows]}
    ).assign(label=labels)


def counts(table: pd.DataFrame, label: str) -> list[int]:
    return [
        int(((table.subset == s) & (table.label == label)).sum()) for s in ("train", "val", "test")
    ]


def test_the_complete_set_is_split_as_table_1() -> None:
    table = paper_split(source("sars_cov2_ct"), RUN, sars_items())
    assert counts(table, "normal") == [737, 246, 246]
    assert counts(table, "covid19") == [751, 251, 250]


def test_a_sample_is_split_in_proportion() -> None:
    table = paper_split(source("sars_cov2_ct"), RUN, sars_items(50, 50))
    # 50 * 737 / 1229 = 29.98, 50 * 246 / 1229 = 10.008
    assert counts(table, "normal") == [30, 10, 10]


def test_the_same_split_every_time_and_not_the_file_order() -> None:
    first = paper_split(source("sars_cov2_ct"), RUN, sars_items())
    again = paper_split(source("sars_cov2_ct"), RUN, sars_items())
    assert first.equals(again)
    assert first.subset[:737].nunique() == 3


@given(st.integers(3, 3000), st.lists(st.integers(1, 2000), min_size=3, max_size=3))
def test_proportional_shares(total: int, shares: list[int]) -> None:
    parts = proportional(total, shares)
    assert sum(parts) == total
    assert min(parts) >= 1
    for part, share in zip(parts, shares, strict=True):
        # a share off by one whole item is rounding; a forced minimum may take two more
        assert abs(part - total * share / sum(shares)) < 3


@given(st.lists(st.integers(0, 12), min_size=12, max_size=80), st.integers(0, 3))
def test_grouped_keeps_every_group_on_one_side(groups: list[int], seed: int) -> None:
    items = sars_items(len(groups) // 2, len(groups) - len(groups) // 2)
    items["group"] = [f"near{g}" for g in groups]
    paper = paper_split(source("sars_cov2_ct"), RUN, items)
    table = grouped_split(source("sars_cov2_ct"), paper)
    assert crossing_groups(table) == 0
    assert set(table.subset) <= {"train", "val", "test"}
    assert table.row.tolist() == items.row.tolist()


def test_acdc_follows_the_official_lists(local_data: Callable[[str], Path]) -> None:
    root = local_data("acdc")
    patients = [f"patient{n:03d}" for n in range(1, 101)]
    items = pd.DataFrame({"row": range(100), "item": patients, "group": patients, "label": ""})
    table = paper_split(source("acdc"), RUN, items)
    for subset, size in (("train", 70), ("val", 10), ("test", 20)):
        lines = (root / f"{subset}.list").read_text().split()
        # the list has ED and ES of each patient as frame01 and frame02
        assert len(lines) == 2 * size
        expected = {line.split("_")[0] for line in lines}
        assert set(table.group[table.subset == subset]) == expected


def test_copies_of_an_image_are_one_group() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (6, 32, 32), dtype=np.uint8)
    images[4] = np.clip(images[1] * 0.9 + 5, 0, 255)  # darker copy: the same correlation
    groups = components(6, [similar(images, 0.97)])
    assert groups[4] == groups[1]
    assert len(set(groups)) == 5


def test_links_by_name_by_content_and_by_number_join_into_groups() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (6, 32, 32), dtype=np.uint8)
    images[3] = images[2]  # a copy in another patient
    # half of image 5 is image 4: alike, but no near-duplicate
    images[5, :16] = images[4, :16]
    patients = ["a", "a", "b", "c", "", ""]
    labels, order = ["x"] * 6, [-1, -1, -1, -1, 8, 9]
    links = [
        same(patients),
        similar(images, 0.97),
        neighbours(images, labels, order, 0.3),
    ]
    names = group_names(components(6, links), patients)
    assert names[:4] == ["a", "a", "b+c", "b+c"]
    assert names[4] == names[5] and names[4].startswith("near")
    # other classes or other numbers are no neighbours, whatever they show
    for other in (["x"] * 5 + ["y"], labels):
        numbers = order if other is not labels else [-1, -1, -1, -1, 8, 10]
        assert len(neighbours(images, other, numbers, 0.3)[0]) == 0


def test_pairs_of_many_images_are_those_of_the_whole_matrix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mednext.datasets.groups.BLOCK", 7)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (10, 32, 32), dtype=np.uint8)[random.integers(0, 10, 40)]
    flat = images.reshape(40, -1)
    expected = {
        (i, j) for i in range(40) for j in range(i + 1, 40) if np.array_equal(flat[i], flat[j])
    }
    assert set(zip(*similar(images, 0.99), strict=True)) == expected


@pytest.mark.parametrize(("limit", "unused"), [((10, 4, 4), 1), (None, 0)])
def test_a_limit_keeps_the_class_proportions(
    limit: tuple[int, int, int] | None, unused: int
) -> None:
    table = paper_split(source("sars_cov2_ct"), RUN, sars_items(100, 300))
    bound = SplitCounts(train=limit[0], val=limit[1], test=limit[2]) if limit else None
    table["subset"] = limited(table, bound, "classification", "sars_cov2_ct")
    assert ((table.subset == "unused").sum() > 0) == bool(unused)
    if limit:
        # one in four is normal: 2.5 of 10 rounds to 2 or 3, 1 of 4
        assert counts(table, "normal")[0] in (2, 3)
        assert counts(table, "normal")[1:] == [1, 1]
        assert [
            sum(c) for c in zip(counts(table, "normal"), counts(table, "covid19"), strict=True)
        ] == list(limit)


def test_a_thumbnail_is_the_mean_of_its_area() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96), dtype=np.uint8)
    small = thumbnail(Image.fromarray(pixels))
    expected = pixels.reshape(32, 2, 32, 3).mean(axis=(1, 3))
    assert small.shape == (32, 32) and np.abs(small - expected).max() <= 1  # rounding


def test_grouped_split_comes_near_the_counts_of_each_class() -> None:
    items = sars_items()
    items["group"] = [f"near{row // 3}" for row in items.row]  # groups of three
    paper = paper_split(source("sars_cov2_ct"), RUN, items)
    assert crossing_groups(paper) > 0
    table = grouped_split(source("sars_cov2_ct"), paper)
    for label in ("normal", "covid19"):
        for ours, printed in zip(counts(table, label), counts(paper, label), strict=True):
            assert abs(ours - printed) <= 3


def test_grouped_is_the_paper_split_where_no_patient_crosses(volumes: Path) -> None:
    for step in (fetch, prepare):
        step("acdc", RUN)
    paths = resolve_source("acdc", RUN).paths
    for protocol in ("paper", "grouped"):
        split("acdc", RUN, protocol)
    assert paths.split("paper").read_bytes() == paths.split("grouped").read_bytes()
    table = pd.read_csv(paths.split("paper"), keep_default_na=False)
    assert table.columns.tolist() == ["row", "item", "group", "label", "subset"]
    # 5 patients as 70 : 10 : 20 are 3.5, 0.5 and 1: the first remainder wins, val gets its one
    assert table.groupby("subset").group.nunique().to_dict() == {"train": 3, "val": 1, "test": 1}
    assert crossing_groups(table) == 0


def test_near_duplicate_groups_do_not_depend_on_the_training_size(images: Path) -> None:
    files = []
    for size in (32, 96):
        run = RUN.model_copy(update={"img_size": size})
        fetch("sars_cov2_ct", run)
        prepare("sars_cov2_ct", run)
        split("sars_cov2_ct", run, "grouped")
        files.append(resolve_source("sars_cov2_ct", run).paths.split("grouped").read_bytes())
    assert files[0] == files[1]


def test_patients_are_limited_whole() -> None:
    patients = [f"patient{n:03d}" for n in range(1, 101) for _ in range(2)]
    items = pd.DataFrame({"row": range(200), "item": range(200), "group": patients, "label": ""})
    table = paper_split(source("acdc"), RUN, items)
    table["subset"] = limited(table, SplitCounts(train=20, val=4, test=20), "segmentation", "acdc")
    used = table[table.subset != "unused"]
    assert used.groupby("subset").group.nunique().to_dict() == {"train": 20, "val": 4, "test": 20}
    assert (used.groupby("group").size() == 2).all()


def test_a_split_has_its_hash_and_its_command_beside_it(images: Path, tmp_path: Path) -> None:
    config = tmp_path / "toy.yaml"
    entry = RUN.model_dump(mode="json", exclude_none=True) | {"methods": ["resnet18"]}
    values = {"profile": "toy", "seeds": [0], "threads": 1, "datasets": {"sars_cov2_ct": entry}}
    config.write_text(yaml.safe_dump(values))
    fetch("sars_cov2_ct", RUN)
    prepare("sars_cov2_ct", RUN)
    words = ["datasets", "split", "--configfile", str(config)]
    words += ["--dataset", "sars_cov2_ct", "--protocol", "grouped"]
    assert main(words) == 0
    paths = resolve_source("sars_cov2_ct", RUN).paths
    facts = json.loads(paths.split_facts("grouped").read_text())
    first = paths.split("grouped").read_bytes()
    assert facts["sha256"] == hashlib.sha256(first).hexdigest()
    assert facts["counts"] == {"train": 12, "val": 4, "test": 4}  # 10 of a class: 6, 2, 2
    assert facts["groups_in_two_subsets"] == 0
    program, *again = shlex.split(facts["command"])
    paths.split("grouped").unlink()
    assert program == "mednext" and main(again) == 0
    assert paths.split("grouped").read_bytes() == first


def test_the_committed_lists_are_made_from_the_published_ones(
    local_data: Callable[[str], Path], tmp_path: Path
) -> None:
    for folder in ("acdc", "synapse-lists", "monkeypox-skin-lesion-dataset"):
        local_data(folder)
    write_lists(tmp_path)
    committed = benchmarks_dir() / "splits"
    assert {f.name for f in tmp_path.iterdir()} == {f"{name}.csv" for name in LISTS} | {
        "SHA256SUMS"
    }
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (committed / file.name).read_bytes(), file.name


def test_a_published_list_that_is_damaged(roots: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"published list is missing(.|\n)*train.list"):
        write_lists(tmp_path / "out")
    (roots / "acdc").mkdir()
    for subset in ("train", "val", "test"):
        (roots / "acdc" / f"{subset}.list").write_text("patient001_frame01\n")
    with pytest.raises(
        UserError, match=r"one group in two subsets(.|\n)*patient001 in train and val"
    ):
        write_lists(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@given(
    st.sampled_from(sorted(load_datasets())),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=6, max_size=60),
    st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_grouped_of_every_data_set_parts_no_group(
    dataset: str, rows: list[tuple[int, int]], related: int
) -> None:
    """Patients, and patients that are related by a copy, whatever the sizes of the groups."""
    spec = load_datasets()[dataset]
    labels = [c.slug for c in spec.classes]
    images = spec.task == "classification"
    table = pd.DataFrame(
        {
            "row": range(len(rows)),
            "item": [f"{n}" for n in range(len(rows))],
            "label": [labels[klass] if images else "" for klass, _ in rows],
            "group": [f"patient{patient}" for _, patient in rows],
        }
    )
    if not images:
        table["linked"] = [
            "a+b" if patient < related else f"patient{patient}" for _, patient in rows
        ]
    found = PROTOCOLS["grouped"](source(dataset), RUN, table)
    assert crossing_groups(found) == 0
    assert set(found.subset) <= {"train", "val", "test"}
    assert found.row.tolist() == table.row.tolist()
    for name in {"group", "linked"} & set(table.columns):
        subsets = found.subset.groupby(table[name]).nunique()
        assert (subsets == 1).all()


def test_patients_with_one_volume_in_common_are_not_parted(volumes: Path) -> None:
    folder = volumes / "ACDC_training_volumes"
    shutil.copy(folder / "patient001_frame09.h5", folder / "patient002_frame01.h5")
    for step in (fetch, prepare):
        step("acdc", RUN)
    paths = resolve_source("acdc", RUN).paths
    tables = {}
    for protocol in ("paper", "grouped"):
        split("acdc", RUN, protocol)
        tables[protocol] = pd.read_csv(paths.split(protocol), keep_default_na=False)
    subset = {p: dict(zip(t.group, t.subset, strict=True)) for p, t in tables.items()}
    # the draw for five patients is fixed: it parts the first two
    assert subset["paper"]["patient001"] != subset["paper"]["patient002"]
    assert set(subset["grouped"]) == {
        "patient001+patient002",
        "patient003",
        "patient004",
        "patient005",
    }
