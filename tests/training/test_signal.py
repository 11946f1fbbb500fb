"""The dead-signal report of real runs: initial and trained weights on the run's own images."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mednext.cli import main
from mednext.results import SignalRow, read_rows


def test_report_of_the_runs_of_a_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDNEXT_DATA", str(tmp_path / "data"))
    run = {
        "source": "phantom",
        "phantom": {"train": 12, "val": 4, "test": 8},
        "methods": ["mednext", "resnet18"],
        "img_size": 32,
        "epochs": 1,
        "batch_size": 4,
    }
    config = {"profile": "tiny", "seeds": [0], "threads": 1, "datasets": {"sars_cov2_ct": run}}
    Path("tiny.yaml").write_text(yaml.safe_dump(config))
    here = ["--configfile", "tiny.yaml"]
    for step in ("fetch", "verify", "prepare"):
        assert main(["datasets", step, "--dataset", "sars_cov2_ct", *here]) == 0
    assert (
        main(["datasets", "split", "--dataset", "sars_cov2_ct", "--protocol", "paper", *here]) == 0
    )
    assert main(["train", "--method", "mednext", *here]) == 0

    assert main(["models", "signal", "--out", "signal.csv", *here]) == 0
    rows = read_rows(Path("signal.csv"), SignalRow)
    assert {r.method for r in rows} == {"mednext", "mednext_nc"}  # resnet18 has no MED blocks
    assert {(r.method, r.weights) for r in rows} == {
        ("mednext", "initial"),
        ("mednext", "last"),
        ("mednext_nc", "initial"),  # stands beside it, though the profile does not train it
    }
    assert all(r.dataset == "sars_cov2_ct" and r.images == 8 for r in rows)
    initial, last = (
        [r for r in rows if (r.method, r.weights) == ("mednext", w)] for w in ("initial", "last")
    )
    assert [r.module for r in initial] == [r.module for r in last] and len(initial) == 24
    assert all(a.weight_rms != b.weight_rms for a, b in zip(initial, last, strict=True))

    words = ["models", "signal", "--out", "none.csv", "--method", "resnet18", *here]
    assert main(words) == 2
    assert "MED blocks" in capsys.readouterr().err
    assert not Path("none.csv").exists()
