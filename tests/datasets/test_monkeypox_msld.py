"""Monkeypox Skin Lesion Dataset: its tree, its patients, its four protocols."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mednext.config import DatasetRun, SplitCounts, benchmarks_dir, load_datasets
from mednext.datasets.counts import dataset_rows
from mednext.datasets.fetch import fetch
from mednext.datasets.phantom import monkeypox_msld as phantom
from mednext.datasets.prepare import prepare, prepared_key
from mednext.datasets.source import resolve_source
from mednext.datasets.splits import PROTOCOLS, crossing_groups, split
from mednext.datasets.verify import verify
from mednext.errors import UserError

RUN = DatasetRun(source="local", methods=("resnet18",), img_size=32, epochs=1, batch_size=2)
SPEC = load_datasets()["monkeypox_msld"]
SOURCE = SimpleNamespace(dataset="monkeypox_msld", kind="local", spec=SPEC)
SUBSETS = ("train", "val", "test")


@pytest.fixture
def tree(roots: Path) -> Path:
    """The phantom as if it were the user's own copy: 8 photographs of each class."""
    phantom.generate(roots / "monkeypox_msld", SplitCounts(train=168, val=28, test=28), SPEC)
    return roots / "monkeypox_msld"


def real_index(root: Path, fold: bool = False) -> pd.DataFrame:
    """What the preparation would list of the complete original, from its list of files."""
    paths = pd.read_csv(root / "original_file_list.csv").path
    parts = {"Augmented": "augmented", "Original": "original"}
    rows = [
        (path, path.split("/")[-1], parts[path.split(" ")[0]])
        for path in paths
        if path.split(" ")[0] in parts
    ]
    names = [name for _, name, _ in rows]
    return pd.DataFrame(
        {
            "row": range(len(rows)),
            "item": [path for path, _, _ in rows],
            "label": ["other" if n.startswith("N") else "monkeypox" for n in names],
            "patient": [n.split("_")[0] for n in names],
            "group": [n.split("_")[0] for n in names],
            "part": [part for _, _, part in rows],
            "subset": "",
        }
    )


def counts(table: pd.DataFrame, label: str) -> list[int]:
    return [int(((table.subset == s) & (table.label == label)).sum()) for s in SUBSETS]


def test_the_complete_set_is_split_as_table_1(local_data: Callable[[str], Path]) -> None:
    index = real_index(local_data("monkeypox-skin-lesion-dataset"))
    assert len(index) == 3192 + 228
    table = PROTOCOLS["paper"](SOURCE, RUN, index)
    assert counts(table, "monkeypox") == [999, 215, 214]
    assert counts(table, "other") == [1234, 265, 265]
    # photographs are not counted, and by image hardly any patient stays on one subset
    assert set(table.subset[table.part == "original"]) == {"outside"}
    assert crossing_groups(table) > 150


def test_fold1_is_the_authors_split(local_data: Callable[[str], Path]) -> None:
    root = local_data("monkeypox-skin-lesion-dataset")
    table = PROTOCOLS["fold1"](SOURCE, RUN, real_index(root))
    paths = pd.read_csv(root / "original_file_list.csv").path
    for part, subset in (("Train", "train"), ("Val", "val"), ("Test", "test")):
        theirs = {p.split("/")[-1] for p in paths if p.startswith(f"Fold1/Fold1/Fold1/{part}/")}
        ours = {p.split("/")[-1] for p in table.item[table.subset == subset]}
        assert ours == theirs
    assert counts(table, "monkeypox") == [980, 168, 20]  # README of the data
    assert counts(table, "other") == [1162, 252, 25]
    assert crossing_groups(table) == 0


