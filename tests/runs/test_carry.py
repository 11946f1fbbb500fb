"""Runs of older code count as of today's where cells trained by both are equal, and only there."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file

from mednext.cli import main
from mednext.config import Profile, RunConfig, load_profile
from mednext.errors import UserError
from mednext.files import sha256_file
from mednext.models.registry import create_model
from mednext.provenance import code_hash
from mednext.results import CodeRow, RunRecord, read_rows, read_run, write_run
from mednext.runs import carry as module
from mednext.runs.carry import CHANGED, carry
from mednext.runs.merge import runs_in
from mednext.runs.resolve import resolve_runs, run_name, run_paths
from tests.finished_runs import trained

OLD, NEW, REFERENCE = Path("old"), Path("new"), Path("results/reference/tiny")
CPU = {"cpu": "One", "isa": "avx2", "gpu": None}
CELLS = ("sars_cov2_ct/paper/mednext/seed0", "acdc/paper/unet/seed0")
OTHERS = ("sars_cov2_ct/paper/resnet18/seed0", "acdc/paper/medunext/seed0")


def make(root: Path, runs: list[RunConfig], **changes: object) -> None:
    """Made-up runs; any bytes will do for counts per case that are only compared."""
    for run in runs:
        folder = root / "runs" / run_name(run)
        trained(run)
        folder.mkdir(parents=True)
        record = read_run(run_paths(run).run_json)
        write_run(folder / "run.json", record.model_copy(update=changes))
        for selection in run.selections:
            text = f"{run.method} {selection}\n".encode()
            if root == REFERENCE:
                (folder / f"cases.{selection}.csv.gz").write_bytes(gzip.compress(text))
            else:
                (folder / f"cases.{selection}.csv").write_bytes(text)


def edit(root: Path, name: str, **changes: object) -> None:
    file = root / "runs" / name / "run.json"
    write_run(file, read_run(file).model_copy(update=changes))


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """A sweep of four runs by old code, and two of them trained by old and by new code."""
    monkeypatch.chdir(tmp_path)
    entry = {"source": "phantom", "phantom": {"train": 8, "val": 4, "test": 4}}
    entry |= {"img_size": 32, "epochs": 1, "batch_size": 4}
    datasets = {
        "sars_cov2_ct": entry | {"methods": ["mednext", "resnet18"]},
        "acdc": entry | {"methods": ["unet", "medunext"]},
    }
    values = {"profile": "tiny", "seeds": [0], "threads": 1, "device": "cpu", "datasets": datasets}
    Path("tiny.yaml").write_text(yaml.safe_dump(values))
    profile = load_profile("tiny.yaml")
    runs = resolve_runs(profile)
    cells = [run for run in runs if run_name(run) in CELLS]
    same = {"machine": CPU, "weights": {"last": "1" * 64}, "git_dirty": False}
    before = same | {"code_hash": "a" * 16, "git_commit": "before"}
    make(REFERENCE, runs, **before)
    make(OLD, cells, **before)
    for run in cells:
        make(NEW, [run], **same, code_hash=code_hash(run), git_commit="after")
    return profile


def stored() -> dict[str, RunRecord]:
    return {run.name: run.record for run in runs_in(REFERENCE)}


def test_all_runs_are_carried_over_on_the_word_of_equal_cells(profile: Profile) -> None:
    before = stored()
    assert main(["results", "carry", "old", "new", "--configfile", "tiny.yaml"]) == 0
    rows = {row.run: row for row in read_rows(REFERENCE / "code.csv", CodeRow)}
    assert set(rows) == {*CELLS, *OTHERS}
    for name, record in stored().items():
        now = code_hash(RunConfig.model_validate(record.config))
        assert record == before[name].model_copy(update={"code_hash": now})
        row = rows[name]
        assert (row.code_hash_old, row.code_hash_new, row.cpu) == ("a" * 16, now, "One")
        assert (row.old_commit, row.new_commit) == ("before", "after")
        if name in CELLS:
            assert row.status == "rerun"
            assert row.weights_old == row.weights_new and row.cases_old == row.cases_new
        else:
            assert row.status == "verified by 2 re-run cells"
            assert row.weights_new is None and row.cases_new is None
    assert rows[CELLS[0]].cases_old != rows[CELLS[1]].cases_old


def test_runs_of_a_corrected_network_are_left_and_listed_until_they_are_trained_again(
    profile: Profile,
) -> None:
    method = OTHERS[0].split("/")[2]
    command = ["results", "carry", "old", "new", "--configfile", "tiny.yaml"]
    assert main([*command, "--changed", method]) == 0
    rows = {row.run: row for row in read_rows(REFERENCE / "code.csv", CodeRow)}
    left = {name for name in rows if name.split("/")[2] == method}
    assert OTHERS[0] in left
    for name, record in stored().items():
        now = code_hash(RunConfig.model_validate(record.config))
        assert record.code_hash == ("a" * 16 if name in left else now)
        assert (rows[name].status == CHANGED) == (name in left)
    for name in left:
        now = rows[name].code_hash_new
        edit(REFERENCE, name, code_hash=now, git_commit="after")
    assert main([*command, "--changed", method]) == 0
    assert not left & {row.run for row in read_rows(REFERENCE / "code.csv", CodeRow)}
    assert main([*command, "--changed", "no_such_net"]) == 2


def test_weights_of_renamed_layers_are_equal_but_not_other_values(profile: Profile) -> None:
    torch.manual_seed(0)
    new = create_model("medunext", num_classes=4, img_size=32).state_dict()
    old = {name.replace(".join.", ".fuse."): tensor for name, tensor in new.items()}
    assert set(old) != set(new)
    for root, weights in ((OLD, old), (NEW, new)):
        for name in CELLS:
            file = root / "runs" / name / "weights.last.safetensors"
            save_file(weights, file)
            edit(root, name, weights={"last": sha256_file(file)})
    carry(OLD, NEW, REFERENCE, profile)
    rows = {row.run: row for row in read_rows(REFERENCE / "code.csv", CodeRow)}
    assert rows[CELLS[0]].weights_old == rows[CELLS[0]].weights_new
    file = NEW / "runs" / CELLS[0] / "weights.last.safetensors"
    new["head.bias"][0] += 1
    save_file(new, file)
    with pytest.raises(UserError, match="not those that the training wrote"):
        carry(OLD, NEW, REFERENCE, profile)
    edit(NEW, CELLS[0], weights={"last": sha256_file(file)})
    with pytest.raises(UserError, match="ends with other weights"):
        carry(OLD, NEW, REFERENCE, profile)


def test_a_second_call_finishes_what_a_killed_one_began(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def killed(file: Path, record: RunRecord) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(file)
        write_run(file, record)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_run", killed)
        with pytest.raises(KeyboardInterrupt):
            carry(OLD, NEW, REFERENCE, profile)
    first = (REFERENCE / "code.csv").read_bytes()
    assert len({record.code_hash for record in stored().values()} - {"a" * 16}) == 3
    carry(OLD, NEW, REFERENCE, profile)
    assert (REFERENCE / "code.csv").read_bytes() == first
    assert "a" * 16 not in {record.code_hash for record in stored().values()}


@pytest.mark.parametrize(
    ("root", "change", "words"),
    [
        (NEW, {"weights": {"last": "2" * 64}}, "ends with other weights"),
        (NEW, {"code_hash": "b" * 16}, "another code_hash"),
        (OLD, {"code_hash": "b" * 16}, "another code_hash"),
        (NEW, {"data_hash": "b" * 16}, "another data_hash"),
        (OLD, {"split_hash": "b" * 16}, "another split_hash"),
        (NEW, {"machine": CPU | {"cpu": "Two"}}, "another cpu"),
        (NEW, {"versions": {"torch": "1.0"}}, "another torch"),
        (NEW, {"git_dirty": True}, "another uncommitted changes"),
        (OLD, {"status": "failed", "reason": "made up"}, "another status"),
    ],
)
def test_a_cell_that_is_no_evidence_is_refused(
    profile: Profile,
    capsys: pytest.CaptureFixture[str],
    root: Path,
    change: dict[str, object],
    words: str,
) -> None:
    edit(root, CELLS[1], **change)
    before = stored()
    assert main(["results", "carry", "old", "new", "--configfile", "tiny.yaml"]) == 2
    said = capsys.readouterr().err
    assert words in said and CELLS[1] in said
    assert stored() == before and not (REFERENCE / "code.csv").exists()


def test_other_counts_other_cells_and_one_task_alone_are_refused(profile: Profile) -> None:
    file = NEW / "runs" / CELLS[0] / "cases.last.csv"
    file.write_text("other\n")
    with pytest.raises(UserError, match="other counts per case"):
        carry(OLD, NEW, REFERENCE, profile)
    file.write_bytes((OLD / file.relative_to(NEW)).read_bytes())
    (NEW / "runs" / CELLS[1] / "run.json").unlink()
    with pytest.raises(UserError, match="the same cells"):
        carry(OLD, NEW, REFERENCE, profile)
    (OLD / "runs" / CELLS[1] / "run.json").unlink()
    with pytest.raises(UserError, match="also a method of segmentation"):
        carry(OLD, NEW, REFERENCE, profile)


def test_a_run_of_today_stays_out_and_one_of_unknown_code_is_refused(profile: Profile) -> None:
    config = RunConfig.model_validate(stored()[OTHERS[0]].config)
    edit(REFERENCE, OTHERS[0], code_hash=code_hash(config), git_commit="after")
    edit(REFERENCE, OTHERS[1], code_hash="c" * 16, git_commit="elsewhere")
    with pytest.raises(UserError, match="no cell was trained by the code"):
        carry(OLD, NEW, REFERENCE, profile)
    edit(REFERENCE, OTHERS[1], git_commit="before")
    rows = carry(OLD, NEW, REFERENCE, profile)
    assert {row.run for row in rows} == {*CELLS, OTHERS[1]}
