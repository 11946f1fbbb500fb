"""Every data set goes the whole way to its leakage rows; planted leaks are counted exactly."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from mednext.config import DatasetRun, SplitCounts, load_datasets
from mednext.datasets.fetch import fetch
from mednext.datasets.leakage import leakage_rows
from mednext.datasets.phantom import large_covid_ct, monkeypox_msld, sars_cov2_ct
from mednext.datasets.prepare import prepare
from mednext.datasets.source import resolve_source
from mednext.datasets.splits import split
from mednext.datasets.verify import verify
from mednext.errors import UserError
from mednext.results import Leak, LeakageRow, read_rows, write_rows

COUNTS = {
    "sars_cov2_ct": SplitCounts(train=24, val=8, test=8),
    "monkeypox_msld": SplitCounts(train=168, val=28, test=28),
    "large_covid_ct": SplitCounts(train=48, val=16, test=16),
    "synapse": SplitCounts(train=3, val=0, test=2),
    "acdc": SplitCounts(train=3, val=1, test=1),
}
BY_NAME_GROUP_OR_BYTES = (
    Leak.SAME_BYTES,
    Leak.SAME_PIXELS,
    Leak.SAME_PHOTOGRAPH,
    Leak.SAME_PATIENT,
)


def run_of(dataset: str, source: str, **more: object) -> DatasetRun:
    spec = load_datasets()[dataset]
    base = {
        "source": source,
        "phantom": COUNTS[dataset] if source == "phantom" else None,
        # A phantom without related images cannot be split with and without them.
        "protocols": [p for p in spec.protocols if not p.startswith(("overlap", "cv"))],
        "methods": ["mednext" if spec.task == "classification" else "unet"],
        "img_size": 32,
        "epochs": 1,
        "batch_size": 2,
    }
    return DatasetRun.model_validate(base | more)


def audited(dataset: str, run: DatasetRun) -> dict[tuple[str, Leak], LeakageRow]:
    fetch(dataset, run)
    verify(dataset, run)
    prepare(dataset, run)
    for protocol in run.all_protocols:
        split(dataset, run, protocol)
    return {(row.protocol, row.kind): row for row in leakage_rows(dataset, run)}


def subsets_of(dataset: str, run: DatasetRun, protocol: str = "paper") -> dict[str, str]:
    table = pd.read_csv(resolve_source(dataset, run).paths.split(protocol), keep_default_na=False)
    return dict(zip(table["item"].astype(str), table.subset, strict=True))


def assert_pairs(row: LeakageRow, pairs: list[tuple[str, str]], subsets: dict[str, str]) -> None:
    """The row counts exactly these pairs, on whatever subsets the split has put them."""
    ends = [{subsets[a], subsets[b]} for a, b in pairs]
    assert row.pairs == len(pairs)
    assert row.train_test == ends.count({"train", "test"})
    assert row.train_val == ends.count({"train", "val"})
    assert row.val_test == ends.count({"val", "test"})
    leaking = {
        item
        for pair in pairs
        for item, other in (pair, pair[::-1])
        if (subsets[item], subsets[other]) == ("test", "train")
    }
    assert row.test_overlap == len(leaking)


@pytest.mark.parametrize("dataset", list(COUNTS))
def test_a_clean_phantom_goes_the_whole_way_and_nothing_is_found(roots: Path, dataset: str) -> None:
    run = run_of(dataset, "phantom")
    found = audited(dataset, run)
    assert {protocol for protocol, _ in found} == set(run.all_protocols)
    for protocol in run.all_protocols:
        for kind in (Leak.SAME_BYTES, Leak.SAME_PIXELS):
            assert found[protocol, kind].pairs == 0
        if protocol == "paper" and load_datasets()[dataset].task == "classification":
            continue  # drawn by image: patients are parted
        for kind in (*BY_NAME_GROUP_OR_BYTES, Leak.NEAR_DUPLICATE, Leak.ANY):
            row = found.get((protocol, kind))
            assert row is None or row.test_overlap == 0
            assert row is None or not (row.train_val or row.train_test or row.val_test)
    # what is stored is what was found
    file = roots / "leakage.csv"
    write_rows(file, LeakageRow, list(found.values()))
    assert read_rows(file, LeakageRow) == list(found.values())


@pytest.fixture
def planted(roots: Path) -> Path:
    """A SARS phantom as the user's own: 40 images, into which each test plants its own leaks."""
    spec = load_datasets()["sars_cov2_ct"]
    root = roots / "sars_cov2_ct"
    sars_cov2_ct.generate(root, COUNTS["sars_cov2_ct"], spec)
    return root


