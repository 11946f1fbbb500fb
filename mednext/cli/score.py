"""``mednext score``: someone's predictions, against the truth and against finished runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mednext.cli.common import Verbs, add_verb
from mednext.errors import UserError

if TYPE_CHECKING:
    from mednext.analysis.score import Truth


FILES = ("metrics.csv", "against.csv", "cases.csv", "score.json", "score.html")
"""What is written."""


def register(verbs: Verbs) -> None:
    """Add the verb."""
    text = "score predictions made elsewhere, and compare them with finished runs"
    score = add_verb(verbs, "score", text, _score, config=False, dataset=True)
    score.add_argument(
        "predictions",
        type=Path,
        nargs="?",
        help="a CSV (path, score or class), or a folder of label maps",
    )
    score.add_argument("--template", type=Path, help="only write this CSV, the cases to predict")
    score.add_argument("--protocol", help="default: paper")
    score.add_argument("--selection", help="of the runs; default: last")
    score.add_argument(
        "--against",
        type=Path,
        metavar="RESULTS",
        help="results/<profile> or an export of it; default: that of --configfile, or "
        "results/reference/reduced",
    )
    score.add_argument(
        "--configfile", type=Path, help="the profile, for your own data set or a split without runs"
    )
    score.add_argument("--out", type=Path, help="default: results/score/<name of the predictions>")


def _score(arguments: argparse.Namespace) -> None:
    from mednext import __version__
    from mednext.analysis.score import judge, truth_of_runs, truth_of_split
    from mednext.config import load_profile
    from mednext.files import for_spreadsheets, write_csv, write_json, write_text
    from mednext.layout import reference_root, results_root
    from mednext.report.score import score_html, summary
    from mednext.results import HEADLINE, write_rows
    from mednext.results.score import AgainstRow, ScoreRow

    dataset, protocol = arguments.dataset, arguments.protocol or HEADLINE.protocol
    selection = arguments.selection or HEADLINE.selection
    profile = load_profile(arguments.configfile) if arguments.configfile else None
    against = arguments.against
    if against is None:
        against = results_root(profile.profile) if profile else reference_root("reduced")
        if not (against / "runs").is_dir() and profile is None:
            raise UserError(
                "there are no runs to compare with",
                file=against.absolute(),
                expected="the committed runs of a checkout of this suite",
                remedy=f"run this in the checkout, or add --against CHECKOUT/{against}",
            )
    runs = any((against / "runs" / dataset / protocol).glob("*/seed*/run.json"))
    if profile is not None and arguments.against is None and not runs:
        truth, against = truth_of_split(profile, dataset, protocol), None
    else:
        truth = truth_of_runs(against, dataset, protocol, selection, profile)
    if arguments.predictions is None or arguments.template is not None:
        _template(truth, arguments.template)
        return
    out = arguments.out or results_root("score") / arguments.predictions.stem
    _check_out(out, arguments.predictions)
    report, cases = judge(arguments.predictions, truth, selection, against, __version__)
    page = score_html(report)
    write_rows(out / "metrics.csv", ScoreRow, report.metrics)
    write_rows(out / "against.csv", AgainstRow, report.against_rows)
    write_csv(out / "cases.csv", for_spreadsheets(cases))
    write_json(out / "score.json", report.model_dump(mode="json"))
    write_text(out / "score.html", page)
    print(summary(report))
    print(out / "score.html")


def _check_out(out: Path, predictions: Path) -> None:
    """Before minutes of work: the results go to a folder, and not over the predictions."""
    place = out.resolve()
    standing = next(p for p in (place, *place.parents) if p.exists())
    over = predictions.resolve() in (place, *(place / name for name in FILES))
    if over or not standing.is_dir():
        raise UserError(
            "the results cannot be written there",
            file=out,
            found=f"the predictions {predictions}" if over else f"the file {standing}",
            expected=f"a folder for {', '.join(FILES)}",
            remedy="give another --out",
        )


def _template(truth: Truth, file: Path | None) -> None:
    """The cases to predict: of images with an empty column for the score of the disease."""
    from mednext.files import for_spreadsheets, write_csv

    if file is None:
        raise UserError(
            "no predictions are given",
            expected="a CSV or a folder of label maps",
            remedy="or --template FILE.csv, which lists the cases to predict",
        )
    images = truth.run.task == "classification"
    table = truth.cases[["path"]].assign(score="") if images else truth.cases[["case"]]
    write_csv(file, for_spreadsheets(table))
    print(f"{file}: {len(table)} cases")
