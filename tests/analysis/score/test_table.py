"""A user's CSV: every form that is read, and one message for whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mednext.analysis.score import Truth, truth_of_runs
from mednext.analysis.score.table import read_predictions
from mednext.errors import UserError

FILE = Path("mine.csv")


def good(truth: Truth) -> pd.DataFrame:
    ours = truth.peers["mednext", 0].table
    return ours[["path", "score_0", "score_1", "prediction"]].copy()


def read(truth: Truth, table: pd.DataFrame) -> pd.DataFrame:
    table.to_csv(FILE, index=False)
    return read_predictions(FILE, truth)[0]


def test_every_form_gives_the_same(truth: Truth) -> None:
    table = good(truth)
    slugs = {"score_0": "score_normal", "score_1": "score_covid19"}
    forms = [
        table,
        table.sample(frac=1, random_state=1),
        table.drop(columns="prediction"),
        table.rename(columns={**slugs, "path": "file"}),
        table.assign(prediction=table.prediction.map({0: "normal", 1: "COVID-19"})),
        table[["path", "score_1"]].rename(columns={"score_1": "score"}),
        table.assign(path="/data/set/" + table.path),
        table.assign(path=table.path.str.replace(".png", ".webp")),
        table.assign(path=table.path.str.replace("/", "\\")),
        table.assign(path=table.path.str.split("/").str[1]),
    ]
    for form in forms:
        found = read(truth, form)
        expected = truth.peers["mednext", 0].table
        for column in ("path", "group", "label", "prediction"):
            assert found[column].tolist() == expected[column].tolist(), form.columns
        assert np.allclose(found[["score_0", "score_1"]], expected[["score_0", "score_1"]])


def test_classes_alone_and_a_threshold_of_ones_own(truth: Truth) -> None:
    table = good(truth)
    table[["path", "prediction"]].to_csv(FILE, index=False)
    found, scored, _ = read_predictions(FILE, truth)
    assert not scored and found.prediction.tolist() == table.prediction.tolist()
    table.assign(prediction=1).to_csv(FILE, index=False)
    found, scored, notes = read_predictions(FILE, truth)
    assert scored and set(found.prediction) == {1}
    assert notes == ("4 images are predicted as a class that has not the highest score",)


def without_path(t: pd.DataFrame) -> pd.DataFrame:
    return t.drop(columns="path")


BAD = {
    "no column of paths": (without_path, "no column of paths"),
    "two columns of paths": (lambda t: t.assign(file=t.path), "two columns mean the same"),
    "another delimiter": (
        lambda t: t.rename(columns={"path": "path;score"}),
        "separated by commas",
    ),
    "a blank in the header": (lambda t: t.rename(columns={"score_1": " score_1"}), "' score_1'"),
    "capitals in the header": (lambda t: t.rename(columns={"prediction": "Class"}), "'class'"),
    "a row without a path": (lambda t: t.assign(path=["", *t.path[1:]]), "the first in line 2"),
    "no rows": (lambda t: t.head(0), "the table is empty"),
    "neither class nor score": (lambda t: t[["path"]], "neither classes nor scores"),
    "one score of two": (lambda t: t[["path", "score_0"]], "not those of the classes"),
    "a score of no class": (
        lambda t: t.rename(columns={"score_1": "score_flu"}),
        "not those of the classes",
    ),
    "missing": (lambda t: t.iloc[1:], "1 of 10 test images have no prediction"),
    "doubled": (lambda t: pd.concat([t, t.iloc[[3]]]), "lines 5 and 12"),
    "unknown": (
        lambda t: t.assign(path=["quite/else.png", *t.path[1:]]),
        "1 of 10 paths are no test images",
    ),
    "more than the test images": (
        lambda t: pd.concat([t, t.head(1).assign(path="ill/00.png")]),
        "keep the rows of test images alone",
    ),
    "in capitals": (lambda t: t.assign(path=t.path.str.upper()), "did you mean ill/0.png"),
    "misnamed": (lambda t: t.assign(path=["ill/0_.png", *t.path[1:]]), "did you mean ill/0.png"),
    "of another protocol": (
        lambda t: t.assign(path=["other/10.png", *t.path[1:]]),
        "sars_cov2_ct, protocol grouped",
    ),
    "no score": (lambda t: t.assign(score_0=["", *t.score_0[1:]]), "is not a number"),
    "NaN": (lambda t: t.assign(score_0=["NaN", *t.score_0[1:]]), "is not a number"),
    "a word": (lambda t: t.assign(score_0=["high", *t.score_0[1:]]), "'high' in column score_0"),
    "logits": (lambda t: t.assign(score_1=[3.2, *t.score_1[1:]]), "is no probability"),
    "percent": (lambda t: t.assign(score_0=100 * t.score_0), "divide percents by 100"),
    "negative": (lambda t: t.assign(score_1=[-0.1, *t.score_1[1:]]), "is no probability"),
    "not one in sum": (lambda t: t.assign(score_1=0.2), "do not sum to 1"),
    "an unknown class": (lambda t: t.assign(prediction=["flu", *[0] * 9]), "'flu' for ill/0.png"),
    "a class too many": (lambda t: t.assign(prediction=[2, *[0] * 9]), "normal (0), covid19 (1)"),
    "no class": (lambda t: t.assign(prediction=["", *["0"] * 9]), "not one of the data set"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_said(what: str, truth: Truth) -> None:
    change, message = BAD[what]
    with pytest.raises(UserError) as error:
        read(truth, change(good(truth)))
    assert message in str(error.value)
    assert error.value.file == "mine.csv" and error.value.found


def test_a_comma_that_is_not_quoted(truth: Truth) -> None:
    """The first values of every row would else be taken for row names."""
    FILE.write_text("path,score\nill/0,x.png,0.5\n" + "ill/1.png,0.5\n" * 9)
    with pytest.raises(UserError, match="more values than the header") as error:
        read_predictions(FILE, truth)
    assert "'ill/0'" in str(error.value)


def test_names_that_differ_in_their_suffix_alone(truth: Truth) -> None:
    truth.cases.loc[[0, 1], "path"] = ["ill/0.png", "ill/0.jpg"]
    table = good(truth).assign(path=["ill/0.png", "ill/0.jpg", *truth.cases.path[2:]])
    found = read(truth, table.iloc[::-1])
    assert found[["score_0", "score_1"]].to_numpy() == pytest.approx(
        table[["score_0", "score_1"]].to_numpy()
    )


def test_a_name_in_two_folders(truth: Truth) -> None:
    truth.cases.loc[9, "path"] = "well/0.png"
    table = good(truth).assign(path=[f"{n}.png" for n in (*range(9), 0)])
    with pytest.raises(UserError, match="several test images") as error:
        read(truth, table)
    assert "ill/0.png or well/0.png" in str(error.value)
    assert "write the folder" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there are no predictions"),
        (b"", "the table cannot be read"),
        (b"\xff\xfe\x00path", "the table cannot be read"),
    ],
)
def test_no_table(content: bytes | None, message: str, truth: Truth) -> None:
    if content is not None:
        FILE.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_predictions(FILE, truth)


def test_a_folder_must_hold_one_table(truth: Truth) -> None:
    folder = Path("mine")
    folder.mkdir()
    with pytest.raises(UserError, match="exactly one CSV"):
        read_predictions(folder, truth)
    good(truth).to_csv(folder / "a.csv", index=False)
    assert len(read_predictions(folder, truth)[0]) == 10
    good(truth).to_csv(folder / "b.csv", index=False)
    with pytest.raises(UserError, match=r"a\.csv, b\.csv"):
        read_predictions(folder, truth)


@pytest.mark.parametrize(
    ("dataset", "protocol", "selection", "message"),
    [
        ("sars", "paper", "last", "sars_cov2_ct"),
        ("sars_cov2_ct", "fold1", "last", "sars_cov2_ct/grouped, sars_cov2_ct/paper"),
        ("sars_cov2_ct", "paper", "best_val", r"sars_cov2_ct/paper \(best_val\)"),
    ],
)
def test_what_the_reference_lacks(
    dataset: str, protocol: str, selection: str, message: str, truth: Truth
) -> None:
    with pytest.raises(UserError, match=message):
        truth_of_runs(Path("results/tiny"), dataset, protocol, selection)


def test_no_reference_and_one_that_contradicts_itself(truth: Truth) -> None:
    with pytest.raises(UserError, match="the folder holds no run"):
        truth_of_runs(Path("results/none"), "sars_cov2_ct", "paper", "last")
    file = Path("results/tiny/runs/sars_cov2_ct/paper/resnet18/seed0/cases.last.csv")
    file.write_text(file.read_text().replace("ill/0.png", "ill/00.png"))
    with pytest.raises(UserError, match="hold different cases"):
        truth_of_runs(Path("results/tiny"), "sars_cov2_ct", "paper", "last")
