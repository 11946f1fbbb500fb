"""The plan of a profile: counts by hand, against Snakemake's own, and against what a run took."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from mednext.config import Profile, load_datasets, load_methods, load_profile
from mednext.datasets.fetch import fetch
from mednext.datasets.needs import credentials_found, need_of
from mednext.datasets.prepare import prepare
from mednext.datasets.source import resolve_source
from mednext.datasets.splits import split
from mednext.datasets.verify import verify
from mednext.planning.format import hours, size, text
from mednext.planning.plan import Plan, Timing, plan
from mednext.planning.sizes import listed_sizes, sizes_of
from tests.workflow.test_workflow import checkout, edited, snakemake  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]


def one_second(dataset: str, method: str) -> Timing:
    """1 s per training image, 10 s per step, 0.1 s per predicted image, a million parameters."""
    return Timing(2.0, 1_000_000, 1.0, 10.0, 0.1, "by hand")


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    return plan(load_profile(ROOT / "config/paper.yaml"), one_second, 6.0)


def test_seconds_of_a_run_by_hand(paper: Plan) -> None:
    row = next(r for r in paper.rows if (r.dataset, r.protocol) == ("sars_cov2_ct", "paper"))
    # Table 1: 737 + 751 train, 246 + 251 val, 246 + 250 test; batch 32: 47 steps, the last of 16.
    assert (row.n_train, row.n_val, row.n_test, row.runs) == (1488, 497, 496, 3)
    assert row.train_seconds == pytest.approx(300 * (1488 + 47 * 10 + (497 + 496) * 0.1))
    assert row.predict_seconds == pytest.approx(3 * 496 * 0.1)


def test_the_paper_profile_holds_the_whole_matrix(paper: Plan) -> None:
    profile = paper.profile
    assert set(profile.datasets) == set(load_datasets()) and len(profile.seeds) >= 3
    tables = {"sars_cov2_ct": "27", "monkeypox_msld": "3", "large_covid_ct": "4"}
    tables |= {"synapse": "5", "acdc": "68"}
    for slug, numbers in tables.items():
        printed = {m for m, s in load_methods().items() if set(numbers) & set(s.printed)}
        task = load_datasets()[slug].task
        assert printed | {"mednext_nc" if task == "classification" else "medunext_nc"} == set(
            profile.datasets[slug].methods
        )
        if task == "classification":
            # Cross-validation, and training with and without overlap, have their own profiles.
            apart = ("cv", "overlap")
            known = {p for p in load_datasets()[slug].protocols if not p.startswith(apart)}
            assert set(profile.datasets[slug].protocols) == known
    # 19 x 2 + 12 x 4 + 12 x 2 + 14 + 21 networks, three seeds each.
    assert paper.jobs == {"data": 15 + 2 + 4 + 2 + 1 + 1, "train": 435, "evaluate": 435}


def tiny(tmp_path: Path, **changes: object) -> Profile:
    """One U-Net on 2 + 1 + 1 made-up patients of 10.45 slices, one epoch, two protocols."""
    entry = {"source": "phantom", "methods": ["unet"], "img_size": 32, "epochs": 1}
    entry |= {"batch_size": 2, "phantom": {"train": 2, "val": 1, "test": 1}} | changes
    config = {"profile": "tiny", "seeds": [0, 1], "threads": 1, "datasets": {"acdc": entry}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config))
    return load_profile(tmp_path / "tiny.yaml")


def test_equal_splits_are_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    once = plan(tiny(tmp_path), one_second, 1.0)
    both = plan(tiny(tmp_path, protocols=["paper", "grouped"]), one_second, 1.0)
    first, second = both.rows
    assert (first.runs, first.trained, second.runs, second.trained) == (2, 2, 2, 0)
    predicting = 2 * second.predict_seconds / 3600
    assert both.device_hours == pytest.approx(once.device_hours + predicting)
    assert both.jobs["train"] == 4  # the workflow has a job for each all the same
    shown = text(both, "a made-up device", 2)
    assert "2 of the 4 trainings are reused" in shown
    assert "reused" not in text(once, "a made-up device", 2)


def test_seeds_that_only_one_protocol_has_are_trained_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    more = [{"methods": ["unet"], "protocols": ["grouped"], "seeds": [1, 2]}]
    rows = plan(tiny(tmp_path, extra_runs=more), one_second, 1.0).rows
    # Seeds 0 and 1 under `paper`; of 1 and 2 under `grouped` only 2 is new.
    assert [(r.protocol, r.runs, r.trained) for r in rows] == [("paper", 2, 2), ("grouped", 2, 1)]


def test_image_splits_are_trained_apart_unless_they_are_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    entry = {"source": "phantom", "methods": ["resnet18"], "img_size": 32, "epochs": 1}
    entry |= {"batch_size": 2, "phantom": {"train": 4, "val": 2, "test": 2}}
    entry["protocols"] = ["paper", "grouped"]
    config = {"profile": "tiny", "seeds": [0], "threads": 1, "datasets": {"sars_cov2_ct": entry}}
    Path("tiny.yaml").write_text(yaml.safe_dump(config))
    profile = load_profile("tiny.yaml")
    assert [r.trained for r in plan(profile, one_second, 1.0).rows] == [1, 1]
    source = resolve_source("sars_cov2_ct", profile.datasets["sars_cov2_ct"])
    for protocol in ("paper", "grouped"):
        file = source.paths.split(protocol)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("row,subset\n0,train\n")
    assert [r.trained for r in plan(profile, one_second, 1.0).rows] == [1, 0]
    source.paths.split("grouped").write_text("row,subset\n0,test\n")
    assert [r.trained for r in plan(profile, one_second, 1.0).rows] == [1, 1]


def test_subtotals_add_up(paper: Plan) -> None:
    rows = [r for r in paper.rows if r.dataset == "large_covid_ct"]
    seconds = sum(r.runs * (r.train_seconds + r.predict_seconds) for r in rows)
    share = seconds / 3600 / paper.device_hours
    lines = [line for line in text(paper, "d", 8).splitlines() if "large_covid_ct   all" in line]
    assert lines == [
        f"large_covid_ct   all                  72 runs {hours(seconds):>8} {share:6.1%}"
    ]


def test_disk_by_hand(paper: Plan) -> None:
    # 2481 grey images of 256 x 256, 3192 of three channels, 14486 grey; slices of 30 and 100 cases.
    images = 256 * 256 * (2481 + 3 * 3192 + 14486)
    slices = 5 * (30 * 122.8 * (224**2 + 512**2) + 100 * 19.02 * (224**2 + 53656))
    assert paper.disk_bytes["prepared"] == pytest.approx(images + slices, rel=1e-6)
    assert paper.disk_bytes["weights"] == 435 * 3 * 4_000_000


def test_text_names_downloads_and_missing_credentials(
    paper: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = text(paper, "a made-up device", 8)
    assert "895 jobs" in shown and "GPU-hours" in shown
    assert "synapse: about 1.6 GB to download" in shown
    assert "SYNAPSE_AUTH_TOKEN" in shown
    assert "CC BY-NC-SA 4.0" in shown


def test_credentials_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = load_profile(ROOT / "config/paper.yaml")
    for name in ("SYNAPSE_AUTH_TOKEN", "KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def found(dataset: str) -> bool:
        return need_of(dataset, profile.datasets[dataset]).credentials_found

    assert not found("synapse") and not found("sars_cov2_ct") and found("acdc")
    monkeypatch.setenv("SYNAPSE_AUTH_TOKEN", "x")
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle/kaggle.json").write_text("{}")
    assert found("synapse") and found("sars_cov2_ct")


def test_a_missing_local_folder_is_part_of_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDNEXT_LOCAL", str(tmp_path / "nowhere"))
    shown = text(plan(load_profile(ROOT / "config/quick.yaml"), one_second, 1.0), "d", 2)
    assert "MISSING sars_cov2_ct" in shown and "MEDNEXT_LOCAL" in shown


def test_jobs_are_those_of_snakemake(checkout: Path) -> None:  # noqa: F811
    file = edited(checkout, seeds=[0, 1])
    done = snakemake(checkout, "--dry-run", "--configfile", str(file))
    # Jobs of a group are indented, those that run on the spot are called local rules.
    lines = [line.strip().removeprefix("local") for line in done.stdout.splitlines()]
    jobs = plan(load_profile(file), one_second, 1.0).jobs
    for kind, rules in {
        "data": ("fetch_", "verify_", "prepare_", "split_"),
        "train": ("train_",),
        "evaluate": ("evaluate",),
    }.items():
        assert (
            sum(line.startswith(tuple(f"rule {r}" for r in rules)) for line in lines)
            == (jobs[kind])
        )


def test_prepared_splits_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    run = tiny(tmp_path).datasets["acdc"]
    spec = load_datasets()["acdc"]
    guessed = sizes_of("acdc", spec, run, "paper")
    assert not guessed.exact and guessed == listed_sizes(spec, run)
    for step in (fetch, verify, prepare):
        step("acdc", run)
    split("acdc", run, "paper")
    counted = sizes_of("acdc", spec, run, "paper")
    assert counted.exact
    total = counted.train + counted.val + counted.test
    assert total == pytest.approx(guessed.train + guessed.val + guessed.test, rel=0.35)
    shutil.rmtree("data")


def test_units() -> None:
    assert [hours(s) for s in (90, 600, 7200, 86400 * 3)] == ["90 s", "10 min", "2 h", "3 d"]
    assert [size(b) for b in (5e6, 2.5e9)] == ["5 MB", "2.5 GB"]


def test_no_credentials_without_a_service() -> None:
    from mednext.config import load_downloads

    assert credentials_found(load_downloads()["acdc"])
