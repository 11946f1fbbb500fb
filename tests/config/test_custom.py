"""What a user writes about data of his own, checked when it is read."""

from __future__ import annotations

import errno
import importlib
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from mednext.cli import main
from mednext.cli.failures import explained
from mednext.config import RunConfig, load_profile, read_yaml
from mednext.errors import UserError
from mednext.files import for_spreadsheets, read_csv
from mednext.layout import data_root, results_root
from mednext.provenance import closure_hash
from mednext.runs.resolve import resolve_runs

HEAD: dict[str, Any] = {"profile": "mine", "seeds": [0], "threads": 1}
RUN = {"source": "local", "img_size": 32, "epochs": 1, "batch_size": 4}


def written(file: Path, classes: list[dict[str, Any]], **more: Any) -> Path:
    custom = {"task": "classification", "classes": classes} | more
    method = "unet" if custom["task"] == "segmentation" else "resnet18"
    body = {
        "custom_datasets": {"my_set": custom},
        "datasets": {"my_set": RUN | {"methods": [method]}},
    }
    file.write_text(yaml.safe_dump(HEAD | body))
    return file


TWO = [{"slug": "a", "name": "A"}, {"slug": "b", "name": "B"}]
SEG = {"task": "segmentation"}


@pytest.mark.parametrize(
    ("classes", "more", "word"),
    [
        (TWO, {"patient": "^(p[0-9]+_"}, "not a regular expression"),
        (TWO, {"patient": "^p[0-9]+_"}, "in a group"),
        (TWO, {"split": [0.6, 0.6, 0.2]}, "add up to 1"),
        (TWO, {"split": [1.2, -0.4, 0.2]}, "add up to 1"),
        ([TWO[0], TWO[0]], {}, "two classes have the slug 'a'"),
        ([TWO[0], TWO[1] | {"folder": "a"}], {}, "two classes have the folder 'a'"),
        ([TWO[0], TWO[1] | {"folder": "../x"}], {}, "no folder below"),
        ([TWO[0], TWO[1] | {"original_label": 3}], {}, "'original_label' has no effect"),
        ([TWO[0], TWO[1] | {"original_label": 3}], SEG, "beside every class"),
        ([TWO[0], TWO[1] | {"disease": True}], SEG, "'disease' has no effect"),
        (TWO, SEG | {"channels": 3}, "'channels' has no effect"),
        (TWO, {"channels": 2}, "1 or 3"),
        ([{"slug": False, "name": "A"}, TWO[1]], {}, "in quotes"),
        ([{"slug": "=1+1", "name": "A"}, TWO[1]], {}, "letters, digits"),
    ],
)
def test_a_mistake_is_refused_on_reading(
    tmp_path: Path, classes: list[dict[str, Any]], more: dict[str, Any], word: str
) -> None:
    with pytest.raises(UserError) as caught:
        load_profile(written(tmp_path / "a.yaml", classes, **more))
    assert word in str(caught.value) and "custom_datasets.my_set" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"seeds": [-1]}, "seeds"),
        ({"seeds": [1, 1]}, "every seed once"),
        ({"profile": "reference"}, "folder of the suite"),
        ({"threads": 10**9}, "threads"),
    ],
)
def test_a_mistake_in_the_head(tmp_path: Path, change: dict[str, Any], word: str) -> None:
    file = written(tmp_path / "a.yaml", TWO)
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | change))
    with pytest.raises(UserError, match=word):
        load_profile(file)


def test_classes_called_0_and_1(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", [{"slug": 0, "name": 0}, {"slug": 1, "name": 1}])
    spec = load_profile(file).custom_datasets["my_set"]
    assert [c.slug for c in spec.classes] == ["0", "1"]


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (bomb(12).encode(), "larger than any configuration"),
        (b"a: &a [*a]", "larger than any configuration"),
        (b"#" * 1_000_001, "larger than any configuration"),
        (b"[" * 5000, "too many levels"),
        ("a: ü".encode("utf-16"), "UTF-8"),
        ("a: ü".encode("latin-1"), "UTF-8"),
        (b"a: 007", "put it in quotes"),
        (b"a: 1\na: 2", "stands twice"),
    ],
)
def test_yaml_that_is_no_configuration(tmp_path: Path, content: bytes, word: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError, match=word):
        read_yaml(file)
    with pytest.raises(UserError, match="not a file"):
        read_yaml(tmp_path)


