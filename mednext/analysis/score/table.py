"""Predictions of a classifier: a CSV of a file and its class, its scores, or both."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mednext.analysis.score.truth import Truth, nearest
from mednext.config import load_datasets
from mednext.datasets.decode import ENDINGS
from mednext.datasets.scan import normal
from mednext.errors import UserError
from mednext.files import read_csv

PATHS = ("path", "file")
CLASSES = ("prediction", "class")
SUM = 1e-3
"""How far from 1 the scores of an image may add up."""
FORM = (
    "columns 'path', and 'prediction' (a class), 'score' (of the disease) or 'score_<class>' each"
)


def read_predictions(file: Path, truth: Truth) -> tuple[pd.DataFrame, bool, tuple[str, ...]]:
    """The test cases with their predictions, as ``cases.csv`` of a run has them.

    Args:
        file: the CSV, or a folder that holds one.
        truth: the test cases. Paths are compared without their suffix; folders above those of the
            data set, or below which it lies, may be there or not.

    Returns:
        The table (without scores they are 0 and 1), whether there are scores, and notes.

    Raises:
        UserError: the first thing that keeps it from being scored.
    """
    file = _csv(file)
    table = read_csv(file, remedy="save it as CSV with commas, in UTF-8")
    _check_header(table, truth, file)
    path = _one_of(table, PATHS, file)
    if path is None or not len(table):
        raise UserError(
            "the predictions have no column of paths" if path is None else "the table is empty",
            file=file,
            found=_listed(table) if path is None else "0 rows",
            expected=FORM,
            remedy="name the columns so, separated by commas; one row per test image",
        )
    if len(blank := np.flatnonzero(table[path].str.strip() == "")):
        raise UserError(
            "a row names no image",
            file=file,
            found=f"{len(blank)} such rows, the first in line {blank[0] + 2}",
            expected="a path in every row",
            remedy="remove these rows",
        )
    order, notes = _matched(table[path].tolist(), truth, file)
    table = table.iloc[order].reset_index(drop=True)
    columns = _score_columns(table, truth, file)
    scores = None
    if columns:
        _check_numbers(table, columns, file)
        # Read as the counts per case of a run are, to the same last bit.
        scores = _scores(read_csv(file, {"score*": "float64"}).iloc[order], columns, truth, file)
    given = _one_of(table, CLASSES, file)
    if scores is None and given is None:
        raise UserError(
            "the predictions hold neither classes nor scores",
            file=file,
            found=_listed(table),
            expected=FORM,
            remedy=f"add a column, e.g. score_{truth.run.classes[0]}",
        )
    if given is None:
        assert scores is not None
        predicted = scores.argmax(axis=1)
    else:
        predicted = _classes(table[given], table[path], truth, file)
        if scores is not None and (n := int((predicted != scores.argmax(axis=1)).sum())):
            notes.append(f"{n} images are predicted as a class that has not the highest score")
    known = scores is not None
    filled = scores if scores is not None else np.eye(len(truth.run.classes))[predicted]
    out = truth.cases.reset_index(drop=True).assign(
        **{f"score_{k}": column for k, column in enumerate(filled.T)}, prediction=predicted
    )
    return out, known, tuple(notes)


def _csv(place: Path) -> Path:
    if not place.is_dir():
        if place.is_file():
            return place
        raise UserError("there are no predictions", file=place, expected="a CSV, or its folder")
    found = sorted(place.glob("*.csv"))
    if len(found) != 1:
        raise UserError(
            "the folder does not hold exactly one CSV",
            file=place,
            found=", ".join(f.name for f in found) or "none",
            expected=FORM,
            remedy="give the file itself",
        )
    return found[0]


def _listed(table: pd.DataFrame) -> str:
    return ", ".join(map(str, table.columns))[:200]


def _check_header(table: pd.DataFrame, truth: Truth, file: Path) -> None:
    """Refuse names that are only nearly those of columns, and rows longer than the header."""
    classes = truth.run.classes
    scores = ["score", *(f"score_{word}" for k, slug in enumerate(classes) for word in (slug, k))]
    known = {*PATHS, *CLASSES, *scores}
    for name in map(str, table.columns):
        if name not in known and (meant := name.strip().casefold()) in known:
            raise UserError(
                "the name of a column is not quite the one that is read",
                file=file,
                found=repr(name),
                expected=repr(meant),
                remedy="rename the column",
            )
    if not isinstance(table.index, pd.RangeIndex):  # pandas took the first values for row names
        raise UserError(
            "the rows have more values than the header has names",
            file=file,
            found=f"names {_listed(table)}; line 2 begins with {table.index[0]!r}",
            expected="as many values as names; quotes around a text that holds a comma",
            remedy="name every column",
        )


def _one_of(table: pd.DataFrame, names: tuple[str, ...], file: Path) -> str | None:
    there = [name for name in names if name in table]
    if len(there) > 1:
        raise UserError(
            "two columns mean the same", file=file, found=", ".join(there), remedy="remove one"
        )
    return there[0] if there else None


def _plain(path: str) -> str:
    """The path as it is compared: one Unicode form, slashes."""
    return normal(path.strip()).replace("\\", "/").removeprefix("./")


def _bare(path: str) -> str:
    """The path without the suffix of a picture."""
    path = _plain(path)
    ending = PurePosixPath(path).suffix
    return path.removesuffix(ending) if ending.lower() in ENDINGS else path


def _tails(path: str) -> list[str]:
    """The path, then without its first folder, and so on to the name alone."""
    parts = path.split("/")
    return ["/".join(parts[k:]) for k in range(len(parts))]


def _matched(paths: list[str], truth: Truth, file: Path) -> tuple[list[int], list[str]]:
    """Of each test case the row of the table, and notes."""
    cases = [_bare(path) for path in truth.cases.path]
    as_given = {_plain(path): n for n, path in enumerate(truth.cases.path)}
    whole = {name: n for n, name in enumerate(cases)}
    owners: dict[str, set[int]] = {}
    for n, name in enumerate(cases):
        for tail in _tails(name):
            owners.setdefault(tail, set()).add(n)
    rows: dict[int, int] = {}
    unknown: list[str] = []
    shortened = 0
    for row, path in enumerate(paths):
        path = path.removeprefix("'")  # as written for spreadsheets
        bare = _bare(path)
        place = next((as_given[tail] for tail in _tails(_plain(path)) if tail in as_given), None)
        if place is None:
            place = next((whole[tail] for tail in _tails(bare) if tail in whole), None)
        if place is None:
            found = owners.get(bare, set())
            if len(found) > 1:
                raise UserError(
                    "a name stands for several test images",
                    file=file,
                    found=path,
                    expected=" or ".join(truth.cases.path.iloc[n] for n in sorted(found)[:3]),
                    remedy="write the folder before the name",
                )
            place = next(iter(found), None)
        if place is None:
            unknown.append(path)
        elif place in rows:
            raise UserError(
                "an image is predicted twice",
                file=file,
                found=f"lines {rows[place] + 2} and {row + 2}: {path}",
                expected="one row per test image",
                remedy="remove one of the two",
            )
        else:
            rows[place] = row
            shortened += path != truth.cases.path.iloc[place]
    if unknown:
        raise _unknown(unknown, len(paths), len(rows) == len(cases), truth, file)
    if missing := [truth.cases.path.iloc[n] for n in range(len(cases)) if n not in rows]:
        raise UserError(
            f"{len(missing)} of {len(cases)} test images have no prediction",
            file=file,
            found=f"none of {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}",
            expected="one row per test image",
            remedy="predict these images, too",
        )
    notes = [f"{shortened} paths were matched without suffix or folders"] if shortened else []
    return [rows[n] for n in range(len(cases))], notes


def _unknown(paths: list[str], count: int, complete: bool, truth: Truth, file: Path) -> UserError:
    """The message on rows that belong to no test image; ``complete`` if none of these lacks one."""
    path = paths[0]
    others = {_bare(name): place for name, place in truth.elsewhere.items()}
    places = Counter(others[_bare(p)] for p in paths if _bare(p) in others)
    near = None if complete else nearest(path, truth.cases.path)
    run = truth.run
    if places:
        remedy = f"test image of {places.most_common(1)[0][0]}: give that, or remove these rows"
    elif near:
        remedy = f"did you mean {near}? Otherwise remove the row"
    else:
        remedy = "keep the rows of test images alone; --template lists them"
    return UserError(
        f"{len(paths)} of {count} paths are no test images of {run.dataset}, "
        f"protocol {run.protocol}",
        file=file,
        found=", ".join(paths[:3]) + (", ..." if len(paths) > 3 else ""),
        expected=f"one row for each of {len(truth.cases)}, e.g. {truth.cases.path.iloc[0]}",
        remedy=remedy,
    )


def _score_columns(table: pd.DataFrame, truth: Truth, file: Path) -> list[str]:
    """The column of each class, the disease's alone, or none."""
    by_name = [f"score_{slug}" for slug in truth.run.classes]
    by_place = [f"score_{k}" for k in range(len(truth.run.classes))]
    one = [["score"]] if len(truth.run.classes) == 2 else []
    given = [str(name) for name in table if str(name).startswith("score")]
    for columns in ([], by_name, by_place, *one):
        if sorted(columns) == sorted(given):
            return columns
    raise UserError(
        "the columns of scores are not those of the classes",
        file=file,
        found=", ".join(given)[:200],
        expected=f"{', '.join(by_name)}, or {', '.join(by_place)}"
        + (", or 'score' of the disease" if one else ""),
        remedy="name one column per class, and no other column 'score...'",
    )


