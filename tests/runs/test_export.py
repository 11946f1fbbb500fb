"""Export of finished runs: what it holds, that it repeats, and the way back by an import."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from mednext.analysis.metrics import collect
from mednext.cli import main
from mednext.config import Profile, load_profile
from mednext.errors import UserError
from mednext.results import read_rows, read_run, write_rows, write_run
from mednext.results.conditions import ConditionRow
from mednext.runs.export import export_runs
from mednext.runs.resolve import resolve_runs, run_paths, with_weights
from tests.finished_runs import images, trained
from tests.workflow.test_workflow import snakemake

from ..checkout import copy_checkout

CONFIG = ["--configfile", "tiny.yaml"]


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    monkeypatch.chdir(tmp_path)
    return tiny()


def tiny() -> Profile:
    entry: dict[str, Any] = {"source": "phantom", "phantom": {"train": 12, "val": 6, "test": 8}}
    entry |= {"methods": ["mednext", "resnet18"], "img_size": 32, "epochs": 1, "batch_size": 4}
    config = {"profile": "tiny", "seeds": [0, 1], "threads": 1, "device": "cpu"}
    config["selections"] = ["last"]
    Path("tiny.yaml").write_text(yaml.safe_dump(config | {"datasets": {"sars_cov2_ct": entry}}))
    return load_profile("tiny.yaml")


def finish(profile: Profile, *skip: tuple[str, int]) -> None:
    """Made-up runs of the profile with weights, predictions and counts."""
    for run in resolve_runs(profile):
        if (run.method, run.seed) in skip:
            continue
        cases: pd.DataFrame = images()
        cases["prediction"] = cases.prediction ^ (cases.row == run.seed)
        run_paths(run).root.mkdir(parents=True)
        trained(run, cases)
        for name in ("weights.last.safetensors", "predictions.last.npz"):
            (run_paths(run).root / name).write_bytes(b"large")


def files(root: Path) -> dict[str, bytes]:
    return {
        str(f.relative_to(root)): f.read_bytes() for f in sorted(root.rglob("*")) if f.is_file()
    }


def test_only_small_files_of_finished_runs_and_the_same_bytes_again(profile: Profile) -> None:
    finish(profile, ("resnet18", 1))
    half = next(r for r in resolve_runs(profile) if r.method == "mednext" and r.seed == 1)
    run_paths(half).cases("last").unlink()  # trained, not counted yet
    for name in ("leakage.csv", "overlap_groups.csv", "notes.csv"):
        Path("results/tiny", name).write_text("a\n")
    assert main(["results", "export", *CONFIG]) == 0
    out = Path("results/reference/tiny")
    found = files(out)
    runs = [f"runs/sars_cov2_ct/paper/{m}/seed0" for m in ("mednext", "resnet18")]
    names = ("cases.last.csv.gz", "history.csv", "run.json")
    assert list(found) == [
        "leakage.csv",
        "overlap_groups.csv",
        *(f"{r}/{n}" for r in runs for n in names),
    ]
    packed = found[f"{runs[0]}/cases.last.csv.gz"]
    assert gzip.decompress(packed) == Path("results/tiny", runs[0], "cases.last.csv").read_bytes()
    assert packed[3] == 0 and packed[4:8] == bytes(4)  # RFC 1952: no name, no time
    shutil.rmtree(out)
    done = export_runs(Path("results/tiny"), profile, out)
    assert files(out) == found
    assert done.unfinished == [r[5:].replace("seed0", "seed1") for r in runs]


def test_an_export_grows_with_the_sweep(profile: Profile) -> None:
    finish(profile, ("resnet18", 1), ("mednext", 1))
    out = Path("out")
    export_runs(Path("results/tiny"), profile, out)
    before = files(out)
    shutil.rmtree("results")
    finish(profile, ("resnet18", 0), ("mednext", 0))
    done = export_runs(Path("results/tiny"), profile, out)
    assert len(done.finished) == 4 and not done.unfinished
    assert before.items() <= files(out).items()


def test_scores_under_other_conditions_may_come_after_the_run(profile: Profile) -> None:
    finish(profile)
    main(["results", "export", *CONFIG, "--out", "out"])
    before = files(Path("out"))
    file = run_paths(resolve_runs(profile)[0]).condition_scores
    file.write_text("condition,weights,group,score\nexternal: x,000000000000,g,1.0\n")
    main(["results", "export", *CONFIG, "--out", "out"])
    (new,) = files(Path("out")).keys() - before.keys()
    assert new == f"runs/{file.relative_to('results/tiny/runs')}.gz"
    packed = Path("out", new)
    assert gzip.decompress(packed.read_bytes()) == file.read_bytes()
    head, before, later = "condition,weights,group,score\n", file.read_text(), "{},{},h,0.5\n"
    file.write_text(head + later.format("external: a", "0" * 12))
    both = head + later.format("external: a", "0" * 12) + before.removeprefix(head)
    for _ in range(2):  # a second export replaces what it exports, and doubles nothing
        main(["results", "export", *CONFIG, "--out", "out"])
        assert gzip.decompress(packed.read_bytes()).decode() == both
    # Scores of other weights are not those of this run.
    file.write_text(head + later.format("external: a", "1" * 12))
    main(["results", "export", *CONFIG, "--out", "out"])
    assert gzip.decompress(packed.read_bytes()) == file.read_bytes()


def changed(method: str, seed: int, condition: str, after: float) -> ConditionRow:
    values: dict[str, Any] = {"dataset": "sars_cov2_ct", "protocol": "paper", "weights": "0" * 12}
    values |= {"metric": "accuracy", "before": 0.5, "change": after - 0.5, "relative": None}
    values |= {"ci_low": None, "ci_high": None, "n_cases": 8, "n_groups": 8}
    return ConditionRow(method=method, seed=seed, condition=condition, after=after, **values)


def test_what_other_conditions_change_grows_with_the_sweep(profile: Profile) -> None:
    finish(profile)
    file, out = Path("results/tiny/conditions.csv"), Path("out/conditions.csv")
    shown = [changed("resnet18", 1, "external: x", 0.5), changed("mednext", 0, "external: x", 0.75)]
    write_rows(file, ConditionRow, shown)
    main(["results", "export", *CONFIG, "--out", "out"])
    assert read_rows(out, ConditionRow) == shown[::-1]  # the profile's order
    # On another machine, where one of these was made again and another run for the first time.
    newer = [changed("mednext", 0, "external: x", 1.0), changed("mednext", 1, "external: x", 0.25)]
    write_rows(file, ConditionRow, newer)
    main(["results", "export", *CONFIG, "--out", "out"])
    assert read_rows(out, ConditionRow) == [*newer, shown[0]]
    # And another condition of a run that has one.
    worse = changed("mednext", 0, "shifted: mean", 0.5)
    write_rows(file, ConditionRow, [worse])
    main(["results", "export", *CONFIG, "--out", "out"])
    assert read_rows(out, ConditionRow) == [worse, *newer, shown[0]]


def test_counts_per_slice_travel_with_a_run(profile: Profile) -> None:
    finish(profile)
    file = run_paths(resolve_runs(profile)[0]).root / "slices.last.csv"
    file.write_text("case,slice\n1,0\n")
    main(["results", "export", *CONFIG, "--out", "out"])
    (packed,) = Path("out").rglob("slices.*")
    assert packed.name == "slices.last.csv.gz"
    shutil.rmtree("results")
    assert main(["results", "import", "out", *CONFIG]) == 0
    assert file.read_text() == "case,slice\n1,0\n"


def test_runs_of_another_code_or_configuration_are_refused(profile: Profile) -> None:
    finish(profile, ("resnet18", 1), ("mednext", 1))
    out = Path("out")
    export_runs(Path("results/tiny"), profile, out)
    shutil.rmtree("results")
    finish(profile, ("resnet18", 0), ("mednext", 0))
    for file in Path("results").rglob("run.json"):
        write_run(file, read_run(file).model_copy(update={"code_hash": "f" * 16}))
    with pytest.raises(UserError, match="must have one code_hash"):
        export_runs(Path("results/tiny"), profile, out)
    entry = profile.datasets["sars_cov2_ct"].model_copy(update={"epochs": 2})
    longer = profile.model_copy(update={"datasets": {"sars_cov2_ct": entry}})
    with pytest.raises(UserError, match="another configuration"):
        export_runs(Path("results/tiny"), longer, Path("new"))
    assert not Path("new").exists()


def test_there_and_back_gives_the_same_metrics(profile: Profile, tmp_path: Path) -> None:
    finish(profile)
    collect(resolve_runs(profile), Path("before.csv"))
    main(["results", "export", *CONFIG, "--out", "out"])
    shutil.rmtree("results")
    assert main(["results", "import", "out", *CONFIG]) == 0
    collect(resolve_runs(profile), Path("after.csv"))
    assert Path("after.csv").read_bytes() == Path("before.csv").read_bytes()
    for run in resolve_runs(profile):
        paths = run_paths(run)
        assert paths.counts_only and not list(paths.root.glob("*.gz"))
        assert paths.cases("last").stat().st_mtime >= paths.run_json.stat().st_mtime


def test_an_import_keeps_the_weights_of_a_run_trained_here(profile: Profile) -> None:
    finish(profile)
    main(["results", "export", *CONFIG, "--out", "out"])
    first, second, third, fourth = (run_paths(run) for run in resolve_runs(profile))
    here = read_run(first.run_json)
    # Trained here, too, in another time; and one of which only the record is left.
    write_run(first.run_json, here.model_copy(update={"wall_seconds": 1.5}))
    slow = read_run(second.run_json).model_copy(update={"wall_seconds": 2.5})
    write_run(second.run_json, slow)
    for file in second.root.glob("weights.*"):
        file.unlink()
    failed = {"status": "failed", "reason": "made up"}
    # And two with weights that are not these: of other code, and of a training that failed.
    for paths, other in ((third, {"code_hash": "other"}), (fourth, failed)):
        write_run(paths.run_json, read_run(paths.run_json).model_copy(update=other))
    before = files(first.root)
    assert main(["results", "import", "out", *CONFIG]) == 0
    assert files(first.root) == before and any(name.startswith("weights.") for name in before)
    assert read_run(second.run_json).wall_seconds != 2.5
    assert read_run(third.run_json).code_hash == here.code_hash
    assert read_run(fourth.run_json).status == "ok"


def test_damaged_counts_leave_nothing_behind(profile: Profile) -> None:
    finish(profile)
    main(["results", "export", *CONFIG, "--out", "out"])
    shutil.rmtree("results")
    victim = next(Path("out").rglob("*.gz"))
    victim.write_bytes(victim.read_bytes()[:-9])
    assert main(["results", "import", "out", *CONFIG]) == 2
    name = victim.parent.relative_to("out")
    assert not (Path("results/tiny") / name).exists()


def test_what_needs_weights_says_so(profile: Profile, capsys: pytest.CaptureFixture[str]) -> None:
    finish(profile)
    main(["results", "export", *CONFIG, "--out", "out"])
    runs = resolve_runs(profile)
    for run in runs[:3]:
        shutil.rmtree(run_paths(run).root)
    main(["results", "import", "out", *CONFIG])
    capsys.readouterr()
    assert with_weights(runs, "fig6") == runs[3:]
    names = [f"sars_cov2_ct/paper/{run}" for run in ("mednext/seed0", "mednext/seed1")]
    said = capsys.readouterr().out
    assert f"fig6: without {', '.join(names)}, sars_cov2_ct/paper/resnet18/seed0 (" in said
    for words in (
        ["results", "browse", "--dataset", "sars_cov2_ct"],
        ["results", "explain", "fig6"],
    ):
        shutil.rmtree(run_paths(runs[3]).root, ignore_errors=True)
        main(["results", "import", "out", *CONFIG])
        assert main([*words, *CONFIG]) == 2
        assert "needs weights, and the runs were imported without" in capsys.readouterr().err


@pytest.mark.slow
def test_the_workflow_runs_the_missing_cells_alone(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train two tiny runs, export them, forget one, and import into an empty checkout."""
    copy_checkout(tmp_path)
    config = yaml.safe_load(Path("tiny.yaml").read_text())
    config["datasets"]["sars_cov2_ct"]["methods"] = ["mednext"]
    Path("tiny.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(tmp_path, *CONFIG, "--", "metrics")
    assert done.returncode == 0, done.stderr
    whole = Path("results/tiny/metrics.csv").read_bytes()
    main(["results", "export", *CONFIG, "--out", "out"])
    shutil.rmtree("out/runs/sars_cov2_ct/paper/mednext/seed1")
    for folder in ("results", "data", ".snakemake"):
        shutil.rmtree(folder)
    main(["results", "import", "out", *CONFIG])
    taken = Path("results/tiny/runs/sars_cov2_ct/paper/mednext/seed0/run.json")
    before = taken.read_bytes()
    plan = snakemake(tmp_path, "--dry-run", *CONFIG)
    assert plan.returncode == 0, plan.stderr
    text = (plan.stdout + plan.stderr).splitlines()
    trained_again = [n for n, line in enumerate(text) if line.startswith("rule train_")]
    assert len(trained_again) == 1
    assert "seed=1" in " ".join(text[trained_again[0] : trained_again[0] + 8])
    done = snakemake(tmp_path, *CONFIG, "--", "metrics", "comparisons")
    assert done.returncode == 0, done.stderr
    assert "1 of 2 runs were imported without weights" in done.stderr
    assert taken.read_bytes() == before
    assert Path("results/tiny/metrics.csv").read_bytes() == whole
    again = snakemake(tmp_path, "--dry-run", *CONFIG, "--", "metrics")
    assert "Nothing to be done" in again.stdout + again.stderr
