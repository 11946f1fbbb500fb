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
    from mednext.config import RunConfig
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
    from mednext.results import write_rows
    from mednext.results.contrasts import ContrastRow

    rows: list[ContrastRow] = []
    for name, part in load_questions().parts.items():
        profile = load_profile(Path("config") / f"{part.profile}.yaml")
        if not (reference_root(part.profile) / "runs").is_dir():
            continue
        with _exported(part.profile) as runs:
            for selection in profile.selections:
                if selection != "best_val":  # chosen by a look at other data: decides nothing
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
    """Part -> (contrast, seeds, test cases, groups), from the drawn splits of its profile."""
    from mednext.config import load_profile
    from mednext.datasets.subsets import read_split
    from mednext.layout import DataPaths
    from mednext.runs.resolve import resolve_runs

    designs: dict[str, list[tuple[Contrast, int, int, int]]] = {}
    for name, part in questions.parts.items():
        profile = load_profile(Path("config") / f"{part.profile}.yaml")
        source = {run.dataset: run.source_id for run in resolve_runs(profile)}
        for contrast in part.contrasts:
            groups: list[str] = []
            for protocol in contrast.a.protocols:
                paths = DataPaths(source[contrast.dataset], contrast.dataset)
                split = read_split(paths.split(protocol))
                groups += split.group[split.subset == "test"].tolist()
            limit = profile.datasets[contrast.dataset].limit
            count = len(set(groups))
            # Volumes are judged by patient, and a limit counts patients.
            cases = count if limit is not None else len(groups)
            if limit is not None:
                cases = count = min(count, limit.test)
            designs.setdefault(name, []).append((contrast, len(profile.seeds), cases, count))
    return designs


def _table(rows: Sequence[PlannedRow]) -> str:
    from tabulate import tabulate

    return (
        tabulate(
            [
                (
                    row.part,
                    row.dataset,
                    f"`{row.a}` - `{row.b}`" + ("" if row.primary else " (not primary)"),
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