def test_planted_copies_are_counted_exactly(planted: Path) -> None:
    run = run_of("sars_cov2_ct", "local")
    clean = audited("sars_cov2_ct", run)
    one, two = "COVID/Covid (3).png", "non-COVID/Non-Covid (9).png"
    new = {n: f"COVID/Covid ({n}).png" for n in (101, 102, 103, 104)}
    shutil.copy(planted / one, planted / new[101])  # a copy within the class
    shutil.copy(planted / two, planted / new[102])  # one in the other class
    with Image.open(planted / one) as image:
        image.convert("RGB").save(planted / new[103], compress_level=9)  # other bytes, same pixels
        ImageOps.mirror(image.convert("RGB")).save(planted / new[104])
    found = audited("sars_cov2_ct", run)
    bytes_ = [(one, new[101]), (two, new[102])]
    pixels = [*bytes_, (one, new[103]), (new[101], new[103])]
    near = [*pixels, *((a, new[104]) for a in (one, new[101], new[103]))]
    subsets = subsets_of("sars_cov2_ct", run)
    assert_pairs(found["paper", Leak.SAME_BYTES], bytes_, subsets)
    assert_pairs(found["paper", Leak.SAME_PIXELS], pixels, subsets)
    assert found["paper", Leak.SAME_BYTES].across_classes == 1
    assert found["paper", Leak.SAME_PIXELS].across_classes == 1
    assert found["paper", Leak.SAME_PIXELS].clusters == 2
    assert found["paper", Leak.SAME_PIXELS].largest_cluster == 3
    # the phantom may have near-duplicates of its own
    row = found["paper", Leak.NEAR_DUPLICATE]
    assert row.pairs == len(near) + clean["paper", Leak.NEAR_DUPLICATE].pairs
    assert row.across_classes == 1 + clean["paper", Leak.NEAR_DUPLICATE].across_classes
    # one and what is like it, two and its copy: each one group, hence in one subset
    table = pd.read_csv(resolve_source("sars_cov2_ct", run).paths.split("grouped"))
    group = dict(zip(table["item"], table.group, strict=True))
    assert len({group[name] for name in (one, new[101], new[103], new[104])}) == 1
    assert group[two] == group[new[102]] != group[one]
    assert found["grouped", Leak.ANY].test_overlap == 0


def test_a_planted_patient_is_counted_exactly(roots: Path) -> None:
    spec = load_datasets()["large_covid_ct"]
    large_covid_ct.generate(roots / "large_covid_ct", COUNTS["large_covid_ct"], spec)
    table = roots / "large_covid_ct" / "meta_data_normal.csv"
    rows = pd.read_csv(table, encoding="latin-1")
    # normal patients 1 and 2 become patient covid19_1
    rows["Patient ID"] = rows["Patient ID"].replace(["normal_1", "normal_2"], "covid19_1")
    rows.to_csv(table, index=False, encoding="latin-1")
    run = run_of("large_covid_ct", "local")
    found = audited("large_covid_ct", run)
    items = pd.read_csv(resolve_source("large_covid_ct", run).paths.items, dtype=str)
    pairs = [
        (a.item, b.item)
        for i, a in enumerate(items.itertuples())
        for b in items.iloc[i + 1 :].itertuples()
        if a.patient == b.patient
    ]
    mixed = items[items.patient == "covid19_1"].label.value_counts()
    row = found["paper", Leak.SAME_PATIENT]
    assert_pairs(row, pairs, subsets_of("large_covid_ct", run))
    assert row.across_classes == mixed["normal"] * mixed["covid19"] > 0
    assert found["grouped", Leak.SAME_PATIENT].train_test == 0


