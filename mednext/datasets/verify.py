"""Check every file of a data set before anything is made from it; one report, one plain OK line."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mednext.config import DatasetRun, reader_module
from mednext.datasets.chunks import default_jobs, in_chunks
from mednext.datasets.decode import ENDINGS
from mednext.datasets.official import discard, original, settle
from mednext.datasets.prepare import CHUNK
from mednext.datasets.reader import Files, Item, Picture, Volume
from mednext.datasets.scan import left_out
from mednext.datasets.source import Source, open_files, resolve_source
from mednext.datasets.volumes import VOLUMES
from mednext.errors import UserError
from mednext.files import write_csv, write_json
from mednext.provenance import closure_hash

SHOWN = 20


def verify(dataset: str, run: DatasetRun, jobs: int | None = None) -> None:
    """Decode and check every file; write ``raw/verified.json`` only if all of them are good.

    Beside it ``raw/items.csv`` holds what was found of each image or volume. After a kill the files
    that were checked are not checked again. Of an original that passes the digests are recorded;
    one that does not is removed.

    Raises:
        UserError: every file that is damaged or does not fit, the first with its remedy.
    """
    source = resolve_source(dataset, run)
    try:
        _verify(source, jobs)
    except UserError:
        if source.kind == "official" and source.paths.manifest.is_file():
            discard(original(dataset))
        raise


def _verify(source: Source, jobs: int | None) -> None:
    files = open_files(source)
    items = source.reader.items(files, source.spec)
    _check_counts(source, items)

    def make(chunk: Sequence[Item], file: Path) -> None:
        found = [_described(i, files, source) for i in chunk]
        file.write_text(json.dumps(found), encoding="utf-8")

    work = source.paths.raw / f".verify-{closure_hash(__name__, reader_module(source.dataset))}"
    size = CHUNK[source.spec.task]
    parts = in_chunks(items, size, make, work, ".json", jobs or default_jobs())
    found = [row for part in parts for row in json.loads(part.read_text())]
    _refuse([row["problem"] for row in found if "problem" in row], work)
    notes: dict[str, list[str]] = {}
    for item, row in zip(items, found, strict=True):
        for note in row.pop("notes"):
            notes.setdefault(note, []).append(item.path)
    table = pd.DataFrame(found)
    table.insert(0, "item", [i.name for i in items])
    for name in ("label", "patient", "photograph", "part", "order"):
        table[name] = [getattr(i, name) for i in items]
    entries = [[files.entry(p) for p in (i.path, *i.more)] for i in items]
    table["bytes"] = [sum(e.bytes for e in every) for every in entries]
    table["sha256"] = ["+".join(e.sha256 for e in every) for every in entries]
    write_csv(source.paths.items, table)
    report = _images(source, items, table) if "mode" in table else _volumes(source, items, table)
    report |= {
        "notes": {n: {"count": len(ps), "first": ps[:SHOWN]} for n, ps in sorted(notes.items())},
        "left_out": left_out(source.root, files.paths, (*VOLUMES, *ENDINGS)),
    }
    report["summary"] += _remarks(table, report)
    if source.stand_in:
        report["summary"] += f"; STAND-IN, not the data set itself: {source.stand_in}"
    if source.spec.count_note and source.kind != "phantom":
        report["note"] = source.spec.count_note
    if source.kind == "official":
        settle(original(source.dataset))
    write_json(source.paths.facts, report | {"stand_in": source.stand_in})
    shutil.rmtree(work)
    print(f"{source.dataset} ({source.id}): OK, {report['summary']}")


def _remarks(table: pd.DataFrame, report: dict[str, Any]) -> str:
    """What a user may want to know of the files, for the summary."""
    remarks = [f"{note['count']} {what}" for what, note in report["notes"].items()]
    if "mode" in table:
        tiny = int(((table.width == 1) & (table.height == 1)).sum())
        remarks += [f"{tiny} of one pixel"] if tiny else []
        both = int((table.groupby("pixels_sha256").label.nunique() > 1).sum())
        remarks += [f"{both} images in two classes"] if both else []
    left = [f"{count} {reason}" for reason, count in report["left_out"].items()]
    shown = ", ".join([*left[:SHOWN], *(["..."] if len(left) > SHOWN else [])])
    remarks += [f"left out: {shown}"] if left else []
    return "".join(f"; {remark}" for remark in remarks)


def _described(item: Item, files: Files, source: Source) -> dict[str, Any]:
    """What one image or volume is, or why it cannot be used."""
    try:
        decoded = source.reader.read(item, files, source.spec)
        return _describe(decoded) | {"notes": decoded.notes}
    except UserError as error:
        return {"problem": [error.what, error.file, error.found, error.expected, error.remedy]}


def _refuse(problems: Sequence[list[Any]], work: Path) -> None:
    """One error for all bad files; they are looked at again the next time.

    Raises:
        UserError: there are some.
    """
    if not problems:
        return
    shutil.rmtree(work)
    what, file, found, expected, remedy = problems[0]
    if len(problems) > 1:
        others = [f"{p[1]}: {p[0]}" for p in problems[1 : SHOWN + 1]]
        more = len(problems) - 1 - len(others)
        others += [f"and {more} more"] if more else []
        remedy = f"{remedy}; {len(problems)} files are bad, the others being\n            "
        remedy += "\n            ".join(others)
    raise UserError(what, file=file, found=found, expected=expected, remedy=remedy)


def _describe(decoded: Picture | Volume) -> dict[str, Any]:
    """What one decoded image or volume is."""
    if isinstance(decoded, Picture):
        image = decoded.image
        return {
            "mode": decoded.mode,
            "format": decoded.format,
            "width": image.width,
            "height": image.height,
            "pixels_sha256": hashlib.sha256(image.tobytes()).hexdigest()[:16],
        }
    spacing = decoded.spacing or (None, None, None)
    return {
        **dict(zip(("depth", "height", "width"), decoded.image.shape, strict=True)),
        **dict(zip(("spacing_z", "spacing_y", "spacing_x"), spacing, strict=True)),
        "minimum": float(decoded.image.min()),
        "maximum": float(decoded.image.max()),
        "labels": " ".join(str(v) for v in np.unique(decoded.label)),
        "pixels_sha256": hashlib.sha256(decoded.image.tobytes()).hexdigest()[:16],
    }


def counted(items: Sequence[Item]) -> list[Item]:
    """The items that Table 1 counts: of MSLD the augmented images, not the photographs."""
    return [i for i in items if i.part != "original"]


def _check_counts(source: Source, items: Sequence[Item]) -> None:
    """Refuse more than the original has, and of a download also less.

    Raises:
        UserError: so it is.
    """
    spec = source.spec
    if source.kind == "phantom" or source.stand_in:
        return
    if spec.task == "classification":
        found = Counter(i.label for i in counted(items))
        counts = [(f"class '{c.slug}'", "images", found[c.slug], c.expected) for c in spec.classes]
    else:
        total = sum(spec.paper_split_cases or ()) or None
        counts = [("the folder", "cases", len({i.patient for i in items}), total)]
    for where, what, number, expected in counts:
        if expected is None:
            continue
        if number > expected:
            raise UserError(
                f"{where} has more {what} than the original",
                file=source.root,
                found=number,
                expected=f"at most {expected}",
                remedy="remove the files that do not belong to the data set",
            )
        if source.kind == "official" and number < expected:
            raise UserError(
                f"{where} has fewer {what} than the original",
                file=source.root,
                found=number,
                expected=expected,
                remedy="fetch the data set again",
            )


def _images(source: Source, items: Sequence[Item], table: pd.DataFrame) -> dict[str, Any]:
    sizes = Counter(f"{r.width}x{r.height}" for r in table.itertuples())
    found = Counter(i.label for i in counted(items))
    parts = ", ".join(
        f"{found[c.slug]} {c.slug}"
        if source.kind == "phantom" or source.stand_in or c.expected is None
        else f"{found[c.slug]} of {c.expected} {c.slug}"
        for c in source.spec.classes
    )
    photographs = sum(i.part == "original" for i in items)
    patients = {i.patient for i in items if i.patient}
    unknown = sum(not i.patient for i in items) if patients else 0
    summary = f"{len(items)} images decoded ({parts}"
    summary += f", {photographs} photographs" if photographs else ""
    summary += f"), {len(sizes)} different sizes"
    summary += f", {len(patients)} patients" if patients else ""
    summary += f", {unknown} images without a patient" if unknown else ""
    return {
        "summary": summary,
        "counts": {c.slug: found[c.slug] for c in source.spec.classes},
        "photographs": photographs,
        "patients": len(patients),
        "images_without_patient": unknown,
        "missing_numbers": _gaps(source, items),
        "sizes": dict(sizes.most_common(SHOWN)),
        "modes": dict(Counter(table["mode"]).most_common()),
        "formats": dict(Counter(table["format"]).most_common()),
    }


def _gaps(source: Source, items: Sequence[Item]) -> dict[str, Any]:
    """Numbers below the highest that no image of a class has."""
    gaps = {}
    for klass in source.spec.classes:
        numbers = {i.order for i in items if i.label == klass.slug and i.order > 0}
        lost = sorted(set(range(1, max(numbers, default=0))) - numbers)
        gaps[klass.slug] = {"count": len(lost), "first": lost[:SHOWN]}
    return gaps


def _volumes(source: Source, items: Sequence[Item], table: pd.DataFrame) -> dict[str, Any]:
    patients = {i.patient for i in items}
    shapes = table[["depth", "height", "width"]].to_numpy()
    present = [set(map(int, text.split())) for text in table.labels]
    # In mm, along slices, height, width; None where no file says it.
    spacings = table[["spacing_z", "spacing_y", "spacing_x"]].dropna().to_numpy(float)
    slices = int(table.depth.sum())
    return {
        "summary": f"{len(patients)} patients, {len(table)} volumes, {slices} slices decoded",
        "patients": len(patients),
        "volumes": len(table),
        "slices": slices,
        "smallest": shapes.min(axis=0).tolist(),
        "largest": shapes.max(axis=0).tolist(),
        "smallest_spacing": spacings.min(axis=0).tolist() if len(spacings) else None,
        "largest_spacing": spacings.max(axis=0).tolist() if len(spacings) else None,
        "volumes_with_label": {
            c.slug: sum(value in labels for labels in present)
            for value, c in enumerate(source.spec.classes)
        },
    }
