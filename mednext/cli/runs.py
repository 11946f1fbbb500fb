"""``mednext train|predict|evaluate`` and most of ``mednext results``: the runs of a profile."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mednext.cli import questions
from mednext.cli.common import Later, Verbs, add_verb, profile_of, runs_of, take_gpu
from mednext.errors import UserError
from mednext.layout import browse_npz, cases_npz, results_root

if TYPE_CHECKING:
    from mednext.config import RunConfig


def register(verbs: Verbs, kinds: Verbs) -> None:
    """Add the verbs of this module, to those of ``mednext`` and of ``mednext results``."""
    for verb, text in (
        ("train", "train the selected runs of a profile"),
        ("predict", "predict the test set with the trained weights"),
        ("evaluate", "count per case from the stored predictions"),
    ):
        step = add_verb(verbs, verb, text, _step, axes=True)
        step.set_defaults(step=verb, images=None)
        if verb == "predict":
            step.add_argument("--images", type=Path, help="a folder of your own instead")
            step.add_argument("--out", type=Path, help="with --images: where to write")
            text = "with --images: which weights, one of %(choices)s (default: last)"
            known = Later(_selections)
            step.add_argument("--selection", choices=known, metavar="SELECTION", help=text)
        if verb == "evaluate":
            step.add_argument(
                "--under",
                metavar="CONDITION",
                choices=("calibrated", "shifted", "external"),
                help="instead: the last weights with repaired scores (calibrated), on worse images "
                "(shifted) or on all images of another folder (external)",
            )
            step.add_argument("--folder", help="with --under external: below MEDNEXT_LOCAL")
        if verb == "train":
            step.add_argument(
                "--retry-failed",
                action="store_true",
                help="train runs again that failed with this very configuration, code and data",
            )
    for verb, text in (
        ("collect", "metrics.csv from the counts of every run"),
        ("compare", "comparisons.csv and ranking.csv from the same counts"),
        ("differences", "differences.csv: how far apart two methods are"),
        ("orders", "orders.csv: which methods stand above which, over seeds and groups"),
        ("shared", "shared.csv: test cases that two protocols have in common"),
        ("overlap", "train_overlap.csv: are test images that overlap with train easier?"),
        ("subgroups", "subgroups.csv: which cases are served worse"),
        ("conditions", "conditions.csv: what other conditions change (evaluate --under)"),
        ("curves", "curves.csv: ROC, reliability and training curves"),
    ):
        analysis = add_verb(kinds, verb, text, _analyse)
        analysis.set_defaults(analysis=verb)
        text = "the runs of an export, as recorded (no data needed); default: all of the profile"
        analysis.add_argument("--runs", type=Path, metavar="FOLDER", help=text)
        if verb == "subgroups":
            text = "a CSV of your own: path, case or group, and a column per attribute"
            analysis.add_argument("--attributes", type=Path, metavar="CSV", help=text)
    add_verb(kinds, "crate", "provenance.json and an RO-Crate of the results folder", _crate)
    text = "import runs of the profile from another folder (results/<profile> elsewhere)"
    taken = add_verb(kinds, "import", text, _import)
    taken.add_argument("folder", type=Path)
    text = "of an export, whatever data are here"
    taken.add_argument("--as-recorded", action="store_true", help=text)
    text = "pack the finished runs (records, histories, counts per case) for an import elsewhere"
    packed = add_verb(kinds, "export", text, _export)
    packed.add_argument("folder", type=Path, nargs="?", help="default: results/<profile>")
    packed.add_argument("--out", type=Path, help="default: results/reference/<profile>")
    text = "compare cells trained by older code and by this one, and carry an export's runs over"
    carried = add_verb(kinds, "carry", text, _carry)
    carried.add_argument("old", type=Path, help="results/<profile> by the code of the export")
    carried.add_argument("new", type=Path, help="the same cells by this code, on the same machine")
    carried.add_argument("--reference", type=Path, help="default: results/reference/<profile>")
    text = "whose network was corrected in between: its runs are left to be trained again"
    carried.add_argument("--changed", nargs="+", metavar="METHOD", default=[], help=text)
    text = "join results folders of several machines; refuses unequal hashes"
    merged = add_verb(kinds, "merge", text, _merge, config=False)
    merged.add_argument("folders", type=Path, nargs="+")
    merged.add_argument("--out", type=Path, required=True, help="the results folder to write")
    questions.register(kinds)
    explain = add_verb(kinds, "explain", "heatmaps and overlays for the figures", _explain)
    text = "one of %(choices)s"
    explain.add_argument("figure", choices=Later(_figures), metavar="FIGURE", help=text)
    explain.add_argument("--dataset", help="default: all of the figure in the profile")
    browse = add_verb(kinds, "browse", "predictions and pictures of every test case", _browse)
    browse.add_argument("--dataset", required=True)
    browse.add_argument("--protocol", help="default: paper")


def _step(arguments: argparse.Namespace) -> None:
    if arguments.step != "evaluate" or arguments.under is not None:  # else it only counts
        take_gpu(arguments)
    from mednext.training.evaluate import evaluate, predict
    from mednext.training.train import train

    if arguments.images is not None:
        _predict_folder(arguments)
        return
    if arguments.step == "evaluate" and arguments.under is not None:
        from mednext.runs.resolve import run_name
        from mednext.training.conditions import evaluate_under

        for run in runs_of(arguments):
            names = evaluate_under(run, arguments.under, arguments.folder)
            print(f"{run_name(run)}: {', '.join(names)}")
        return
    steps: dict[str, Callable[[RunConfig], object]] = {
        "train": lambda run: train(run, arguments.retry_failed),
        "predict": predict,
        "evaluate": evaluate,
    }
    for run in runs_of(arguments):
        steps[arguments.step](run)


def _predict_folder(arguments: argparse.Namespace) -> None:
    from mednext.results import HEADLINE
    from mednext.training.predict_folder import predict_folder

    found = runs_of(arguments)
    if len(found) > 1 or arguments.out is None:
        raise UserError(
            "--images needs one trained run and a place to write",
            found=f"{len(found)} runs, --out {arguments.out}",
            expected="one run, and --out",
            remedy="add --dataset, --protocol, --method, --seed, --out",
        )
    selection = arguments.selection or HEADLINE.selection
    print(predict_folder(found[0], selection, arguments.images, arguments.out))


def _analyse(arguments: argparse.Namespace) -> None:
    from mednext.analysis.comparisons import compare
    from mednext.analysis.conditions import changes
    from mednext.analysis.curves import curves
    from mednext.analysis.differences import differences
    from mednext.analysis.metrics import collect
    from mednext.analysis.orders import orders
    from mednext.analysis.shared import shared
    from mednext.analysis.subgroups import subgroups
    from mednext.analysis.train_overlap import train_overlap
    from mednext.runs.export import exported_configs
    from mednext.runs.resolve import resolve_runs

    profile = profile_of(arguments)
    root = results_root(profile.profile)
    folder = arguments.runs
    runs = resolve_runs(profile) if folder is None else exported_configs(folder, profile)
    analyses: dict[str, Callable[[], object]] = {
        "collect": lambda: collect(runs, root / "metrics.csv"),
        "compare": lambda: compare(runs, root / "comparisons.csv", root / "ranking.csv"),
        "differences": lambda: differences(runs, root / "differences.csv"),
        "orders": lambda: orders(runs, root / "orders.csv"),
        "shared": lambda: shared(runs, root / "shared.csv"),
        "overlap": lambda: train_overlap(
            runs, root / "overlap_groups.csv", root / "train_overlap.csv"
        ),
        "subgroups": lambda: subgroups(runs, root / "subgroups.csv", arguments.attributes),
        "conditions": lambda: changes(runs, root / "conditions.csv", _worse),
        "curves": lambda: curves(runs, root / "curves.csv"),
    }
    found = analyses[arguments.analysis]()
    if arguments.analysis == "conditions":
        from mednext.report.figures.conditions import write

        for unfinished in found if isinstance(found, list) else ():
            print(f"left out until it is finished (mednext evaluate --under shifted): {unfinished}")
        write(profile, root / "figures")


def _worse(run: RunConfig) -> list[str]:
    """Every corruption and severity of a run's images, as conditions are named."""
    from mednext.training.corruptions import SEVERITIES, corruptions_of

    return [f"{c} {k}" for c in corruptions_of(run.dataset, run.channels) for k in SEVERITIES]


