"""A made-up original, 12 files in a zip, and what is left of it once it was brought."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mednext.config import DownloadSpec
from mednext.datasets.download.http import Policy
from mednext.datasets.official import Original

QUICK = Policy(attempts=3, first_wait=0.01, read=2)
NOISE = np.random.default_rng(1).bytes(1_500_000)
FILES = {
    f"ACDC/database/training/patient{i:03d}/x.nii.gz": NOISE[i : i + 40_000 + i] for i in range(12)
}
PLAIN = {name.removeprefix("ACDC/"): content for name, content in FILES.items()}


def spec(server: str) -> DownloadSpec:
    return DownloadSpec(
        service="girder",
        server=server,
        id="f1",
        archive="toy.zip",
        top="database",
        archive_bytes=500_000,
        unpacked_bytes=500_000,
        size_known=False,
        max_unpacked_bytes=2_000_000,
        max_files=100,
        page="https://example.org/toy",
        credentials="none",
        credentials_how="none needed",
        terms="none",
    )


def toy(where: Path, url: str = "http://127.0.0.1:9") -> Original:
    return Original("toy", spec(url), where / "datasets.lock", QUICK)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()
    }


def assert_clean(which: Original, archive: bool) -> None:
    assert tree(which.files) == PLAIN
    assert sorted(f.name for f in which.raw.iterdir()) == ["files"] + ["toy.zip"] * archive
