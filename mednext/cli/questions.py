"""``mednext results contrasts|planned``: questions that were asked before their runs were made."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mednext.cli.common import Verbs, add_verb
from mednext.layout import reference_root, results_root

if TYPE_CHECKING:
    from mednext.config import Profile, RunConfig
    from mednext.config.questions import Contrast, Questions
    from mednext.results.contrasts import PlannedRow

BEGIN = "<!-- planned: make planned writes what follows -->\n"
END = "<!-- end of planned -->\n"


def register(kinds: Verbs) -> None:
    """Add the verbs of this module to ``mednext results``."""
    text = "contrasts.csv: what the exported runs say to the questions that were asked beforehand"
    contrasts = add_verb(kinds, "contrasts", text, _contrasts, config=False)
    contrasts.add_argument("--out", type=Path, required=True, help="the contrasts.csv to write")
    text = "planned.csv: the smallest difference that each question's design can show"
    planned = add_verb(kinds, "planned", text, _planned, config=False)
    planned.add_argument("--out", type=Path, required=True, help="the planned.csv to write")
    planned.add_argument("--document", type=Path, help="a Markdown file that shows it, too")


@contextmanager
def _exported(profile: str) -> Iterator[list[RunConfig]]:
    """The runs of ``results/reference/<profile>``, readable as if they had been made here."""
    from mednext.config import RunConfig
    from mednext.layout import results_under
    from mednext.runs.merge import runs_in, take

    found = runs_in(reference_root(profile), weights=False)
    with TemporaryDirectory() as scratch, results_under(Path(scratch)):
        for run in found:
            take(run, results_root(profile))
        yield [RunConfig.model_validate(run.record.config) for run in found]


def _contrasts(arguments: argparse.Namespace) -> None:
    from mednext.analysis.contrasts import contrast_rows
    from mednext.config import load_profile
    from mednext.config.questions import load_questions
    from mednext.results import HEADLINE, write_rows
    from mednext.results.contrasts import ContrastRow

    rows: list[ContrastRow] = []
    for name, part in load_questions().parts.items():
        profile = load_profile(Path("config") / f"{part.profile}.yaml")
        if not (reference_root(part.profile) / "runs").is_dir():
            continue
        # best_val was chosen by a look at other data and decides nothing; other conditions are
        # evaluated by the headline's weights alone.
        elsewhere = any(contrast.under for contrast in part.contrasts)
        unwanted = set(profile.selections) - {HEADLINE.selection} if elsewhere else {"best_val"}
        with _exported(part.profile) as runs:
            for selection in profile.selections:
                if selection not in unwanted:
                    rows += contrast_rows(name, part, runs, profile.seeds, selection)
    write_rows(arguments.out, ContrastRow, rows)
    there = sum(row.status == "ok" for row in rows)
    print(f"{arguments.out}: {there} of {len(rows)} contrasts, the others are pending")


def _planned(arguments: argparse.Namespace) -> None:
    from mednext.analysis.contrasts import planned_rows
    from mednext.config.questions import load_questions
    from mednext.files import write_text
    from mednext.results import write_rows
    from mednext.results.contrasts import PlannedRow
    from mednext.templates import replace_between

    questions = load_questions()
    designs = _designs(questions)
    with _exported(questions.pilot) as pilot:
        rows = planned_rows(questions, designs, pilot)
    document = arguments.document
    text = replace_between(document, BEGIN, END, _table(rows)) if document else None
    write_rows(arguments.out, PlannedRow, rows)
    if text is not None:
        write_text(document, text)


def _designs(questions: Questions) -> dict[str, list[tuple[Contrast, int, int, int]]]:
    """Part -> (contrast, seeds, test cases, groups) of each of its contrasts."""
    from mednext.analysis.cases import OUTSIDE
    from mednext.config import load_profile

    designs: dict[str, list[tuple[Contrast, int, int, int]]] = {}
    for name, part in questions.parts.items():
        profile = load_profile(Path("config") / f"{part.profile}.yaml")
        for contrast in part.contrasts:
            if (contrast.under or "").startswith(OUTSIDE):
                tested = _outside(questions.pilot, contrast)
            else:
                tested = _drawn(profile, contrast)
            designs.setdefault(name, []).append((contrast, len(profile.seeds), *tested))
    return designs


def _drawn(profile: Profile, contrast: Contrast) -> tuple[int, int]:
    """Test cases and groups of the drawn splits."""
    from mednext.datasets.subsets import read_split
    from mednext.layout import DataPaths
    from mednext.runs.resolve import resolve_runs

    source = {run.dataset: run.source_id for run in resolve_runs(profile)}
    groups: list[str] = []
    for protocol in contrast.a.protocols:
        paths = DataPaths(source[contrast.dataset], contrast.dataset)
        split = read_split(paths.split(protocol))
        groups += split.group[split.subset == "test"].tolist()
    count = len(set(groups))
    limit = profile.datasets[contrast.dataset].limit
    if limit is None:
        return len(groups), count
    # Volumes are judged by patient, and a limit counts patients.
    return (min(count, limit.test),) * 2


def _outside(pilot: str, contrast: Contrast) -> tuple[int, int]:
    """Cases and groups of outside data, as the first wave was tested on them."""
    from mednext.errors import UserError
    from mednext.results import read_rows
    from mednext.results.conditions import ConditionRow

    file = reference_root(pilot) / "conditions.csv"
    for row in read_rows(file, ConditionRow):
        if (row.dataset, row.condition) == (contrast.dataset, contrast.under):
            return row.n_cases, row.n_groups
    raise UserError(
        "no run was tested on these outside data",
        file=file,
        found=f"{contrast.dataset}, {contrast.under}",
        remedy="mednext evaluate --under external",
    )


def _table(rows: Sequence[PlannedRow]) -> str:
    from tabulate import tabulate

    return (
        tabulate(
            [
                (
                    row.part,
                    row.dataset,
                    f"`{row.a}` - `{row.b}`"
                    + (f", {row.condition}" if row.condition else "")
                    + ("" if row.primary else " (not primary)"),
                    row.seeds,
                    row.trainings,
                    row.n_cases,
                    row.n_groups,
                    f"{100 * row.detectable:.1f}",
                    row.pilot,
                )
                for row in rows
            ],
            headers=(
                *("part", "data set", "contrast", "seeds", "trainings", "cases", "groups"),
                *("detectable (points)", "variances from"),
            ),
            tablefmt="github",
            disable_numparse=True,
        )
        + "\n"
    )