def _crate(arguments: argparse.Namespace) -> None:
    from mednext.release.ro_crate import write_crate
    from mednext.runs.resolve import resolve_runs

    profile = profile_of(arguments)
    write_crate(profile, resolve_runs(profile))


def _import(arguments: argparse.Namespace) -> None:
    from mednext.runs.export import restore_runs
    from mednext.runs.merge import import_runs

    take = restore_runs if arguments.as_recorded else import_runs
    names = take(arguments.folder, profile_of(arguments))
    print(f"{len(names)} runs imported; run the workflow to gather them")


def _export(arguments: argparse.Namespace) -> None:
    from mednext.layout import reference_root
    from mednext.runs.export import export_runs

    profile = profile_of(arguments)
    folder = arguments.folder or results_root(profile.profile)
    out = arguments.out or reference_root(profile.profile)
    done = export_runs(folder, profile, out)
    count = len(done.finished) + len(done.unfinished)
    print(f"{out}: {len(done.finished)} of {count} runs, {', '.join(done.files) or 'no files'}")


def _carry(arguments: argparse.Namespace) -> None:
    from mednext.layout import reference_root
    from mednext.runs.carry import CHANGED, carry

    profile = profile_of(arguments)
    reference = arguments.reference or reference_root(profile.profile)
    rows = carry(arguments.old, arguments.new, reference, profile, arguments.changed)
    again = sum(row.status == "rerun" for row in rows)
    left = sum(row.status == CHANGED for row in rows)
    print(
        f"{reference}: {len(rows) - left} runs carried over, on the word of {again} cells, "
        f"{left} left to be trained again"
    )