def test_a_planted_photograph_is_counted_exactly(roots: Path) -> None:
    spec = load_datasets()["monkeypox_msld"]
    root = roots / "monkeypox_msld"
    monkeypox_msld.generate(root, COUNTS["monkeypox_msld"], spec)
    run = run_of("monkeypox_msld", "local")
    found = audited("monkeypox_msld", run)
    subsets = subsets_of("monkeypox_msld", run)
    items = [name for name, subset in subsets.items() if subset != "outside"]
    source = {name: name.split("/")[-1][:-7] for name in items}  # M01_01 of M01_01_07.jpg
    pairs = [(a, b) for i, a in enumerate(items) for b in items[i + 1 :] if source[a] == source[b]]
    assert len(pairs) == 16 * 14 * 13 // 2
    assert_pairs(found["paper", Leak.SAME_PHOTOGRAPH], pairs, subsets)
    # tested on the photographs, trained on copies of others
    row = found["grouped_originals", Leak.SAME_PHOTOGRAPH]
    assert row.test_items < row.items and row.test_overlap == 0


def test_a_colour_mode_that_tells_the_class(planted: Path) -> None:
    for file in planted.glob("*/*.png"):
        with Image.open(file) as image:
            changed = image.convert("RGBA" if file.parent.name == "COVID" else "RGB")
        changed.save(file)
    found = audited("sars_cov2_ct", run_of("sars_cov2_ct", "local"))
    row = found["paper", Leak.CUE_COLOUR_MODE]
    assert row.accuracy == 1 and row.ci_low > 0.85 and row.baseline == 0.5
    size = found["paper", Leak.CUE_SIZE]
    assert size.ci_low < 0.5 < size.ci_high


def test_what_must_be_done_first_is_said(planted: Path) -> None:
    run = run_of("sars_cov2_ct", "local")
    steps = [("verify", verify), ("prepare", prepare), ("split", None)]
    fetch("sars_cov2_ct", run)
    for name, step in steps:
        with pytest.raises(UserError, match=f"remedy:   run 'mednext datasets {name}'"):
            leakage_rows("sars_cov2_ct", run)
        if step:
            step("sars_cov2_ct", run)


def test_what_a_limit_leaves_out_is_not_counted(planted: Path) -> None:
    shutil.copy(planted / "COVID/Covid (3).png", planted / "COVID/Covid (101).png")
    limit = SplitCounts(train=4, val=2, test=2)
    found = audited("sars_cov2_ct", run_of("sars_cov2_ct", "local", limit=limit))
    row = found["paper", Leak.SAME_BYTES]
    assert (row.items, row.test_items) == (8, 2)
    assert row.pairs in (0, 1) and np.isfinite(row.largest_cluster)


def test_real_originals(
    local_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = local_data("sars-cov-2-ct-scan")
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path))
    run = run_of("sars_cov2_ct", "local", folder=root.name)
    found = audited("sars_cov2_ct", run)
    digests = Counter(hashlib.sha256(f.read_bytes()).hexdigest() for f in root.glob("*/*.png"))
    copies = sum(n * (n - 1) // 2 for n in digests.values())
    assert copies > 0 and found["paper", Leak.SAME_BYTES].pairs == copies
    assert found["grouped", Leak.ANY].test_overlap == 0
    # Colour mode, size and bytes of the originals give the class away.
    row = found["paper", Leak.CUE_ALL]
    assert row.ci_low is not None and row.baseline is not None and row.ci_low > row.baseline
