"""Check every file of a data set before anything is made from it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mednext.config import DatasetRun
from mednext.datasets import acdc, sars_cov2_ct
from mednext.datasets.manifest import read_checked, read_manifest
from mednext.datasets.source import Source, resolve_source
from mednext.errors import UserError
from mednext.files import write_json


def verify(dataset: str, run: DatasetRun) -> None:
    """Decode and check every file; write ``raw/verified.json`` only if all of them are good.

    Raises:
        UserError: the first file that is damaged or does not fit, with the remedy.
    """
    source = resolve_source(dataset, run)
    check = _images if source.spec.task == "classification" else _volumes
    facts = check(source)
    write_json(source.paths.facts, facts)
    print(f"{dataset} ({source.id}): OK, {facts['summary']}")


def _images(source: Source) -> dict[str, Any]:
    entries = read_manifest(source.paths.manifest)
    counts = Counter(sars_cov2_ct.label_of(e.path, source.spec) for e in entries)
    for index, klass in enumerate(source.spec.classes):
        if source.kind == "local" and klass.expected and counts[index] > klass.expected:
            raise UserError(
                f"class '{klass.slug}' has more images than the original",
                file=source.root / str(klass.folder),
                found=counts[index],
                expected=f"at most {klass.expected}",
                remedy="remove the files that do not belong to the data set",
            )
    sizes = Counter[str]()
    for entry in entries:
        image = sars_cov2_ct.read_image(read_checked(source.root, entry), source.root / entry.path)
        sizes[f"{image.width}x{image.height}"] += 1
    by_class = {k.slug: counts[i] for i, k in enumerate(source.spec.classes)}
    parts = ", ".join(
        f"{by_class[k.slug]} of {k.expected} {k.slug}"
        if source.kind == "local"
        else f"{by_class[k.slug]} {k.slug}"
        for k in source.spec.classes
    )
    summary = f"{len(entries)} images decoded ({parts}), {len(sizes)} different sizes"
    return {"summary": summary, "counts": by_class, "sizes": dict(sizes.most_common())}


def _volumes(source: Source) -> dict[str, Any]:
    entries = {e.path: e for e in read_manifest(source.paths.manifest)}
    by_patient = acdc.frames(list(entries), source.root)
    acdc.check_info(
        list(entries), by_patient, lambda p: read_checked(source.root, entries[p]), source.root
    )
    slices, shapes = 0, []
    labelled = Counter[int]()
    for patient, images in sorted(by_patient.items()):
        for frame, path in images.items():
            volume = acdc.read_volume(
                path,
                patient,
                frame,
                lambda p: read_checked(source.root, entries[p]),
                source.root,
            )
            slices += volume.image.shape[0]
            shapes.append(volume.image.shape)
            for value in range(len(source.spec.classes)):
                labelled[value] += int((volume.label == value).any())
    summary = f"{len(by_patient)} patients, {len(shapes)} volumes, {slices} slices decoded"
    return {
        "summary": summary,
        "patients": len(by_patient),
        "volumes": len(shapes),
        "slices": slices,
        "smallest": [min(s[i] for s in shapes) for i in range(3)],
        "largest": [max(s[i] for s in shapes) for i in range(3)],
        "volumes_with_label": {k.slug: labelled[i] for i, k in enumerate(source.spec.classes)},
    }