def test_text_stays_text_in_tables(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("row,patient,score_0\n0,1.10,0.5\n1,007,\n2,NA,1\n")
    table = read_csv(file, {"row": "int64", "score_*": "float64"})
    assert table.patient.tolist() == ["1.10", "007", "NA"] and table.row.sum() == 3
    assert table.score_0.isna().tolist() == [False, True, False]
    with pytest.raises(UserError, match=r"cannot be read(.|\n)*a.csv"):
        read_csv(file, {"patient": "int64"})
    cells = read_csv(file).assign(patient=["=1+1", "@x", "a"])
    assert for_spreadsheets(cells).patient.tolist() == ["'=1+1", "'@x", "a"]


def test_what_nobody_foresaw_is_a_fault_of_the_suite(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(path: Path) -> None:
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr("mednext.config.load_profile", broken)
    assert main(["plan", "--configfile", "some.yaml"]) == 70
    said = capsys.readouterr().err
    assert "fault of the suite" in said and "some.yaml" in said and "ZeroDivisionError" in said
    log = Path(said.split("with the log ")[1].split(";")[0])
    assert "Traceback" in log.read_text()
    log.unlink()


def test_a_mistyped_verb_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    for words, nearest in ((["trian"], "train"), (["datasets", "verfy"], "verify")):
        with pytest.raises(SystemExit):
            main(words)
        assert f"did you mean '{nearest}'?" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.startswith("mednext 0.")


def test_a_mistake_in_a_custom_network_is_its_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net_at_fault.py").write_text("def net(num_classes):\n    return 1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    file = written(tmp_path / "a.yaml", TWO)
    methods = {"mine": {"task": "classification", "constructor": "net_at_fault:net"}}
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"custom_methods": methods}))

    def called(path: Path) -> None:
        load_profile(path)
        importlib.import_module("net_at_fault").net(2)

    monkeypatch.setattr("mednext.config.load_profile", called)
    assert main(["plan", "--configfile", str(file)]) == 2
    said = capsys.readouterr().err
    assert "a custom network failed" in said and "net_at_fault.py, line 2" in said
    assert "ZeroDivisionError" in said and "fault of the suite" not in said
    Path(said.split("traceback is in ")[1].strip()).unlink()


def test_a_custom_network_that_is_not_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net_not_python.py").write_text("def net(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"not valid Python(.|\n)*net_not_python.py"):
        closure_hash("net_not_python")


@pytest.mark.parametrize("variable", ["MEDNEXT_DATA", "MEDNEXT_RESULTS"])
def test_braces_in_a_folder_are_refused(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"MEDNEXT_DATA": data_root, "MEDNEXT_RESULTS": lambda: results_root("x")}[variable]
    monkeypatch.setenv(variable, "a {b}")
    with pytest.raises(UserError, match=rf"{variable} names a folder with braces(.|\n)*a {{b}}"):
        place()
    monkeypatch.setenv(variable, "")
    assert place().parts[0] in ("data", "results")


def test_a_folder_without_permission_is_not_called_unwritable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda place, mode: not mode & os.R_OK)
    found = explained(PermissionError(errno.EACCES, "Permission denied", str(tmp_path)))
    assert found is not None and "could not be read" in found[0] and found[1] == 2


def test_networks_of_one_channel_are_other_runs_and_three_are_the_same(tmp_path: Path) -> None:
    run = RUN | {"source": "phantom", "phantom": {"train": 4, "val": 2, "test": 2}}
    file = tmp_path / "a.yaml"

    def resolved(dataset: str, **more: int) -> RunConfig:
        body = {"datasets": {dataset: run | {"methods": ["resnet18"]} | more}}
        file.write_text(yaml.safe_dump(HEAD | body))
        return resolve_runs(load_profile(file))[0]

    plain, one = resolved("sars_cov2_ct"), resolved("sars_cov2_ct", in_chans=1)
    assert (plain.in_chans, one.in_chans) == (3, 1)
    assert "in_chans" not in plain.model_dump() and one.model_dump()["in_chans"] == 1
    assert plain.config_hash == resolved("sars_cov2_ct", in_chans=3).config_hash
    assert len({run.training_hash for run in (plain, one)}) == 2
    with pytest.raises(UserError, match=r"colour images of 'monkeypox_msld'(.|\n)*in_chans: 1"):
        resolved("monkeypox_msld", in_chans=1)