def test_grouped_originals_of_the_complete_set(local_data: Callable[[str], Path]) -> None:
    index = real_index(local_data("monkeypox-skin-lesion-dataset"))
    grouped = PROTOCOLS["grouped"](SOURCE, RUN, index)
    table = PROTOCOLS["grouped_originals"](SOURCE, RUN, index)
    assert crossing_groups(grouped) == crossing_groups(table) == 0
    for label, printed in (("monkeypox", (999, 215, 214)), ("other", (1234, 265, 265))):
        ours = counts(grouped, label)
        assert sum(ours) == sum(printed)
        # whole photographs: 14 images; whole patients: a few photographs
        assert max(abs(a - b) for a, b in zip(ours, printed, strict=True)) <= 28
        assert counts(table, label) == [ours[0], ours[1], ours[2] // 14]
    assert set(table.part[table.subset == "test"]) == {"original"}
    assert set(table.part[table.subset.isin(["train", "val"])]) == {"augmented"}


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(1, 4)), min_size=8, max_size=30),
    st.integers(0, 5),
)
@settings(max_examples=40, deadline=None)
def test_no_protocol_but_paper_shares_a_patient(
    patients: list[tuple[int, int]], joined: int
) -> None:
    rows = []
    for number, (klass, photographs) in enumerate(patients):
        name = f"{'M' if klass else 'NM'}{number:02d}"
        # some patients are one group, as if they shared a photograph
        group = "shared" if number < joined else name
        for photograph in range(photographs):
            label = "monkeypox" if klass else "other"
            rows.append((f"{name}_{photograph}.jpg", name, group, label, "original"))
            rows += [
                (f"{name}_{photograph}_{c}.jpg", name, group, label, "augmented") for c in range(14)
            ]
    index = pd.DataFrame(rows, columns=["item", "patient", "group", "label", "part"])
    index["row"], index["subset"] = range(len(index)), ""
    for protocol in ("grouped", "grouped_originals"):
        table = PROTOCOLS[protocol](SOURCE, RUN, index)
        used = table[table.subset != "outside"]
        assert (used.groupby("group").subset.nunique() == 1).all()
        assert (used.groupby("patient").subset.nunique() == 1).all()
        assert table.row.tolist() == index.row.tolist()


def test_the_fold_of_the_delivery_is_used_where_it_is_there(tree: Path) -> None:
    for step in (fetch, verify, prepare):
        step("monkeypox_msld", RUN)
    split("monkeypox_msld", RUN, "fold1")
    paths = resolve_source("monkeypox_msld", RUN).paths
    table = pd.read_csv(paths.split("fold1"), keep_default_na=False)
    for part, subset in (("Train", "train"), ("Val", "val"), ("Test", "test")):
        theirs = {f.name for f in (tree / "Fold1/Fold1/Fold1" / part).rglob("*.jpg")}
        ours = table["item"][table.subset == subset]
        assert theirs and theirs == {p.split("/")[-1] for p in ours}


def test_images_are_prepared_in_colour(tree: Path) -> None:
    fetch("monkeypox_msld", RUN)
    prepare("monkeypox_msld", RUN)
    folder = resolve_source("monkeypox_msld", RUN).paths.prepared(
        prepared_key("monkeypox_msld", 32)
    )
    images = np.load(folder / "images.npy", mmap_mode="r")
    index = pd.read_csv(folder / "index.csv")
    assert images.dtype == np.uint8 and images.shape == (2 * 8 * 15, 3, 37, 37)
    row = int(index.index[index["item"].str.endswith("/M01_01.jpg")][0])
    with Image.open(tree / index["item"][row]) as image:
        expected = np.asarray(image.resize((37, 37), Image.Resampling.BICUBIC))
    assert np.array_equal(images[row].transpose(1, 2, 0), expected)
    assert index.patient[row] == "M01" and index.part[row] == "original"


