"""Images packed small; runs in pieces, in the order of interest, stopped in time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mednext.config import Profile, load_profile
from mednext.datasets.fetch import fetch
from mednext.datasets.prepare import prepare
from mednext.datasets.splits import split
from mednext.datasets.verify import verify
from mednext.errors import UserError
from mednext.planning import hour
from mednext.planning.hour import in_order, main, pack, work
from mednext.runs.resolve import resolve_run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two colour images of other sizes, in two folders, with blanks and brackets in their names."""
    random = np.random.default_rng(0)
    for name, size in (
        ("COVID/Covid (1).png", (90, 120)),
        ("non-COVID/Non-Covid (2).png", (64, 64)),
    ):
        file = tmp_path / "raw" / name
        file.parent.mkdir(parents=True)
        smooth = np.cumsum(random.normal(size=(*size, 3)), axis=1)
        Image.fromarray(np.uint8(127 + 20 * np.tanh(smooth))).save(file)
    return tmp_path / "raw"


def test_packed_images_keep_names_and_are_grey(images: Path, tmp_path: Path) -> None:
    quality, error = pack(images, tmp_path / "out", side=32)
    files = sorted(
        p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.jpg")
    )
    assert files == ["COVID/Covid (1).jpg", "non-COVID/Non-Covid (2).jpg"]
    for name in files:
        image = Image.open(tmp_path / "out" / name)
        assert (image.mode, image.size) == ("L", (32, 32))
    assert quality == 95 and 0 < error < 5
    with pytest.raises(UserError, match="something already"):
        pack(images, tmp_path / "out")


def test_a_limit_lowers_the_quality_or_is_refused(images: Path, tmp_path: Path) -> None:
    pack(images, tmp_path / "best", side=64)
    whole = sum(p.stat().st_size for p in (tmp_path / "best").rglob("*.jpg"))
    quality, _ = pack(images, tmp_path / "less", side=64, most=whole - 1)
    assert quality < 95
    assert sum(p.stat().st_size for p in (tmp_path / "less").rglob("*.jpg")) < whole
    with pytest.raises(UserError, match="do not fit"):
        pack(images, tmp_path / "none", side=64, most=100)
    assert not (tmp_path / "none").exists()
    with pytest.raises(UserError, match="no images"):
        pack(tmp_path / "nowhere", tmp_path / "none")


def test_the_committed_order_of_interest() -> None:
    profile = load_profile(ROOT / "config/hour.yaml")
    values = profile.datasets["sars_cov2_ct"]
    runs = [
        resolve_run(profile, "sars_cov2_ct", protocol, method, seed, source_id="local-test")
        for protocol, method, seed in values.cells(profile.seeds)
    ]
    names = [(run.method, run.seed) for run in in_order(runs)]
    assert names[:7] == [
        *(("mednext", seed) for seed in range(3)),
        *(("resnet18", seed) for seed in range(3)),
        ("mednext_sa_ffn", 0),
    ]
    # Tables 2 and 7 whole: 11 + 8 methods, one of them in both, and the normalised variant.
    assert len({method for method, _ in names}) == 19 and len(names) == 19 + 4
    assert (values.img_size, values.epochs, values.batch_size) == (224, 300, 32)


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Profile]:
    monkeypatch.chdir(tmp_path)
    run = {"source": "phantom", "phantom": {"train": 4, "val": 2, "test": 2}, "epochs": 1}
    run |= {"methods": ["resnet18", "vit"], "img_size": 32, "batch_size": 2}
    values = {"profile": "toy", "seeds": [0], "threads": 1, "datasets": {"sars_cov2_ct": run}}
    yield Profile.model_validate(values)


def test_steps_come_in_order_until_the_time_is_over(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps are made up: each notes its words; a training notes that it was asked to stop."""
    note = "import sys; open('log', 'a').write(' '.join(sys.argv[1:]) + '\\n')"
    slow = (
        "import signal, sys, time\n"
        "def stop(*_):\n    open('log', 'a').write('stopped\\n'); sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "time.sleep(60)"
    )

    def words(configfile: Path, *verb: str) -> list[str]:
        text = slow if verb[0] == "train" and "vit" in verb else note
        return [sys.executable, "-c", text, *verb]

    done: list[str] = []
    names = [f"sars_cov2_ct/paper/{method}/seed0" for method in ("resnet18", "vit")]

    def export(profile: Profile) -> list[str]:
        lines = Path("log").read_text().splitlines()
        done[:] = [
            n
            for n in names
            if any(
                f"evaluate --dataset {n.split('/')[0]}" in line and n.split("/")[2] in line
                for line in lines
            )
        ]
        return [name for name in names if name not in done]

    monkeypatch.setattr(hour, "_export", export)
    # The clock stands still: however busy the machine, each step has all of the time.
    monkeypatch.setattr(hour, "time", SimpleNamespace(monotonic=lambda: 0.0))
    begun = time.monotonic()
    left = work(profile, Path("toy.yaml"), 6.0, words)
    assert time.monotonic() - begun >= 6.0
    assert left == [names[1]]
    lines = [line.split(" --")[0] for line in Path("log").read_text().splitlines()]
    assert lines == [
        *("datasets fetch", "datasets verify", "datasets prepare", "datasets split"),
        *("train", "predict", "evaluate", "stopped"),
    ]


def test_a_step_that_fails_ends_the_work(profile: Profile) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        work(
            profile,
            Path("toy.yaml"),
            10.0,
            lambda *_: [sys.executable, "-c", "raise SystemExit(3)"],
        )


def test_data_that_are_ready_are_not_made_again(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    monkeypatch.setattr(hour, "_until", lambda end, words: steps.append(words[4]))
    monkeypatch.setattr(hour, "_export", lambda _: [])
    config = Path("toy.yaml")
    (entry,) = profile.datasets.values()
    for step in (fetch, verify, prepare):
        step("sars_cov2_ct", entry)
    work(profile, config, 9.0)
    assert steps == ["fetch", "verify", "prepare", "split"]
    split("sars_cov2_ct", entry, "paper")
    work(profile, config, 9.0)
    assert len(steps) == 4


def test_a_failed_step_is_one_message(
    profile: Profile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hour, "load_profile", lambda _: profile)

    def failing(*_: object) -> list[str]:
        raise subprocess.CalledProcessError(4, hour.command(Path("toy.yaml"), "train"))

    monkeypatch.setattr(hour, "work", failing)
    assert main(["work", "--minutes", "1"]) == 3
    words = "error: 'train --configfile toy.yaml' ended with 4, see above\n"
    assert capsys.readouterr().err == words


def test_the_command_says_what_is_wrong(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEDNEXT_LOCAL", str(images.parent))
    assert main(["pack", "nothing"]) == 2
    assert "no images to pack" in capsys.readouterr().err
    assert main(["pack", "raw"]) == 0
    assert "JPEG quality 95" in capsys.readouterr().out
    assert (images.parent / "sars-cov-2-ct-scan-hour/COVID/Covid (1).jpg").is_file()
