"""The counts of Table 1, as they came out here."""

from __future__ import annotations

import json

from mednext.config import DatasetRun
from mednext.datasets.load import limited
from mednext.datasets.prepare import prepared_key
from mednext.datasets.source import resolve_source
from mednext.datasets.subsets import OUTSIDE, read_split, split_hash
from mednext.results import DatasetRow


def dataset_rows(dataset: str, run: DatasetRun, protocol: str) -> list[DatasetRow]:
    """One row per class of images, or one for all patients, of one protocol."""
    source = resolve_source(dataset, run)
    meta = source.paths.prepared_meta(prepared_key(dataset, run.img_size))
    file = source.paths.split(protocol)
    table = read_split(file)
    table["subset"] = limited(table, run.limit, source.spec.task, dataset)
    table = table[table.subset != OUTSIDE]
    used = table[table.subset != "unused"]
    crossing = int((used.groupby("group").subset.nunique() > 1).sum())
    images = source.spec.task == "classification"
    rows = []
    for klass in source.spec.classes if images else (None,):
        part = table[table.label == klass.slug] if klass else table.drop_duplicates("group")
        printed = klass.paper_split if klass else source.spec.paper_split_cases
        rows.append(
            DatasetRow(
                dataset=dataset,
                name=source.spec.name,
                source=source.kind,
                source_id=source.id,
                stand_in=source.stand_in,
                protocol=protocol,
                klass=klass.slug if klass else None,
                unit="images" if images else "cases",
                train=int((part.subset == "train").sum()),
                val=int((part.subset == "val").sum()),
                test=int((part.subset == "test").sum()),
                unused=int((part.subset == "unused").sum()),
                total=len(part),
                expected_total=klass.expected if klass else sum(printed or ()),
                printed_train=printed[0] if printed else None,
                printed_val=printed[1] if printed else None,
                printed_test=printed[2] if printed else None,
                groups=int(part.group.nunique()),
                groups_in_two_subsets=crossing,
                data_hash=json.loads(meta.read_text())["data_hash"],
                split_hash=split_hash(file),
            )
        )
    return rows