def _check_numbers(table: pd.DataFrame, columns: list[str], file: Path) -> None:
    for column in columns:
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
        for bad, what, wanted, remedy in (
            (
                np.isnan(values),
                "is not a number",
                "a number in every row, with a decimal point",
                "correct these rows",
            ),
            (
                (values < 0) | (values > 1),
                "is no probability",
                "0 to 1",
                "apply the softmax to logits, divide percents by 100",
            ),
        ):
            if bad.any():
                row = int(bad.argmax())
                raise UserError(
                    f"a score {what}",
                    file=file,
                    found=f"{table[column].iloc[row]!r} in column {column}, "
                    f"{int(bad.sum())} of {len(bad)} rows",
                    expected=wanted,
                    remedy=remedy,
                )


def _scores(table: pd.DataFrame, columns: list[str], truth: Truth, file: Path) -> np.ndarray:
    """(N, K) probabilities."""
    scores = table[columns].to_numpy(float)
    run = truth.run
    if columns == ["score"]:
        disease = {c.slug: c.disease for c in load_datasets()[run.dataset].classes}
        place = next((k for k, slug in enumerate(run.classes) if disease.get(slug)), 1)
        return np.concatenate([1 - scores, scores] if place else [scores, 1 - scores], axis=1)
    off = np.abs(scores.sum(axis=1) - 1)
    if (off > SUM).any():
        row = int(off.argmax())
        raise UserError(
            "the scores of an image do not sum to 1",
            file=file,
            found=f"{scores[row].sum():g} for {truth.cases.path.iloc[row]}",
            expected=f"probabilities that sum to 1 within {SUM:g}",
            remedy="apply the softmax to the network's outputs",
        )
    return scores


def _classes(given: pd.Series[str], paths: pd.Series[str], truth: Truth, file: Path) -> np.ndarray:
    """(N,) places in the classes of the run, from slugs, names or places."""
    names = {c.slug: c.name for c in load_datasets()[truth.run.dataset].classes}
    known: dict[str, int] = {}
    for place, slug in enumerate(truth.run.classes):
        known |= {word.casefold(): place for word in (slug, names.get(slug, slug), str(place))}
    found = given.str.strip().str.casefold().map(known)
    if found.isna().any():
        row = int(found.isna().to_numpy().argmax())
        raise UserError(
            "a predicted class is not one of the data set",
            file=file,
            found=f"{given.iloc[row]!r} for {paths.iloc[row]}",
            expected=", ".join(f"{slug} ({k})" for k, slug in enumerate(truth.run.classes)),
            remedy="write one of these names, or its number",
        )
    return found.to_numpy(np.int64)