def _merge(arguments: argparse.Namespace) -> None:
    from mednext.runs.merge import merge

    print(f"{len(merge(arguments.folders, arguments.out))} runs in {arguments.out}")


def _explain(arguments: argparse.Namespace) -> None:
    take_gpu(arguments)
    from mednext.config import case_files, lookup, shown_methods
    from mednext.results import HEADLINE
    from mednext.runs.resolve import resolve_runs, select_runs, with_weights
    from mednext.training.explain import explain_classification, explain_segmentation

    profile, figure = profile_of(arguments), arguments.figure
    explain = explain_classification if figure == "fig6" else explain_segmentation
    stems = case_files(figure, list(profile.datasets))
    if arguments.dataset is not None:
        stems = {arguments.dataset: lookup("data set of this figure", arguments.dataset, stems)}
    for dataset, stem in stems.items():
        protocol, seed = HEADLINE.protocol, profile.seeds[0]
        found = select_runs(resolve_runs(profile), dataset=dataset, protocol=protocol, seed=seed)
        runs = {run.method: run for run in with_weights(found, figure)}
        shown = [runs[method] for method in shown_methods(figure, list(runs))]
        explain(shown, getattr(profile.figures, figure), cases_npz(profile.profile, stem))


def _selections() -> tuple[str, ...]:
    from typing import get_args

    from mednext.config.profile import Selection

    return get_args(Selection)


def _figures() -> tuple[str, ...]:
    from mednext.config import FIGURE_DATASETS

    return tuple(FIGURE_DATASETS)


def _browse(arguments: argparse.Namespace) -> None:
    take_gpu(arguments)
    from mednext.results import HEADLINE
    from mednext.runs.resolve import first_runs, resolve_runs, select_runs, with_weights
    from mednext.training.browse import browse

    profile = profile_of(arguments)
    dataset, protocol = arguments.dataset, arguments.protocol or HEADLINE.protocol
    found = select_runs(resolve_runs(profile), dataset=dataset, protocol=protocol)
    runs = first_runs(with_weights(found, "the case browser"), dataset, protocol)
    browse(runs, browse_npz(profile.profile, dataset, protocol))
