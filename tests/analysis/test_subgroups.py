"""subgroups.csv: levels by hand, a planted deficit found, no level without a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mednext.analysis.cases import Cases
from mednext.analysis.slices import by_position, slices, slices_file
from mednext.analysis.subgroups import _of_method, _Part, levels_of, subgroups
from mednext.datasets.load import Case, SegmentationData
from mednext.errors import UserError
from mednext.files import write_text
from mednext.layout import DataPaths
from mednext.results import ALL_METHODS, read_rows
from mednext.results.subgroups import SubgroupRow
from tests.finished_runs import images, paths, run_of, trained

OUT = Path("subgroups.csv")


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))


def hearts(values: dict[int, float], seed: int = 0) -> pd.DataFrame:
    """Patients with the given Dice (of hundreds of voxels) and a little noise, all three organs."""
    random = np.random.default_rng(seed)
    rows = []
    for patient, value in values.items():
        for organ in ("rv", "myo", "lv"):
            tp = round(1000 * np.clip(value + random.normal(0, 0.02), 0, 1))
            name = f"patient{patient:03}"
            rows.append((f"{name}_frame01", name, organ, "test", tp, 1000 - tp, 1000 - tp))
    table = pd.DataFrame(rows, columns=["case", "group", "organ", "side", "tp", "fp", "fn"])
    missing = ("hd95_pooled_vox", "hd95_max_vox", "hd95_pooled_mm", "hd95_max_mm")
    return table.assign(
        **dict.fromkeys(missing, np.nan), diagonal_vox=50.0, diagonal_mm=float("nan")
    )


def test_diagnoses_by_number_and_by_the_original_file() -> None:
    run = run_of("segmentation")
    cases = Cases(run, hearts({1: 0.8, 20: 0.8, 21: 0.8, 45: 0.8, 61: 0.8, 100: 0.8}))
    assert levels_of(cases).diagnosis[::3].tolist() == [
        "dilated", "dilated", "hypertrophic", "infarction", "normal", "right ventricle"
    ]  # fmt: skip
    file = DataPaths(run.source_id, "acdc").raw / "files/patient001/Info.cfg"
    file.parent.mkdir(parents=True)
    write_text(file, "ED: 1\nES: 12\nGroup: NOR\nHeight: 180\n")
    assert levels_of(cases).diagnosis[0] == "normal"


def test_thirds_of_sizes_by_hand() -> None:
    table = hearts(dict.fromkeys((1, 2, 3), 0.8))
    table[["tp", "fp", "fn"]] = 0
    table["fn"] = [10, 900, 30, 20, 700, 10, 30, 800, 20]
    size = levels_of(Cases(run_of("segmentation"), table))["organ size"]
    assert size.tolist() == [
        "small", "large", "large", "middle", "small", "small", "large", "middle", "middle"
    ]  # fmt: skip
    pictures = images().assign(group=list("aaaabbcdef"))
    found = levels_of(Cases(run_of("classification"), pictures))
    assert found["images of the group"].tolist() == ["2 to 4"] * 6 + ["1"] * 4
    alike = images().assign(group=list("aabbccddee"))
    assert not len(levels_of(Cases(run_of("classification"), alike)).columns)


def test_a_planted_deficit_is_found_and_named_as_the_worst() -> None:
    """Four of twenty patients score 0.3 less, far beyond what is promised to be seen."""
    numbers = [1, 2, 3, 4, 21, 22, 23, 24, 41, 42, 43, 44, 61, 62, 63, 64, 81, 82, 83, 84]
    for seed, method in enumerate(("unet", "vnet")):
        scores = {n: 0.5 if 41 <= n <= 60 else 0.8 for n in numbers}
        trained(run_of("segmentation", method=method), hearts(scores, seed))
    runs = [run_of("segmentation", method=method) for method in ("unet", "vnet")]
    subgroups(runs, OUT)
    rows = {(r.method, r.level): r for r in read_rows(OUT, SubgroupRow) if r.attribute != "organ"}
    assert {method for method, _ in rows} == {"unet", "vnet", ALL_METHODS}
    for method in ("unet", "vnet", ALL_METHODS):
        sick = rows[method, "infarction"]
        assert sick.worst and sick.difference == pytest.approx(-0.3, abs=0.03)
        assert sick.p_holm is not None and sick.p_holm <= 0.05
        assert sick.noticeable is not None and sick.noticeable < 0.3
        assert sick.power is not None and (sick.n_cases, sick.n_groups) == (12, 4)
        assert sick.ci_low is not None and sick.ci_low < sick.value == pytest.approx(0.5, abs=0.03)
    both = [rows[m, "infarction"].value for m in ("unet", "vnet")]
    assert rows[ALL_METHODS, "infarction"].value == pytest.approx(np.mean(both))


def test_two_levels_are_one_test_and_an_own_table_is_read() -> None:
    table = hearts({n: 0.8 - 0.2 * (n % 2) for n in range(1, 11)})
    trained(run_of("segmentation"), table)
    Path("mine.csv").write_text(
        "group,scanner\n" + "".join(f"patient{n:03},{'AB'[n % 2]}\n" for n in range(1, 11))
    )
    subgroups([run_of("segmentation")], OUT, Path("mine.csv"))
    rows = {r.level: r for r in read_rows(OUT, SubgroupRow) if r.attribute == "scanner"}
    assert rows["A"].difference == -rows["B"].difference and rows["B"].worst
    assert rows["A"].p_holm == rows["B"].p_holm == rows["A"].p  # no other attribute: one test
    for content in ("group,scanner\npatient001,A\n", "name,scanner\nx,A\n"):
        Path("mine.csv").write_text(content)
        with pytest.raises(UserError, match="does not fit the cases"):
            subgroups([run_of("segmentation")], OUT, Path("mine.csv"))


def test_folds_of_a_cross_validation_are_pooled() -> None:
    runs = []
    for fold in range(1, 6):
        table = images().assign(
            path=[f"{fold}/{n}.png" for n in range(10)],
            group=[f"{fold}-{name}" for name in "aaaabbcdef"],
        )
        runs.append(trained(run_of("classification", protocol=f"cv{fold}"), table))
    subgroups(runs, OUT)
    rows = read_rows(OUT, SubgroupRow)
    assert {r.protocol for r in rows} == {"cv"} and {r.n_cases for r in rows} == {20, 30}
    subgroups(runs[:4], OUT)
    assert read_rows(OUT, SubgroupRow) == []


def test_seeds_are_averaged_case_by_case() -> None:
    table = images().assign(group=list("aaaabbcdef"))
    worse = table.assign(prediction=1 - table.label)
    for seed, one in enumerate((table, worse)):
        trained(run_of("classification", seed=seed), one)
    subgroups([run_of("classification", seed=seed) for seed in (0, 1)], OUT)
    rows = {r.level: r for r in read_rows(OUT, SubgroupRow)}
    assert {r.seeds for r in rows.values()} == {2}
    right = (table.label == table.prediction).to_numpy(float) / 2
    assert rows["2 to 4"].value == pytest.approx(right[:6].mean())


def heart_slices(case: str, voxels: dict[str, list[int]], **counts: list[int]) -> pd.DataFrame:
    """True voxels per slice of each organ, all found unless ``fp`` or ``fn`` say otherwise."""
    rows = [
        (case, case.split("_")[0], organ, place, size)
        for organ, sizes in voxels.items()
        for place, size in enumerate(sizes)
    ]
    table = pd.DataFrame(rows, columns=["case", "group", "organ", "slice", "true"])
    table["fn"] = counts.get("fn", [0] * len(table))
    table["fp"] = counts.get("fp", [0] * len(table))
    return table.assign(tp=table.true - table.fn).drop(columns="true")


def test_thirds_of_the_heart_by_hand() -> None:
    """Slices 1 to 6 show the heart; the last ones are the widest: they are the base."""
    table = heart_slices(
        "patient001_frame01",
        {"lv": [0, 1, 2, 3, 4, 5, 6, 0], "rv": [0, 0, 0, 3, 4, 5, 9, 0]},
        fp=[7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1],
        fn=[0, 1, 1, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    )
    cases = Cases(run_of("segmentation"), hearts({1: 0.8}))
    found = by_position(cases, table).table.set_index(["organ", "position"])[["tp", "fp", "fn"]]
    assert {key: tuple(row) for key, row in zip(found.index, found.to_numpy(), strict=True)} == {
        ("lv", "apex"): (1, 7, 2),  # what is found beyond the apex counts there
        ("lv", "middle"): (5, 0, 2),
        ("lv", "base"): (8, 0, 3),
        ("rv", "middle"): (7, 0, 0),
        ("rv", "base"): (14, 1, 0),
    }  # no right ventricle at the apex: no row, though 2 voxels are found beyond it


def test_slices_are_counted_from_the_predictions_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(run_of("segmentation"), hearts({1: 0.8}))
    truth = np.array([[[1, 1], [2, 0]], [[3, 3], [0, 2]]], np.uint8)
    found = np.array([[[1, 0], [2, 2]], [[3, 1], [0, 0]]], np.uint8)
    name = "patient001_frame01"
    case = Case(name, "patient001", "01", 0, 2, truth.shape, 0, None)
    empty = np.zeros(0)
    native = (empty, truth.ravel())
    data = SegmentationData(
        empty, empty, *native, [case], {"test": [0]}, run.classes, 2, data_hash="", split_hash=""
    )
    monkeypatch.setattr(SegmentationData, "volume", lambda self, case: (truth, truth))
    monkeypatch.setattr("mednext.analysis.slices.load", lambda run: data)
    np.savez(paths(run).predictions("last"), **{name: found})
    table = slices(run)
    assert table is not None
    counts = table.set_index(["organ", "slice"])[["tp", "fp", "fn"]]
    assert {key: tuple(row) for key, row in zip(counts.index, counts.to_numpy(), strict=True)} == {
        ("rv", 0): (1, 0, 1), ("rv", 1): (0, 1, 0), ("myo", 0): (1, 1, 0), ("myo", 1): (0, 0, 1),
        ("lv", 0): (0, 0, 0), ("lv", 1): (1, 0, 1),
    }  # fmt: skip
    paths(run).predictions("last").unlink()  # as in an import: the file beside the counts stays
    again = slices(run)
    assert again is not None and again.equals(table)


def test_a_deficit_at_the_apex_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the voxels missed in the apical third of ten hearts, a tenth elsewhere."""
    for name in ("noticeable", "power"):  # which take most of the time, and decide nothing
        monkeypatch.setattr(f"mednext.analysis.subgroups.{name}", lambda *facts: np.nan)
    patients = [*range(1, 6), *range(41, 46)]
    run = trained(run_of("segmentation"), hearts(dict.fromkeys(patients, 0.8)))
    random = np.random.default_rng(0)
    sizes = [200, 180, 160, 140, 120, 100] * 3
    shares = [0.1, 0.1, 0.1, 0.1, 0.5, 0.5] * 3
    tables = []
    for patient in patients:
        missed = [round(n * m + random.integers(3)) for n, m in zip(sizes, shares, strict=True)]
        organs = dict.fromkeys(("rv", "myo", "lv"), sizes[:6])
        tables.append(heart_slices(f"patient{patient:03}_frame01", organs, fn=missed))
    pd.concat(tables).to_csv(slices_file(run), index=False)
    subgroups([run], OUT)
    found = read_rows(OUT, SubgroupRow)
    rows = {r.level: r for r in found if r.attribute == "position"}
    assert set(rows) == {"base", "middle", "apex"} and rows["apex"].worst
    assert (rows["apex"].n_cases, rows["apex"].n_groups) == (30, 10)
    # Dice of 2 * 0.5 / 1.5 against 2 * 0.9 / 1.9.
    assert rows["apex"].difference == pytest.approx(1 / 1.5 - 1.8 / 1.9, abs=0.02)
    # Adjusted together with the other attributes: the least of so many tests.
    tests = sum({"diagnosis": 1, "position": 3}[a] for a in {r.attribute for r in found})
    assert tests == 4 and rows["apex"].p is not None
    assert rows["apex"].p_holm == pytest.approx(tests * rows["apex"].p) and rows["apex"].p < 0.001


@pytest.mark.slow
def test_false_alarms_over_all_levels_stay_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty patients of five diagnoses who do not differ: at most 5 % of 60 data sets, three more
    by chance."""
    for name in ("noticeable", "power"):  # which take most of the time, and decide nothing
        monkeypatch.setattr(f"mednext.analysis.subgroups.{name}", lambda *facts: np.nan)
    numbers = [d * 20 + k for d in range(5) for k in range(1, 5)]
    base = {"dataset": "acdc", "protocol": "paper", "method": "unet", "seeds": 1, "metric": "dice"}
    alarms = 0
    random = np.random.default_rng(2)
    for draw in range(60):
        table = hearts({n: random.normal(0.7, 0.1) for n in numbers}, draw)
        cases = Cases(run_of("segmentation"), table)
        values = (2 * table.tp / (2 * table.tp + table.fp + table.fn)).to_numpy()
        part = _Part(
            table.group.to_numpy(str), levels_of(cases)[["diagnosis"]], {"unet": values}, {}
        )
        rows = _of_method(base, "unet", [part])
        alarms += any(r.p_holm is not None and r.p_holm <= 0.05 for r in rows)
    assert alarms <= 3 + 3
