"""Large COVID-19 CT slices: the tables, the patients, the stand-ins, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mednext.config import DatasetRun, SplitCounts, load_datasets
from mednext.datasets import large_covid_ct
from mednext.datasets.fetch import fetch
from mednext.datasets.manifest import Entry
from mednext.datasets.phantom import large_covid_ct as phantom
from mednext.datasets.prepare import prepare, prepared_key
from mednext.datasets.reader import Files
from mednext.datasets.source import Source, resolve_source
from mednext.datasets.splits import PROTOCOLS, crossing_groups
from mednext.datasets.verify import verify
from mednext.errors import UserError
from mednext.files import sha256_file
from mednext.layout import data_root

RUN = DatasetRun(source="local", methods=("mednext",), img_size=32, epochs=1, batch_size=2)
SPEC = load_datasets()["large_covid_ct"]
TABLES = {"normal": "meta_data_normal.csv", "covid19": "meta_data_covid.csv"}


@pytest.fixture
def tree(roots: Path) -> Path:
    phantom.generate(roots / "large_covid_ct", SplitCounts(train=24, val=8, test=8), SPEC)
    return roots / "large_covid_ct"


def refused() -> str:
    """The one message with which the data set is refused; nothing is said to be verified."""
    with pytest.raises(UserError) as caught:
        fetch("large_covid_ct", RUN)
        verify("large_covid_ct", RUN)
    assert not list(data_root().rglob("verified.json"))
    assert "remedy:" in str(caught.value) and "file:" in str(caught.value)
    return str(caught.value)


def test_the_complete_set_is_split_as_table_1_and_by_patient(
    local_data: Callable[[str], Path],
) -> None:
    """The real tables; of the images only the names are needed."""
    root = local_data("large-covid19-ct-slice")
    entries, patients = [], {}
    for slug, folder in large_covid_ct.ORIGINAL.folders.items():
        # latin-1: the tables are not UTF-8
        table = pd.read_csv(root / TABLES[slug], encoding="latin-1", dtype=str)
        for name, patient in zip(table["File name"], table["Patient ID"], strict=True):
            path = f"curated_data/curated_data/{folder}/{name}"
            entries.append(Entry(path, 0, ""))
            patients[path] = patient.strip()  # some begin with a no-break space
        file = root / TABLES[slug]
        entries.append(Entry(file.name, file.stat().st_size, sha256_file(file)))
    items = large_covid_ct.items(Files(root, entries), SPEC)
    assert len(items) == 6893 + 7593
    assert {i.path: i.patient for i in items} == patients
    index = pd.DataFrame(
        {
            "row": range(len(items)),
            "item": [i.name for i in items],
            "label": [i.label for i in items],
            "group": [i.patient for i in items],
        }
    )
    source = Source("large_covid_ct", SPEC, "local", "local-0", root, None)
    for protocol in ("paper", "grouped"):
        table = PROTOCOLS[protocol](source, RUN, index)
        tall = pd.crosstab(table.label, table.subset)[["train", "val", "test"]]
        found = {c.slug: tall.loc[c.slug].tolist() for c in SPEC.classes}
        if protocol == "paper":
            assert found == {"normal": [4136, 1379, 1378], "covid19": [4556, 1519, 1518]}
            assert crossing_groups(table) > 500
        else:
            assert crossing_groups(table) == 0
            for c in SPEC.classes:
                near = zip(found[c.slug], c.paper_split or (), strict=True)
                assert all(abs(ours - printed) <= 60 for ours, printed in near)


def test_a_slice_is_prepared_as_pillow_reads_it(tree: Path) -> None:
    fetch("large_covid_ct", RUN)
    verify("large_covid_ct", RUN)
    prepare("large_covid_ct", RUN)
    paths = resolve_source("large_covid_ct", RUN).paths
    folder = paths.prepared(prepared_key("large_covid_ct", 32))
    index = pd.read_csv(folder / "index.csv")
    arrays = np.load(folder / "images.npy", mmap_mode="r")
    assert arrays.shape == (40, 1, 37, 37) and not index["item"].str.contains("3CAP").any()
    modes = set(pd.read_csv(paths.items)["mode"])
    assert len(modes) > 1  # the files' own; all were brought to one
    for row in (0, 25):
        with Image.open(tree / index["item"][row]) as image:
            grey = image.convert("RGB").convert("L").resize((37, 37), Image.Resampling.BICUBIC)
        assert np.array_equal(arrays[row, 0], np.asarray(grey))


@pytest.mark.parametrize(
    ("folder", "normal", "covid", "known"),
    [("covid-ct-ucsd", 51, 45, 96), ("ct-slices-512", 150, 150, 300)],
)
def test_the_stand_ins_say_what_they_are(
    local_data: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: str,
    normal: int,
    covid: int,
    known: int,
) -> None:
    local_data(folder)
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path))
    run = RUN.model_copy(update={"folder": folder})
    fetch("large_covid_ct", run)
    verify("large_covid_ct", run)
    out = capsys.readouterr().out
    assert f"({normal} normal, {covid} covid19)" in out and "STAND-IN" in out
    items = pd.read_csv(resolve_source("large_covid_ct", run).paths.items, keep_default_na=False)
    assert int((items.patient.astype(str) != "").sum()) == known


def without(*names: str) -> Callable[[Path], object]:
    def change(tree: Path) -> None:
        for name in names:
            target = tree / name
            shutil.rmtree(target) if target.is_dir() else target.unlink()

    return change


def table_with(**values: object) -> Callable[[Path], object]:
    def change(tree: Path) -> None:
        file = tree / "meta_data_covid.csv"
        rows = pd.read_csv(file, encoding="latin-1")
        for column, value in values.items():
            rows.loc[1, column.replace("_", " ")] = value
        rows.to_csv(file, index=False, encoding="latin-1")

    return change


def two_patients(tree: Path) -> None:
    file = tree / "meta_data_covid.csv"
    rows = pd.read_csv(file, encoding="latin-1")
    again = rows.iloc[[0]].assign(**{"Patient ID": "somebody else"})
    pd.concat([rows, again]).to_csv(file, index=False, encoding="latin-1")


BASE = "curated_data/curated_data"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("curated_data"), ["does not hold the data set", "1NonCOVID and 2COVID"]),
        (without(f"{BASE}/2COVID"), ["'covid19' is missing", "2COVID"]),
        (without("meta_data_normal.csv"), ["patient table is missing", "meta_data_normal.csv"]),
        (
            lambda t: (t / "meta_data_covid.csv").write_text("File name;Patient ID\na.png;1\n"),
            ["cannot be read", "meta_data_covid.csv", "columns File name, Patient ID"],
        ),
        (
            lambda t: (t / "meta_data_covid.csv").write_bytes(b""),
            ["cannot be read", "meta_data_covid.csv"],
        ),
        (
            table_with(**{"COVID-19 Infection": "CAP"}),
            ["row of another class", "CAP", "expected: COVID-19"],
        ),
        (two_patients, ["one image to two patients", "somebody else"]),
    ],
    ids=["nothing", "no class", "no table", "other columns", "empty table", "other class", "twice"],
)
def test_bad_trees(tree: Path, change: Callable[[Path], object], words: list[str]) -> None:
    change(tree)
    message = refused()
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("name", ["a%2e%2e.png", "a b [1] (2).png", "é\u0301.png", "-rf.png"])
def test_strange_file_names_are_files(tree: Path, name: str) -> None:
    shutil.copy(next((tree / BASE / "2COVID").iterdir()), tree / BASE / "2COVID" / name)
    fetch("large_covid_ct", RUN)
    verify("large_covid_ct", RUN)
    items = pd.read_csv(resolve_source("large_covid_ct", RUN).paths.items, keep_default_na=False)
    (row,) = items[items["item"] == f"{BASE}/2COVID/{name}"].itertuples()
    assert row.patient == ""  # no table knows it
