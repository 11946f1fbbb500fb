"""How much there is to train on: images per subset, and the disk of the prepared arrays.

Counted in the prepared split where there is one, else from Table 1 (or the phantom's counts) and
the typical sizes of ``datasets.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mednext.config import DatasetRun, DatasetSpec
from mednext.datasets.columns import INDEX
from mednext.datasets.load import limited
from mednext.datasets.prepare import padded_size, prepared_key
from mednext.datasets.source import resolve_source
from mednext.datasets.subsets import SUBSETS, read_split, split_hash
from mednext.errors import UserError
from mednext.files import read_csv
from mednext.layout import DataPaths


@dataclass(frozen=True)
class Sizes:
    """How many images (slices) are in each subset, and how many cases are tested."""

    train: float
    val: float
    test: float
    exact: bool


def sizes_of(slug: str, spec: DatasetSpec, run: DatasetRun, protocol: str) -> Sizes:
    """Images (slices) per subset: counted in the split if it is there, else as they are listed."""
    return _counted(slug, spec, run, protocol) or listed_sizes(
        spec, run, custom_files(slug, spec, run)
    )


def split_key(slug: str, spec: DatasetSpec, run: DatasetRun, protocol: str) -> str:
    """Equal for protocols that give the same split and so share one training: the digest of the
    split if it is there; before, volumes are known to be split by patient under every protocol.
    """
    try:
        file = DataPaths(resolve_source(slug, run).id, slug).split(protocol)
    except UserError:
        file = None  # the local folder is missing: the plan says so elsewhere
    if file is not None and file.is_file():
        return split_hash(file)
    return "by patient" if spec.task == "segmentation" else protocol


def custom_files(slug: str, spec: DatasetSpec, run: DatasetRun) -> int:
    """Images, or image/label pairs, of a custom data set; 0 for the others."""
    if spec.split_shares is None:
        return 0
    try:
        entries = resolve_source(slug, run).entries or ()
    except UserError:
        return 0  # the folder is missing: the plan says so elsewhere
    return len(entries) if spec.task == "classification" else len(entries) // 2


def listed_sizes(spec: DatasetSpec, run: DatasetRun, files: int = 0) -> Sizes:
    """As Table 1 or the phantom's counts have them, within the profile's limit; of a custom set
    the shares of its ``files``.
    """
    if run.phantom is not None:
        subsets = [run.phantom.train, run.phantom.val, run.phantom.test]
    elif spec.task == "segmentation":
        subsets = list(spec.paper_split_cases or (0, 0, 0))
    else:
        columns = [c.paper_split or (0, 0, 0) for c in spec.classes]
        subsets = [sum(column) for column in zip(*columns, strict=True)]
    if spec.split_shares is not None:
        subsets = [round(files * share / sum(spec.split_shares)) for share in spec.split_shares]
    if run.limit is not None:
        limits = (run.limit.train, run.limit.val, run.limit.test)
        subsets = [min(a, b) for a, b in zip(subsets, limits, strict=True)]
    per_case = 1.0
    if spec.task == "segmentation":
        per_case = spec.typical.phantom_slices if run.phantom else spec.typical.slices
    train, val, test = (count * per_case for count in subsets)
    return Sizes(train, val, test, exact=False)


def _counted(slug: str, spec: DatasetSpec, run: DatasetRun, protocol: str) -> Sizes | None:
    """From the split and the index of the prepared arrays, if both are there."""
    try:
        paths = DataPaths(resolve_source(slug, run).id, slug)
    except UserError:
        return None  # the local folder is missing: the plan says so elsewhere
    index = paths.prepared(prepared_key(slug, run.img_size)) / "index.csv"
    if not index.is_file() or not paths.split(protocol).is_file():
        return None
    table = read_split(paths.split(protocol))
    subsets = limited(table, run.limit, spec.task, slug)
    weight = pd.Series(1.0, index=table.index)
    if spec.task == "segmentation":
        depth = read_csv(index, INDEX).set_index("row").depth
        weight = table.row.map(depth).astype(float)
    train, val, test = (float(weight[subsets == subset].sum()) for subset in SUBSETS)
    return Sizes(train, val, test, exact=True)


def prepared_bytes(slug: str, spec: DatasetSpec, run: DatasetRun) -> int:
    """Disk of the arrays of one data set at one image size (a limit does not make them smaller)."""
    whole = run.model_copy(update={"limit": None})
    sizes = listed_sizes(spec, whole, custom_files(slug, spec, run))
    images = sizes.train + sizes.val + sizes.test
    if spec.task == "classification":
        return round(images * spec.channels * padded_size(run.img_size) ** 2)
    # Slices and volumes, each as float32 image and uint8 label.
    return round(images * 5 * (run.img_size**2 + spec.typical.slice_pixels))