def test_the_real_sample(
    local_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = local_data("monkeypox-skin-lesion-dataset")
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path))
    run = RUN.model_copy(update={"folder": root.name})
    for step in (fetch, verify, prepare):
        step("monkeypox_msld", run)
    source = resolve_source("monkeypox_msld", run)
    report = source.paths.facts.read_text()
    # README of the data: 57 + 74 photographs, 798 + 1036 augmented, 32 + 62 patients
    for fact in ('"monkeypox": 798', '"other": 1036', '"photographs": 131', '"patients": 94'):
        assert fact in report
    tables = {}
    for protocol in SPEC.protocols:
        split("monkeypox_msld", run, protocol)
        tables[protocol] = pd.read_csv(source.paths.split(protocol), keep_default_na=False)
        patient = tables[protocol]["item"].str.extract(r"/(N?M\d+)_", expand=False)
        used = tables[protocol].subset != "outside"
        crossing = (tables[protocol][used].groupby(patient[used]).subset.nunique() > 1).sum()
        assert (crossing > 0) == (protocol in ("paper", "overlap_in"))
    listed = pd.read_csv(benchmarks_dir() / "splits" / "monkeypox_fold1.csv")
    subsets = dict(zip(listed.group, listed.subset, strict=True))
    fold = tables["fold1"]
    for path, subset in zip(fold["item"], fold.subset, strict=True):
        assert subset in (subsets[re.search(r"/(N?M\d+)_", path)[1]], "outside")
    (other, monkeypox) = dataset_rows("monkeypox_msld", run, "paper")
    # 1036 and 798 in the proportion of Table 1: 724.7, 155.6, 155.6 and 558.3, 120.1, 119.6
    assert (other.train, other.val, other.test, other.total) == (725, 156, 155, 1036)
    assert (monkeypox.train, monkeypox.val, monkeypox.test) == (558, 120, 120)


def remove(tree: Path, pattern: str) -> Path:
    file = sorted(tree.glob(pattern))[0]
    file.unlink()
    return file


def add_a_stranger(tree: Path) -> None:
    folder = tree / "Augmented Images/Augmented Images/Others_augmented"
    next(folder.iterdir()).rename(folder / "M01_01_00.jpg")


def relabel(tree: Path) -> None:
    file = tree / "Monkeypox_Dataset_metadata.csv"
    file.write_text(file.read_text().replace("M01_01,Monkeypox", "M01_01,Non Monkeypox"))


def other_columns(tree: Path) -> None:
    file = tree / "Monkeypox_Dataset_metadata.csv"
    file.write_text(file.read_text().replace("ImageID", "Name"))


def move_in_fold(tree: Path) -> None:
    fold = tree / "Fold1/Fold1/Fold1"
    file = next((fold / "Train/Others").iterdir())
    file.rename(fold / "Val/Others" / file.name)


def forget_in_fold(tree: Path) -> None:
    for file in (tree / "Fold1/Fold1/Fold1").rglob("M01_*.jpg"):
        file.unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda t: remove(t, "Augm*/*/Monkeypox_augmented/M01_01_05.jpg"), ["M01_01", "13 augm"]),
        (lambda t: remove(t, "Original*/*/Monkey Pox/M01_01.jpg"), ["M01_01", "0 photograph"]),
        (add_a_stranger, ["M01_01_00.jpg", "does not belong"]),
        (relabel, ["M01_01", "Non Monkeypox"]),
        (other_columns, ["metadata.csv", "ImageID, Label"]),
        (move_in_fold, ["two subsets", "Val"]),
        (forget_in_fold, ["does not hold patient M01"]),
    ],
    ids=["copy", "photograph", "stranger", "class", "columns", "two-subsets", "incomplete-fold"],
)
def test_bad_trees(tree: Path, damage: Callable[[Path], object], words: list[str]) -> None:
    damage(tree)
    fetch("monkeypox_msld", RUN)
    with pytest.raises(UserError) as caught:
        verify("monkeypox_msld", RUN)
    for word in [*words, "remedy:"]:
        assert word in str(caught.value)
    assert not resolve_source("monkeypox_msld", RUN).paths.facts.exists()


def test_a_missing_table_is_named(tree: Path) -> None:
    (tree / "Monkeypox_Dataset_metadata.csv").unlink()
    with pytest.raises(UserError, match=r"table of the photographs is missing(.|\n)*metadata"):
        fetch("monkeypox_msld", RUN)


def test_too_few_groups_are_refused(tree: Path) -> None:
    for file in tree.rglob("*.jpg"):
        if not re.match(r"N?M01_", file.name):
            file.unlink()
    fetch("monkeypox_msld", RUN)
    prepare("monkeypox_msld", RUN)
    with pytest.raises(UserError, match=r"too few groups(.|\n)*2 groups"):
        split("monkeypox_msld", RUN, "grouped")
    with pytest.raises(UserError, match=r"no protocol 'random'"):
        split("monkeypox_msld", RUN, "random")
