"""``mednext models``: what is registered, exported, and how much signal its parts carry."""

from __future__ import annotations

import argparse
from pathlib import Path

from mednext.cli.common import Verbs, add_verb, runs_of, take_gpu
from mednext.errors import UserError


def register(verbs: Verbs) -> None:
    """Add the verbs of this module."""
    text = "list, show, export and probe the registered methods"
    models = verbs.add_parser("models", description=text)
    which = models.add_subparsers(required=True, metavar="WHAT")
    add_verb(which, "list", "all methods", _list, config=False)
    text = "one method: source, citation, assumptions"
    add_verb(which, "show", text, _show, config=False).add_argument("method")
    text = "probes.csv: outputs of the untrained networks on a fixed input"
    probe = add_verb(which, "probe", text, _probe, config=False)
    probe.add_argument("--out", type=Path, required=True)
    probe.add_argument("--methods", nargs="*", help="default: all")
    text = "architecture.json: the graphs of Figs. 1-5, read off the networks"
    drawn = add_verb(which, "architecture", text, _architecture, config=False)
    drawn.add_argument("--out", type=Path, required=True)
    text = "a network, folded for inference, as ONNX"
    export = add_verb(which, "export", text, _export, config=False)
    export.add_argument("method", nargs="?", help="without --run")
    export.add_argument("--out", type=Path, required=True, help="the .onnx file to write")
    text = "the folder of a trained run; its classes, preprocessing and hashes are stored, too"
    export.add_argument("--run", type=Path, help=text)
    export.add_argument("--selection", default="last", help="with --run: which weights")
    text = "with --run of a classifier: 8-bit integers, calibrated on its training images"
    export.add_argument("--int8", action="store_true", help=text)
    export.add_argument("--weights", type=Path, help="a weights.*.safetensors; default: random")
    export.add_argument("--num-classes", type=int)
    export.add_argument("--in-chans", type=int, default=3)
    export.add_argument("--img-size", type=int, default=224)
    text = "how much of each part of a MED block depends on the image"
    signal = add_verb(which, "signal", text, _signal, config=False, axes=True)
    signal.add_argument("--out", type=Path, required=True, help="the CSV file to write")
    signal.add_argument(
        "--configfile", type=Path, help="the runs of this profile, on their test images"
    )
    signal.add_argument(
        "--methods", nargs="+", default=["mednext", "mednext_nc"], help="without --configfile"
    )
    signal.add_argument("--img-size", type=int, default=224, help="without --configfile")


def _list(arguments: argparse.Namespace) -> None:
    from mednext.config import load_methods

    for slug, spec in load_methods().items():
        print(f"{slug:24} {spec.task:15} {spec.source}")


def _show(arguments: argparse.Namespace) -> None:
    from mednext.config import load_methods, method_slug

    spec = load_methods()[method_slug(arguments.method)]
    for name, value in spec.model_dump().items():
        print(f"{name:14} {value}")


def _probe(arguments: argparse.Namespace) -> None:
    from mednext.config import load_methods
    from mednext.models.probe import probe
    from mednext.results import ProbeRow, write_rows

    rows = [
        ProbeRow(method=method, position=position, value=value)
        for method in arguments.methods or load_methods()
        for position, value in enumerate(probe(method))
    ]
    write_rows(arguments.out, ProbeRow, rows)


def _architecture(arguments: argparse.Namespace) -> None:
    from mednext.architecture import write_architecture
    from mednext.models.describe import describe

    write_architecture(arguments.out, describe())


def _export(arguments: argparse.Namespace) -> None:
    from mednext.models.onnx_export import export_onnx
    from mednext.models.registry import create_model

    if arguments.run is not None and arguments.method is None:
        from mednext.training.loaded import load_run

        run = load_run(arguments.run, arguments.selection)
        if arguments.int8:
            from mednext.release.int8 import export_int8

            print(f"{arguments.out}: {export_int8(run, arguments.out)}")
            return
        difference = run.export(arguments.out)
        print(f"{arguments.out}: logits within {difference:.1e} of torch's")
        return
    unclear = arguments.run is not None or arguments.int8
    if unclear or None in (arguments.method, arguments.num_classes):
        raise UserError(
            "what to export is not clear",
            found=f"METHOD {arguments.method}, --num-classes {arguments.num_classes}, "
            f"--run {arguments.run}, --int8 {arguments.int8}",
            expected="METHOD and --num-classes, or --run alone (with it --int8)",
        )
    shape = {"in_chans": arguments.in_chans, "img_size": arguments.img_size}
    model = create_model(
        arguments.method, num_classes=arguments.num_classes, weights=arguments.weights, **shape
    )
    difference = export_onnx(model, arguments.out, **shape)
    print(f"{arguments.out}: logits within {difference:.1e} of torch's")


def _signal(arguments: argparse.Namespace) -> None:
    from mednext.results import SignalRow, write_rows
    from mednext.runs.resolve import with_weights
    from mednext.training.signal import (
        noise_rows,
        run_rows,
        with_med_blocks,
        with_normalised,
    )

    if arguments.configfile is None:
        rows = [row for m in arguments.methods for row in noise_rows(m, arguments.img_size)]
    else:
        take_gpu(arguments)
        runs = with_med_blocks(runs_of(arguments))
        if arguments.method is None:
            runs = with_normalised(runs)
        runs = with_weights(runs, "the signal report")
        rows = [row for run in runs for row in run_rows(run)]
    write_rows(arguments.out, SignalRow, rows)
