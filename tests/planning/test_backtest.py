"""Estimates against finished runs whose records were made up."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mednext.config import Profile, load_profile
from mednext.errors import UserError
from mednext.planning.backtest import against_text, compare
from mednext.planning.plan import Timing, plan
from tests.finished_runs import run_of, trained


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """Six seeds of one U-Net for 4 epochs on 2 + 1 + 1 made-up patients."""
    monkeypatch.chdir(tmp_path)
    entry = {"source": "phantom", "methods": ["unet"], "img_size": 32, "epochs": 4}
    entry |= {"batch_size": 2, "phantom": {"train": 2, "val": 1, "test": 1}}
    config = {"profile": "tiny", "seeds": [0, 1, 2, 3, 4, 5], "threads": 1}
    Path("tiny.yaml").write_text(yaml.safe_dump(config | {"datasets": {"acdc": entry}}))
    return load_profile("tiny.yaml")


def one_second(dataset: str, method: str) -> Timing:
    """1 s per training image, nothing else."""
    return Timing(2.0, 1_000_000, 1.0, 0.0, 0.0, "by hand")


def record(seed: int, seconds: list[float], **changes: object) -> None:
    run = run_of("segmentation", method="unet", seed=seed, batch_size=2, epochs=4)
    values = {
        "n_train": 30,
        "epoch_seconds": seconds,
        "wall_seconds": sum(seconds),
        "epochs_done": len(seconds),
    }
    trained(run, **(values | changes))


def test_by_hand(profile: Profile) -> None:
    rows = plan(profile, one_second, 1.0).rows
    images = rows[0].train_seconds / 4  # per epoch, at a second per image
    record(0, [images] * 4)
    record(1, [images / 2, images, 2 * images, images / 2])  # its machine was busy
    record(2, [images / 4] * 4)
    assert rows[0].n_train == 30
    # Half of the epochs, on half of the images.
    record(3, [images / 2, images / 2], epochs_done=2, n_train=15)
    record(4, [images] * 4, trained_as="grouped")
    record(5, [], status="failed", reason="diverged")
    found, left = compare(profile, rows, Path("results/tiny"))
    assert [r.name for r in found] == [f"acdc/paper/unet/seed{s}" for s in range(4)]
    assert [r.estimated / r.took for r in found] == pytest.approx([1, 1, 4, 1])
    assert [r.estimated / r.undisturbed for r in found] == pytest.approx([1, 2, 4, 1])
    assert [r.busy for r in found] == [False, True, False, False]
    assert len(left) == 2 and "reused from 'grouped'" in left[0] and "diverged" in left[1]
    shown = against_text(found, left)
    # 4 + 4 + 4 + 1 whole epochs were estimated; 4 + 4 + 1 + 1 taken, 4 + 2 + 1 + 1 undisturbed.
    together = next(line for line in shown.splitlines() if line.startswith("together (4 runs)"))
    assert together.split()[-1] == f"{13 / 8:.2f}" and f" {13 / 10:.2f} " in together
    assert "of the wall time: 3 of 4 runs (from 1.00 to 4.00)" in shown
    assert "of the undisturbed time: 2 of 4 runs (from 1.00 to 4.00)" in shown
    assert shown.count("busy machine") == 1 and shown.count("not compared") == 2


def test_other_settings_are_no_truth(profile: Profile) -> None:
    rows = plan(profile, one_second, 1.0).rows
    trained(run_of("segmentation", method="unet", img_size=64, batch_size=2))
    with pytest.raises(UserError, match="no finished run") as error:
        compare(profile, rows, Path("results/tiny"))
    assert "img_size 64" in str(error.value)


def test_nothing_is_there(profile: Profile) -> None:
    with pytest.raises(UserError, match="no finished run"):
        compare(profile, plan(profile, one_second, 1.0).rows, Path("results/elsewhere"))


def test_another_folder_is_read(profile: Profile, tmp_path: Path) -> None:
    rows = plan(profile, one_second, 1.0).rows
    record(0, [1.0] * 4)
    Path("results/tiny").rename(tmp_path / "kept")
    found, _ = compare(profile, rows, tmp_path / "kept")
    assert len(found) == 1
