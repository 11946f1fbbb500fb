"""The inputs of the folder that MEDNEXT_CASES names: users reported each of them of such software.

Its ``build.py`` makes them; a row here says how the verification of one must end. Exit code 70, a
fault of the suite, is right in none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mednext.cli import main

Build = Callable[[str], Path]
SLOW = pytest.mark.slow
OK, BAD = 0, 2


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """A function: beginning of a case's name -> its folder, freshly built."""
    root = os.environ.get("MEDNEXT_CASES")
    if not root:
        pytest.skip("MEDNEXT_CASES is not set: no cases on this machine")
    script = Path(root) / "build.py"

    def make(number: str) -> Path:
        line = next(s for s in script.read_text().splitlines() if s.startswith(f"def {number}_"))
        name = line.removeprefix("def ").partition("(")[0]
        out = tmp_path_factory.mktemp(number)
        command = [sys.executable, str(script), str(out), name]
        subprocess.run(command, check=True, capture_output=True)
        for file in (out / name).glob("*.yaml"):
            if file.is_file():  # the keys have newer names
                content = file.read_bytes()
                for old in (b"own_datasets", b"own_methods"):
                    content = content.replace(old, old.replace(b"own", b"custom"))
                file.write_bytes(content)
        return out / name

    return make


@pytest.fixture
def enter(
    build: Build, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """A function that verifies one data set of a case: exit code and what was said."""

    def verify(
        number: str, config: str = "mine.yaml", local: str = "local", slug: str = "my_set"
    ) -> tuple[int, str]:
        folder = build(number)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("MEDNEXT_DATA", str(folder / "data"))
        monkeypatch.setenv("MEDNEXT_LOCAL", str(folder / local))
        capfd.readouterr()
        for step in ("fetch", "verify"):
            words = ["datasets", step, "--configfile", config, "--dataset", slug]
            if (code := main(words)) != 0:
                break
        return code, "".join(capfd.readouterr())

    return verify


QUICK = [
    ("c01", "mine.yaml", "local", OK, ["1 turned as its EXIF orientation"]),
    ("c02", "mine.yaml", "local", OK, ["20 images", "left out: 8 hidden"]),
    ("c05", "mine.yaml", "local", OK, ["6 volumes"]),
    ("c14", "mine.yaml", "local", BAD, ["colour.nii.gz", "data type RGB"]),
    ("c17", "mine.yaml", "local", BAD, ["my_set.patient", "not a regular expression"]),
    ("c28", "mine.yaml", "jpeg", BAD, ["labels/s0.jpg", "a lossy format"]),
]
OTHERS = [
    ("c01", "seg.yaml", "local2", OK, ["1 turned as its EXIF orientation"]),
    ("c03", "mine.yaml", "local", OK, ["12 images", "left out: 1 hidden"]),
    ("c03", "seg.yaml", "local2", OK, ["5 volumes", "left out: 2 hidden"]),
    ("c04", "mine.yaml", "local", OK, ["6 volumes, 6 slices"]),
    ("c06", "mine.yaml", "local", OK, ["10 0, 10 1"]),
    ("c06", "bare.yaml", "local", OK, ["10 0, 10 1"]),
    ("c06", "yesno.yaml", "local2", BAD, ["put the word in quotes"]),
    ("c07", "mine.yaml", "local", OK, ["6 volumes"]),
    ("c07", "gap_mapped.yaml", "local2", OK, ["6 volumes"]),
    ("c08", "mine.yaml", "local", BAD, ["labels/case0", "0, 1, 3, 9", "original_label"]),
    ("c08", "never1.yaml", "local2", OK, ["6 volumes"]),
    ("c11", "mine.yaml", "local", OK, ["8 healthy, 25 ill"]),
    ("c16", "mine.yaml", "local", OK, ["1 16 bits scaled to 8"]),
    ("c16", "seg.yaml", "local2", OK, ["5 volumes"]),
    ("c17", "optional.yaml", "local", BAD, ["finds nothing in a name", "ill/q0.png"]),
    ("c17", "escape.yaml", "local", BAD, ["not valid YAML", "line 16"]),
    ("c18", "mine.yaml", "local", OK, ["10 patients"]),
    ("c19", "bom.yaml", "local", OK, ["16 images"]),
    ("c19", "crlf.yaml", "local", OK, ["16 images"]),
    ("c19", "utf16.yaml", "local", BAD, ["not text in UTF-8"]),
    ("c19", "latin1.yaml", "local", BAD, ["not text in UTF-8"]),
    ("c19", "folder.yaml", "local", BAD, ["not a file", "folder.yaml"]),
    ("c19", "tab.yaml", "local", BAD, ["not valid YAML", "line 9"]),
    ("c19", "sci.yaml", "local", BAD, ["epochs", "1e1"]),
    ("c19", "empty.yaml", "local", BAD, ["top level"]),
    ("c20", "mine.yaml", "local", OK, ["20 healthy, 8 ill, 1 rare"]),
    ("c25", "mine.yaml", "local", BAD, ["180,000,000 pixels", "MEDNEXT_MAX_PIXELS="]),
    ("c26", "mine.yaml", "local", BAD, ["not a volume", "(24, 20, 3, 1)"]),
    ("c26", "mine.yaml", "local2", BAD, ["not a volume", "labels/one.nii.gz"]),
    ("c27", "mine.yaml", "local", OK, ["1 spacing by the affine"]),
    ("c28", "mine.yaml", "local", OK, ["5 255 read as label 1"]),
    ("c28", "mine.yaml", "rgb", OK, ["5 volumes"]),
    ("c28", "mine.yaml", "bilevel", OK, ["5 volumes"]),
    ("c28", "mine.yaml", "palette", OK, ["5 volumes"]),
    ("c28", "mine.yaml", "mixed", OK, ["5 volumes"]),
    ("c29", "mine.yaml", "local", OK, ["1 axes turned"]),
    ("c33", "mine.yaml", "local", OK, ["6 volumes"]),
    ("c33", "mine.yaml", "local2", BAD, ["labels/n.nii.gz", "nan"]),
    ("c36", "mine.yaml", "local", BAD, ["truncated.jpg", "damaged"]),
    ("c37", "mine.yaml", "local", OK, ["20 images"]),
    ("c39", "mine.yaml", "local", OK, ["6 spacing by the affine"]),
    ("c39", "mine.yaml", "local2", OK, ["6 spacing by the affine"]),
]


@pytest.mark.parametrize(
    ("case", "config", "local", "code", "words"),
    [*QUICK, *(pytest.param(*row, marks=SLOW) for row in OTHERS)],
)
def test_verification(
    enter: Callable[..., tuple[int, str]],
    case: str,
    config: str,
    local: str,
    code: int,
    words: list[str],
) -> None:
    found, said = enter(case, config, local)
    assert found == code, said
    assert "Traceback" not in said
    for word in words:
        assert word in said, said


@pytest.mark.slow
@pytest.mark.parametrize(("slug", "config"), [("acdc", "mine.yaml"), ("synapse", "synapse.yaml")])
def test_originals_that_a_browser_unpacked(
    enter: Callable[..., tuple[int, str]], slug: str, config: str
) -> None:
    code, said = enter("c15", config, slug=slug)
    assert code == OK and "3 patients" in said, said


@pytest.mark.slow
def test_labels_that_are_none_of_synapse(enter: Callable[..., tuple[int, str]]) -> None:
    code, said = enter("c35", slug="synapse")
    assert code == BAD and "9, 10, 11, 12, 13" in said, said


@pytest.mark.slow
def test_a_label_replaced_at_the_same_size_and_time(
    enter: Callable[..., tuple[int, str]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert enter("c23")[0] == OK
    before = set(Path("data").glob("local-*"))
    shutil.copy2("corrected/case0.nii", "local/my_set/labels/case0.nii")
    for step in ("fetch", "verify"):
        assert main(["datasets", step, "--configfile", "mine.yaml", "--dataset", "my_set"]) == 0
    assert len(set(Path("data").glob("local-*")) - before) == 1


@pytest.mark.slow
def test_numbers_of_patients_stay_apart(enter: Callable[..., tuple[int, str]]) -> None:
    assert enter("c18")[0] == OK
    for step in ("prepare", "split --protocol paper"):
        words = ["datasets", *step.split(), "--configfile", "mine.yaml", "--dataset", "my_set"]
        assert main(words) == 0
    (split,) = Path("data").glob("local-*/my_set/splits/paper.csv")
    groups = set(pd.read_csv(split, dtype=str).group)
    assert groups == {"1.1", "1.10", "1.100", "01", "1", "001", "1e2", "100", "2.5", "2.50"}


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(enter: Callable[..., tuple[int, str]]) -> None:
    code, said = enter("c32")
    assert code == BAD and "cannot be read" in said and "written" not in said, said


@pytest.mark.slow
@pytest.mark.parametrize("case", ["c10", "c30", "c38", "c21", "c40"])
def test_training_and_what_is_made_of_it(
    enter: Callable[..., tuple[int, str]], case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, said = enter(case)
    assert code == OK, said
    for step in ("prepare", "split --protocol paper"):
        words = ["datasets", *step.split(), "--configfile", "mine.yaml", "--dataset", "my_set"]
        assert main(words) == 0
    for verb in (
        *("train", "predict", "evaluate"),
        *("results collect", "datasets table", "tables --custom"),
    ):
        code = main([*verb.split(), "--configfile", "mine.yaml"])
        assert code in (OK, BAD), "".join(capfd.readouterr())
        if code == BAD:  # before training, and clearly
            assert verb == "train" and case in ("c21", "c40")
            return
    if case == "c38":
        table = pd.read_csv("results/mine/tables/custom.my_set.csv").set_index("target")
        assert set(table.policy) == {"worst"}
        # One organ is missed, the other painted where there is none: the farthest that pixels can
        # be apart in 24 x 20 x 3 voxels is the diagonal.
        assert (table.dice[["liver", "spleen"]] == 0).all()
        diagonal = (23**2 + 19**2 + 2**2) ** 0.5
        assert np.allclose(table.hd95_pooled_vox[["liver", "spleen"]], diagonal)
        assert "Policy `worst`" in Path("results/mine/tables/custom.my_set.md").read_text()
    elif case in ("c10", "c30"):
        words = ["predict", "--configfile", "mine.yaml", "--images", "new", "--out", "out"]
        code = main(
            [
                *words,
                "--method",
                yaml.safe_load(Path("mine.yaml").read_text())["datasets"]["my_set"]["methods"][0],
            ]
        )
        assert code in (OK, BAD)
        inputs = len(list(Path("new").iterdir()))
        assert len(list(Path("out").glob("*"))) == (inputs if code == OK else 0)
