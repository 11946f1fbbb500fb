"""Who trains and who tests.

``paper``: Table 1's counts. Images are drawn one by one within each class, as the paper appears to
do (of MSLD the augmented ones); volumes follow the official list. Fewer items than the original has
are divided in proportion.
``grouped``: no group (patient, source photograph, near-duplicate images) in two subsets. Where the
paper's split already keeps groups together, it is the grouped one, too. Patients whose volumes are
near-duplicates are one group where the paper's split would part them.
``grouped_originals`` (MSLD): the groups' subsets as before, but tested on photographs only, trained
and validated on augmented images.
``fold1`` (MSLD): its authors' split by patient, of the same kind.
``cv1`` ... ``cv5``: five grouped folds, each tested once.
``overlap_in`` and ``overlap_out``: one test set, trained with and without other items of its
groups at equal size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mednext.config import DatasetRun, Protocol, benchmarks_dir, reader_module
from mednext.datasets import near
from mednext.datasets.columns import INDEX
from mednext.datasets.designs import FOLDS, fill, fold, overlap
from mednext.datasets.groups import components, group_names, neighbours, same, similar
from mednext.datasets.prepare import prepared_key
from mednext.datasets.seeds import stream
from mednext.datasets.source import Source, resolve_source
from mednext.datasets.subsets import OUTSIDE, SUBSETS, read_split
from mednext.errors import UserError
from mednext.files import read_csv, write_json, write_text
from mednext.provenance import closure_hash

COLUMNS = ["row", "item", "group", "label", "subset"]
Drawn = Callable[[Source, DatasetRun, pd.DataFrame], pd.DataFrame]
"""Adds ``subset`` to the items of a data set."""


def proportional(total: int, shares: Sequence[int]) -> list[int]:
    """Divide ``total`` in the proportion of ``shares`` (largest remainder); each share that is not
    zero gets at least one item, if there are enough.
    """
    exact = np.asarray(shares, float) * total / sum(shares)
    counts = np.floor(exact).astype(int)
    for index in np.argsort(counts - exact, kind="stable")[: total - counts.sum()]:
        counts[index] += 1
    for index in np.flatnonzero((counts == 0) & (np.asarray(shares) > 0)):
        if counts.max() > 1:
            counts[counts.argmax()] -= 1
            counts[index] = 1
    return [int(c) for c in counts]


def split_code(dataset: str) -> str:
    """Digest of the code behind the splits of a data set."""
    return closure_hash(__name__, reader_module(dataset))


def split(dataset: str, run: DatasetRun, protocol: str, command: str | None = None) -> None:
    """Write ``splits/<protocol>.csv``: row, item, group, label, subset.

    Beside it ``<protocol>.json`` holds its hash, the ``command`` that made it, and what else it
    depends on.

    Raises:
        UserError: the data set has no such protocol, or too few groups for it.
    """
    source = resolve_source(dataset, run)
    if protocol not in source.spec.protocols:
        raise UserError(
            f"'{dataset}' has no protocol '{protocol}'",
            found=protocol,
            expected=", ".join(source.spec.protocols),
        )
    key = prepared_key(dataset, run.img_size)
    folder = source.paths.prepared(key)
    if not source.paths.prepared_meta(key).is_file():
        raise UserError(
            "the data set is not ready",
            file=source.paths.prepared_meta(key),
            remedy="run 'mednext datasets prepare'",
        )
    table = PROTOCOLS[protocol](source, run, _items(source, folder))
    wanted = ("train", "test") if _shares(source, run)[1] == 0 else SUBSETS
    lacking = [subset for subset in wanted if not (table.subset == subset).any()]
    if lacking:
        raise UserError(
            f"too few groups for the protocol '{protocol}' of '{dataset}'",
            file=source.root,
            found=f"{table.group.nunique()} groups, none left for {', '.join(lacking)}",
            expected="at least one group per subset",
            remedy="use more of the data set"
            + ("" if protocol == "paper" else ", or the protocol 'paper'"),
        )
    content = table[COLUMNS].to_csv(index=False, lineterminator="\n")
    facts = {
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        "command": command,
        "source_id": source.id,
        "code": split_code(dataset),
        "seed": source.spec.split_seed,
        "near_duplicate_radius": near.fixed_radius(),
        "counts": {subset: int((table.subset == subset).sum()) for subset in SUBSETS},
        "groups": int(table.group.nunique()),
        "groups_in_two_subsets": crossing_groups(table),
    }
    # The table comes last: where it is, its facts are, too.
    write_json(source.paths.split_facts(protocol), facts)
    write_text(source.paths.split(protocol), content)
    subsets = ", ".join(f"{subset} {(table.subset == subset).sum()}" for subset in SUBSETS)
    print(f"{dataset} ({source.id}): {protocol} split: {subsets}")
    if source.spec.layout and protocol == "grouped" and table.group.nunique() == len(table):
        print(
            f"note: '{dataset}' has no groups, so that 'grouped' equals 'paper': say what stands "
            "for the patient in a file's name (custom_datasets, patient)"
        )


def _items(source: Source, folder: Path) -> pd.DataFrame:
    """The index of what was prepared, with ``group``; of volumes also ``linked``, the patient
    together with those that have a near-duplicate of one of his volumes.
    """
    spec = source.spec
    table = read_csv(folder / "index.csv", INDEX)
    table = table.rename(columns={"side": "subset"})  # as 'prepare' writes it
    table["item"] = table["item"].astype(str)
    alike = near.near_links(np.load(folder / "codes.npy"), near.fixed_radius())
    if spec.task == "segmentation":
        numbers = components(len(table), [same(table.patient), alike])
        return table.assign(group=table.patient, linked=group_names(numbers, table.patient))
    thumbnails = np.load(folder / "thumbnails.npy")
    links = [same(table.patient)]
    if spec.duplicate_threshold is not None:
        links.append(similar(thumbnails, spec.duplicate_threshold))
        links.append(alike)
    if spec.run_threshold is not None:
        links.append(neighbours(thumbnails, table.label, table.order, spec.run_threshold))
    return table.assign(group=group_names(components(len(table), links), table.patient))


def _shares(source: Source, run: DatasetRun, slug: str | None = None) -> tuple[int, int, int]:
    """Train, val, test as Table 1 has them for a class (or the cases), or as the phantom's."""
    if run.phantom is not None:
        return run.phantom.train, run.phantom.val, run.phantom.test
    if source.spec.split_shares is not None:
        train, val, test = (round(1000 * share) for share in source.spec.split_shares)
        return train, val, test
    by_class = {c.slug: c.paper_split for c in source.spec.classes}
    shares = source.spec.paper_split_cases or by_class[slug or source.spec.classes[0].slug]
    assert shares is not None  # every data set of datasets.yaml has one or the other
    return shares


