"""The command line: one verb per step of the pipeline, thin over the library.

Exit codes: 0 done (also when a training ended as a ``failed`` row), 2 bad input (one message).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mednext.config import (
    Profile,
    RunConfig,
    load_datasets,
    load_methods,
    load_profile,
    lookup,
)
from mednext.errors import UserError
from mednext.layout import cases_npz, results_root

DEFAULT_CONFIG = "config/demo.yaml"
Handler = Callable[[argparse.Namespace], None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; bad input becomes one message on stderr and exit code 2."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.handler(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mednext", description="Benchmark of the 2D MedNeXt and MedUNeXt of PLoS One 2026"
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    datasets = verbs.add_parser("datasets", help="list, fetch, verify, prepare and split data sets")
    steps = datasets.add_subparsers(required=True, metavar="STEP")
    _add(steps, "list", "the known data sets", _datasets_list, config=False)
    for step, text in (
        ("fetch", "bring a data set in place and list its files with digests"),
        ("verify", "check every file before anything uses it"),
        ("prepare", "decode once into memory-mapped arrays"),
    ):
        _add(steps, step, text, _datasets_step, dataset=True).set_defaults(step=step)
    split = _add(steps, "split", "draw train, val and test", _datasets_split, dataset=True)
    split.add_argument("--protocol", required=True, choices=["paper", "grouped"])
    _add(steps, "table", "write datasets.csv of a profile", _datasets_table)

    models = verbs.add_parser("models", help="list and show the registered methods")
    which = models.add_subparsers(required=True, metavar="WHAT")
    _add(which, "list", "all methods", _models_list, config=False)
    show = _add(
        which, "show", "one method: source, citation, assumptions", _models_show, config=False
    )
    show.add_argument("method")

    for verb, text in (
        ("train", "train the selected runs of a profile"),
        ("predict", "predict the test side with the trained weights"),
        ("evaluate", "count per case from the stored predictions"),
    ):
        _add(verbs, verb, text, _run_step, axes=True).set_defaults(step=verb)
    results = verbs.add_parser("results", help="gather result files")
    kinds = results.add_subparsers(required=True, metavar="WHAT")
    _add(kinds, "collect", "metrics.csv from the counts of every run", _collect)
    explain = _add(verbs, "explain", "heatmaps and overlays for the figures", _explain)
    explain.add_argument("figure", choices=["fig6", "fig8"])

    cost = _add(verbs, "cost", "params and GMACs of the methods", _cost, config=False)
    cost.add_argument("--out", type=Path, required=True, help="the cost.csv to write")
    cost.add_argument("--methods", nargs="*", help="default: all")
    cost.add_argument("--cross-check", action="store_true", help="count with fvcore, ptflops too")

    for verb in ("tables", "figures", "page"):
        made = _add(verbs, verb, f"render the {verb} of a profile", _render)
        made.set_defaults(verb=verb)
        if verb == "tables":
            made.add_argument("--partial", action="store_true", help="missing runs as 'pending'")
    return parser


def _add(
    group: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    handler: Handler,
    *,
    config: bool = True,
    dataset: bool = False,
    axes: bool = False,
) -> argparse.ArgumentParser:
    verb = group.add_parser(name, help=text, description=text)
    verb.set_defaults(handler=handler)
    if config:
        verb.add_argument("--configfile", type=Path, default=Path(DEFAULT_CONFIG))
    if dataset or axes:
        verb.add_argument("--dataset", required=dataset)
    if axes:
        verb.add_argument("--protocol")
        verb.add_argument("--method")
        verb.add_argument("--seed", type=int)
    return verb


def _profile(arguments: argparse.Namespace) -> Profile:
    return load_profile(arguments.configfile)


def _runs(arguments: argparse.Namespace) -> list[RunConfig]:
    from mednext.runs import resolve_runs, select_runs

    profile = _profile(arguments)
    return select_runs(
        resolve_runs(profile),
        dataset=arguments.dataset,
        protocol=arguments.protocol,
        method=arguments.method,
        seed=arguments.seed,
    )


def _datasets_list(arguments: argparse.Namespace) -> None:
    for slug, spec in load_datasets().items():
        print(f"{slug:16} {spec.task:15} {spec.name} ({spec.licence})")


def _datasets_step(arguments: argparse.Namespace) -> None:
    from mednext.datasets.fetch import fetch
    from mednext.datasets.prepare import prepare
    from mednext.datasets.verify import verify
    from mednext.runs import dataset_run

    run = dataset_run(_profile(arguments), arguments.dataset)
    steps: dict[str, Callable[..., object]] = {
        "fetch": fetch,
        "verify": verify,
        "prepare": prepare,
    }
    steps[arguments.step](arguments.dataset, run)


def _datasets_split(arguments: argparse.Namespace) -> None:
    from mednext.datasets.splits import split
    from mednext.runs import dataset_run

    run = dataset_run(_profile(arguments), arguments.dataset)
    split(arguments.dataset, run, arguments.protocol)


def _datasets_table(arguments: argparse.Namespace) -> None:
    from mednext.datasets.facts import dataset_rows
    from mednext.results import DatasetRow, write_rows

    profile = _profile(arguments)
    rows = [
        row
        for slug, run in profile.datasets.items()
        for protocol in run.protocols
        for row in dataset_rows(slug, run, protocol)
    ]
    write_rows(results_root(profile.profile) / "datasets.csv", DatasetRow, rows)


def _models_list(arguments: argparse.Namespace) -> None:
    for slug, spec in load_methods().items():
        print(f"{slug:16} {spec.task:15} {spec.source}")


def _models_show(arguments: argparse.Namespace) -> None:
    spec = lookup("method", arguments.method, load_methods())
    for name, value in spec.model_dump().items():
        print(f"{name:14} {value}")


def _run_step(arguments: argparse.Namespace) -> None:
    from mednext.training.evaluate import evaluate, predict
    from mednext.training.train import train

    steps: dict[str, Callable[[RunConfig], object]] = {
        "train": train,
        "predict": predict,
        "evaluate": evaluate,
    }
    for run in _runs(arguments):
        steps[arguments.step](run)


def _collect(arguments: argparse.Namespace) -> None:
    from mednext.collect import collect
    from mednext.runs import resolve_runs

    profile = _profile(arguments)
    collect(resolve_runs(profile), results_root(profile.profile) / "metrics.csv")


def _explain(arguments: argparse.Namespace) -> None:
    from mednext.runs import resolve_runs, select_runs
    from mednext.training.explain import explain_classification, explain_segmentation

    profile = _profile(arguments)
    shown = {
        "fig6": (explain_classification, "sars_cov2_ct", profile.figures.fig6),
        "fig8": (explain_segmentation, "acdc", profile.figures.fig8),
    }
    explain, dataset, ranks = shown[arguments.figure]
    runs = select_runs(
        resolve_runs(profile), dataset=dataset, protocol="paper", seed=profile.seeds[0]
    )
    explain(runs, ranks, cases_npz(profile.profile, arguments.figure))


def _cost(arguments: argparse.Namespace) -> None:
    from mednext.cost.complexity import write_costs

    write_costs(arguments.out, arguments.methods or None, cross_check=arguments.cross_check)


def _render(arguments: argparse.Namespace) -> None:
    from mednext.report.figures import write_figures
    from mednext.report.page import write_page
    from mednext.report.tables import write_tables

    profile = _profile(arguments)
    root = results_root(profile.profile)
    if arguments.verb == "tables":
        write_tables(profile, root / "tables", partial=arguments.partial)
    elif arguments.verb == "figures":
        write_figures(profile, root / "figures")
    else:
        write_page(profile, root / "page")
