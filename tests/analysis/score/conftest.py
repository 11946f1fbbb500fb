"""A reference of made-up runs, and a phantom with label maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mednext.analysis.score import Truth, truth_of_runs, truth_of_split
from mednext.config import load_profile
from mednext.datasets.fetch import fetch
from mednext.datasets.prepare import prepare
from mednext.datasets.splits import split
from mednext.datasets.verify import verify
from tests.finished_runs import images, run_of, trained


@pytest.fixture
def truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Truth:
    """Ten images in two folders, two finished runs on them, and a run of another protocol."""
    monkeypatch.chdir(tmp_path)
    table = images()
    table["path"] = [f"{'ill' if k else 'well'}/{n}.png" for n, k in enumerate(table.label)]
    trained(run_of("classification"), table)
    right = table.assign(prediction=table.label, score_1=table.label, score_0=1 - table.label)
    trained(run_of("classification", method="resnet18"), right)
    other = table.assign(path=[f"other/{n}.png" for n in range(10, 20)])
    trained(run_of("classification", protocol="grouped"), other)
    return truth_of_runs(Path("results/tiny"), "sars_cov2_ct", "paper", "last")


@pytest.fixture(scope="module")
def hearts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Truth]:
    """The test cases of a phantom of ACDC, as NIfTI files with spacing."""
    folder = tmp_path_factory.mktemp("hearts")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MEDNEXT_DATA", str(folder / "data"))
        entry = {"source": "phantom", "phantom": {"train": 1, "val": 1, "test": 2}}
        entry |= {"methods": ["unet"], "img_size": 32, "epochs": 1, "batch_size": 2}
        config = {"profile": "tiny", "seeds": [0], "threads": 1, "datasets": {"acdc": entry}}
        Path("tiny.yaml").write_text(yaml.safe_dump(config))
        profile = load_profile("tiny.yaml")
        for step in (fetch, verify, prepare):
            step("acdc", profile.datasets["acdc"])
        split("acdc", profile.datasets["acdc"], "paper")
        yield truth_of_split(profile, "acdc", "paper")