def paper_split(source: Source, run: DatasetRun, items: pd.DataFrame) -> pd.DataFrame:
    """Add ``subset`` by the ``paper`` protocol."""
    table = items.copy()
    random = stream("split", "paper", source.dataset, source.spec.split_seed)
    if source.spec.task == "segmentation":
        table["subset"] = table.group.map(_patient_subsets(source, run, table, random))
        return table
    table["subset"] = OUTSIDE
    used = part_of(table, "augmented")
    for klass in source.spec.classes:
        rows = np.array(table.index[(table.label == klass.slug) & used])
        subsets = np.repeat(SUBSETS, proportional(len(rows), _shares(source, run, klass.slug)))
        table.loc[random.permutation(rows), "subset"] = subsets
    return table


def part_of(table: pd.DataFrame, part: str) -> pd.Series[bool]:
    """Which items are of this part; all, in a data set without parts."""
    if "part" not in table or not table.part.any():
        return pd.Series(True, index=table.index)
    return table.part == part


def _patient_subsets(
    source: Source, run: DatasetRun, table: pd.DataFrame, random: np.random.Generator
) -> dict[str, str]:
    patients = sorted(set(table.group))
    if "subset" in table and (table.subset != "").all():
        return dict(zip(table.group, table.subset, strict=True))
    if source.kind != "phantom":
        known = listed_subsets(source, "paper")
        if set(patients) == set(known):
            return known
    subsets = np.repeat(SUBSETS, proportional(len(patients), _shares(source, run)))
    return dict(zip(random.permutation(patients).tolist(), subsets.tolist(), strict=True))


def listed_subsets(source: Source, protocol: Protocol) -> dict[str, str]:
    """Patient -> subset of the list below ``benchmarks/splits/``; empty if there is none."""
    name = source.spec.split_files.get(protocol)
    if name is None:
        return {}
    listed = read_split(benchmarks_dir() / "splits" / name)
    return dict(zip(listed.group, listed.subset, strict=True))


def crossing_groups(table: pd.DataFrame) -> int:
    """How many groups lie in more than one subset."""
    used = table[table.subset.isin(SUBSETS)]
    return int((used.groupby("group").subset.nunique() > 1).sum())


