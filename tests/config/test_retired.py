"""Retired keys are still read, with a line of advice; the stored runs keep their hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mednext.config import RunConfig, load_profile
from mednext.errors import UserError
from mednext.results import read_run

ROOT = Path(__file__).resolve().parents[2]
SCANS = {"my_scans": {"task": "classification", "classes": [{"slug": s, "name": s} for s in "ab"]}}
NETS = {"my_net": {"task": "classification", "constructor": "my_net:my_net"}}
OLD_KEYS = ("more", "own_datasets", "own_methods")


def profile(**keys: object) -> dict[str, object]:
    entry = {"source": "local", "methods": ["my_net", "mednext"], "img_size": 64, "epochs": 1}
    entry |= {"batch_size": 2, **({"more": keys.pop("more")} if "more" in keys else {})}
    return {"profile": "mine", "seeds": [0], "threads": 1, "datasets": {"my_scans": entry}, **keys}


def test_the_keys_of_the_last_release_mean_what_the_new_ones_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = [{"methods": ["mednext"], "seeds": [1]}]
    old = yaml.safe_dump(profile(own_datasets=SCANS, own_methods=NETS, more=extra))
    new = old
    for before, after in zip(
        OLD_KEYS, ("extra_runs", "custom_datasets", "custom_methods"), strict=True
    ):
        assert before in new
        new = new.replace(f"{before}:", f"{after}:")
    loaded = []
    for name, text in (("old", old), ("new", new)):
        (tmp_path / name).write_text(text)
        loaded.append(load_profile(tmp_path / name))
        advice = capsys.readouterr().err.splitlines()
        assert len(advice) == (3 if name == "old" else 0)
        assert all(any(f"'{key}' is now" in line for line in advice) for key in OLD_KEYS if advice)
    assert loaded[0] == loaded[1] and loaded[0].datasets["my_scans"].extra_runs[0].seeds == (1,)


def test_a_key_under_both_names_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "both.yaml"
    file.write_text(yaml.safe_dump(profile(own_methods=NETS, custom_methods=NETS)))
    with pytest.raises(UserError, match="retired name of 'custom_methods'"):
        load_profile(file)


def test_every_committed_run_keeps_its_hashes() -> None:
    """The digests stand in the 78 files and in the table of their metrics, written at 246cb36; the
    digest over all training hashes, which no file holds, was computed there.
    """
    results = ROOT / "results/reference/reduced"
    axes = ["dataset", "protocol", "method", "seed"]
    listed = pd.read_csv(results / "metrics.csv").groupby(axes).setting_hash.unique()
    records = [read_run(file) for file in (results / "runs").rglob("run.json")]
    assert len(records) == 78
    for record in records:
        config = RunConfig.model_validate(record.config)
        assert config.model_dump(mode="json") == record.config
        assert config.config_hash == record.config_hash
        key = (config.dataset, config.protocol, config.method, config.seed)
        assert [config.setting_hash] == listed[key].tolist()
    trainings = sorted(RunConfig.model_validate(r.config).training_hash for r in records)
    digest = hashlib.sha256("\n".join(trainings).encode()).hexdigest()
    assert digest[:16] == "732177758dc871d4"
