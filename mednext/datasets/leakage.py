"""Train-test overlap of each split: copies, near-duplicates, patients, telling files.

Read are what the verification noted of every file (``raw/items.csv``), the perceptual hashes of the
preparation and the split; no image is decoded again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mednext.config import DatasetRun
from mednext.datasets import near
from mednext.datasets.columns import ITEMS
from mednext.datasets.cues import FEATURES, cue
from mednext.datasets.groups import neighbours
from mednext.datasets.load import limited
from mednext.datasets.prepare import prepared_key
from mednext.datasets.relations import Relation, chosen, count, equal
from mednext.datasets.source import Source, resolve_source
from mednext.datasets.subsets import SUBSETS, read_split, split_hash
from mednext.errors import UserError
from mednext.files import read_csv
from mednext.results import Leak, LeakageRow

VOLUME_NOTE = "middle slices; the radius was fixed on CT slices of the chest"
PHOTO_NOTE = "the radius was fixed on CT slices of the chest"


def leakage_rows(dataset: str, run: DatasetRun) -> list[LeakageRow]:
    """All kinds of leaks of every protocol of ``run``.

    Raises:
        UserError: the data set has not been verified, prepared and split.
    """
    source = resolve_source(dataset, run)
    folder = source.paths.prepared(prepared_key(dataset, run.img_size))
    needed = [(source.paths.items, "verify"), (folder / "meta.json", "prepare")]
    needed += [(source.paths.split(p), "split") for p in run.all_protocols]
    for file, step in needed:
        if not file.is_file():
            raise UserError(
                "the data set is not ready", file=file, remedy=f"run 'mednext datasets {step}'"
            )
    items = read_csv(source.paths.items, ITEMS)
    kinds = relations(source, items, np.load(folder / "codes.npy"), _thumbnails(folder, source))
    data_hash = json.loads((folder / "meta.json").read_text())["data_hash"]
    rows = []
    for protocol in run.all_protocols:
        split = read_split(source.paths.split(protocol))
        split["subset"] = limited(split, run.limit, source.spec.task, dataset)
        common = {
            "dataset": dataset,
            "name": source.spec.name,
            "source": source.kind,
            "source_id": source.id,
            "stand_in": source.stand_in,
            "protocol": protocol,
            "unit": "images" if source.spec.task == "classification" else "volumes",
            "items": int(split.subset.isin(SUBSETS).sum()),
            "test_items": int((split.subset == "test").sum()),
            "data_hash": data_hash,
            "split_hash": split_hash(source.paths.split(protocol)),
        }
        found = [*_pairs(kinds, split, source), *_cues(items, split, source)]
        rows += [LeakageRow.model_validate(common | more) for more in found]
    return rows


def _thumbnails(folder: Path, source: Source) -> np.ndarray | None:
    return np.load(folder / "thumbnails.npy") if source.spec.run_threshold is not None else None


def relations(
    source: Source, items: pd.DataFrame, codes: np.ndarray, thumbnails: np.ndarray | None
) -> dict[Leak, Relation]:
    """The relations among all items of a data set that its files and tables tell of.

    Args:
        source: whose they are.
        items: ``items.csv``.
        codes: (N, variants, 32) uint8, perceptual hashes.
        thumbnails: (N, 32, 32) uint8, where successive numbers may show one scan.
    """
    sizes = ("width", "height") if "mode" in items else ("depth", "height", "width")
    pixels = items.pixels_sha256.str.cat([items[s].astype(str) for s in sizes], sep=" ")
    found = {
        Leak.SAME_BYTES: equal(items.sha256),
        Leak.SAME_PIXELS: equal(pixels),
        Leak.NEAR_DUPLICATE: Relation(*near.near_graph(codes, near.fixed_radius())),
    }
    if thumbnails is not None and source.spec.run_threshold is not None:
        links = neighbours(thumbnails, items.label, items.order, source.spec.run_threshold)
        found[Leak.NEXT_SLICE] = Relation(np.arange(len(items)), links)
    if (items.photograph != "").any():
        found[Leak.SAME_PHOTOGRAPH] = equal(items.photograph)
    if (items.patient != "").any():
        found[Leak.SAME_PATIENT] = equal(items.patient)
    return found


def _pairs(
    kinds: dict[Leak, Relation], split: pd.DataFrame, source: Source
) -> Iterator[dict[str, object]]:
    used = split.subset.isin(SUBSETS).to_numpy()
    subsets = split.subset[used].map(SUBSETS.index).to_numpy(np.int64)
    labels = pd.factorize(split.label[used])[0]
    classes = source.spec.task == "classification"
    overlap = np.zeros(len(subsets), dtype=bool)
    for kind, relation in kinds.items():
        counts = count(chosen(relation, used), labels, subsets)
        overlap |= counts.overlap
        yield {
            **LeakageRow.fields_of(counts),
            **({} if classes else {"within_class": None, "across_classes": None}),
            "kind": kind,
            "test_overlap": int(counts.overlap.sum()),
            "note": _note(kind, source),
        }
    yield {"kind": Leak.ANY, "test_overlap": int(overlap.sum())}


def _note(kind: Leak, source: Source) -> str | None:
    if kind != Leak.NEAR_DUPLICATE:
        return None
    if source.spec.task == "segmentation":
        return VOLUME_NOTE
    return PHOTO_NOTE if source.spec.channels == 3 else None


def _cues(items: pd.DataFrame, split: pd.DataFrame, source: Source) -> Iterator[dict[str, object]]:
    """What the files tell of the class; volumes have none."""
    if source.spec.task != "classification":
        return
    used = split.subset.isin(SUBSETS)
    table = items[used].assign(group=split.group[used])
    table["ending"] = table["item"].str.rsplit(".", n=1).str[-1].str.lower()
    for kind, features in FEATURES.items():
        yield {"kind": kind, **LeakageRow.fields_of(cue(table, features))}