def grouped_split(source: Source, paper: pd.DataFrame) -> pd.DataFrame:
    """Whole groups in the subsets, near the paper's counts of each class: the largest group goes
    first, each to the subset that lacks most of its classes; equal sizes in random order.
    """
    random = stream("split", "grouped", source.dataset, source.spec.split_seed)
    used = paper[paper.subset != OUTSIDE]
    wanted = {subset: used[used.subset == subset].label.value_counts() for subset in SUBSETS}
    table = paper.copy()
    table["subset"] = OUTSIDE
    table.loc[used.index, "subset"] = fill(used, wanted, random)
    return table


def _grouped(source: Source, run: DatasetRun, items: pd.DataFrame) -> pd.DataFrame:
    table = paper_split(source, run, items)
    linked = table.assign(group=table.linked) if "linked" in table else table
    return grouped_split(source, linked) if crossing_groups(linked) else table


def tested_on_originals(items: pd.DataFrame, subset: pd.Series[str]) -> pd.DataFrame:
    """The given subsets, with photographs alone in test and augmented images alone elsewhere."""
    fits = part_of(items, "original").where(subset == "test", part_of(items, "augmented"))
    return items.assign(subset=subset.where(fits, OUTSIDE))


def _grouped_originals(source: Source, run: DatasetRun, items: pd.DataFrame) -> pd.DataFrame:
    table = _grouped(source, run, items)
    used = table[table.subset != OUTSIDE]
    subsets = dict(zip(used.group, used.subset, strict=True))
    return tested_on_originals(items, table.group.map(subsets))


def _fold1(source: Source, run: DatasetRun, items: pd.DataFrame) -> pd.DataFrame:
    subset = items.subset
    if not (subset != "").all():
        known = listed_subsets(source, "fold1")
        subset = items.patient.map(known).fillna("")
    if not (subset != "").all():
        lost = items.patient[subset == ""].iloc[0]
        raise UserError(
            f"the authors' split does not list patient {lost}",
            file=source.root,
            found=lost,
            expected="a patient of Fold1",
            remedy="remove the images that do not belong to the data set",
        )
    return tested_on_originals(items, subset)


def _used(source: Source, run: DatasetRun, items: pd.DataFrame) -> pd.DataFrame:
    """The items of the paper's protocol, with the paper's subset; patients whose volumes are
    near-duplicates are one group.
    """
    table = paper_split(source, run, items)
    table = table[table.subset != OUTSIDE]
    return table.assign(group=table.linked) if "linked" in table else table


def _placed(items: pd.DataFrame, subset: pd.Series[str]) -> pd.DataFrame:
    """All items, those without a subset outside."""
    return items.assign(subset=subset.reindex(items.index, fill_value=OUTSIDE))


def _fold(number: int) -> Drawn:
    def draw(source: Source, run: DatasetRun, items: pd.DataFrame) -> pd.DataFrame:
        train, val, _ = _shares(source, run)
        names = (("cv",), ("cv", "val", number))
        streams = [stream("split", *n, source.dataset, source.spec.split_seed) for n in names]
        used = _used(source, run, items)
        return _placed(items, fold(used, number, val / (train + val), streams))

    return draw


def _overlap(in_train: str, left_out: str) -> Drawn:
    def draw(source: Source, run: DatasetRun, items: pd.DataFrame) -> pd.DataFrame:
        random = stream("split", "overlap", source.dataset, source.spec.split_seed)
        used = _used(source, run, items)
        subset = overlap(used, used.subset, random)
        sizes = pd.crosstab(used.label, subset).reindex(
            columns=["related", "substitute"], fill_value=0
        )
        if (sizes.related != sizes.substitute).any() or not sizes.related.any():
            raise UserError(
                "too few groups to train with and without those of the test set at equal size",
                file=source.root,
                found=f"{sizes.related.sum()} items of theirs, {sizes.substitute.sum()} of others",
                expected="as many of other groups, of each class",
                remedy="use more of the data set, or another protocol",
            )
        return _placed(items, subset.replace({in_train: "train", left_out: OUTSIDE}))

    return draw


PROTOCOLS: dict[str, Drawn] = {
    "paper": paper_split,
    "grouped": _grouped,
    "grouped_originals": _grouped_originals,
    "fold1": _fold1,
    "overlap_in": _overlap("related", "substitute"),
    "overlap_out": _overlap("substitute", "related"),
    **{f"cv{number}": _fold(number) for number in range(1, FOLDS + 1)},
}
