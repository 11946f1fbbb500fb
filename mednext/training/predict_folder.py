"""Predict a folder of a user's own images with the weights of one run.

They are prepared as the run's data set was. Classification: one CSV with a score per class.
Segmentation: a label map per file, in the geometry of that file: NIfTI with its shape, affine and
spacing, or PNG of its size.
"""

from __future__ import annotations

import gzip
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import torch
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    io_orientation,
    ornt_transform,
)
from PIL import Image
from torch import nn

from mednext.config import RunConfig, load_datasets
from mednext.datasets import acdc, pairs, synapse
from mednext.datasets.chunks import default_jobs
from mednext.datasets.decode import ENDINGS, read_picture
from mednext.datasets.images import resized
from mednext.datasets.manifest import list_entries
from mednext.datasets.prepare import padded_size, resize_slice
from mednext.datasets.reader import Files
from mednext.datasets.scan import scan
from mednext.datasets.volumes import (
    AXES,
    VOLUMES,
    check_finite,
    open_nifti,
    oriented,
    voxels,
)
from mednext.errors import UserError
from mednext.files import atomic_path, for_spreadsheets
from mednext.runs.progress import bar
from mednext.training.augment import center_crop
from mednext.training.batches import network_input
from mednext.training.device import autocast
from mednext.training.evaluate import load_model, native_labels

SCALED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "acdc": acdc.scaled,
    "synapse": synapse.scaled,
}
"""How a data set scales intensities; a user's own is scaled by :func:`pairs.scaled`."""


def predict_folder(run: RunConfig, selection: str, folder: Path, out: Path) -> str:
    """Predict every image or volume of ``folder`` and write below ``out``; returns what was done.

    Raises:
        UserError: the folder holds nothing of the kind, a file is damaged, or the run has no such
            weights; the results would overwrite the images or each other.
    """
    grey = run.task == "segmentation"
    names = scan(folder, pairs.KNOWN if grey else ENDINGS, deep=not grey)
    if not names:
        raise UserError(
            "the folder holds no image",
            file=folder,
            found="0 files",
            expected=", ".join(pairs.KNOWN if grey else ENDINGS),
            remedy="give the folder of the images",
        )
    targets = {name: _label_file(out, name) for name in names} if grey else {"": out}
    check_targets(folder, out, names, targets)
    files = Files(folder, list_entries(folder, names))
    model = load_model(run, selection)
    torch.set_num_threads(default_jobs())  # a run's own threads are for equal bits
    if run.task == "classification":
        _write_scores(run, model, files, out)
        return f"{len(names)} images: {out}"
    for name in bar(names, len(names), "predict"):
        _write_labels(run, model, files, name, out)
    return f"{len(names)} label maps: {out}"


def _label_file(out: Path, name: str) -> Path:
    """Where the label map of one file is written."""
    if name.lower().endswith(VOLUMES):
        return out / f"{pairs.stem(name)}.nii.gz"
    return out / f"{name.rsplit('.', 1)[0]}.png"


def check_targets(folder: Path, out: Path, names: Sequence[str], targets: dict[str, Path]) -> None:
    """Refuse results that would overwrite an image, or another result.

    Raises:
        UserError: the first such file.
    """
    images = {(folder / name).resolve() for name in names}
    inside = folder.resolve() in (out.resolve(), *out.resolve().parents)
    if out.resolve() in images or (inside and out not in targets.values()):
        raise UserError(
            "the results would lie among the images, and overwrite them",
            file=out,
            found=f"--images {folder}, --out {out}",
            expected="another place for the results",
            remedy="give --out outside of the folder of the images",
        )
    taken: dict[str, str] = {}
    for name, target in targets.items():
        # Some file systems tell neither case nor Unicode form apart.
        key = unicodedata.normalize("NFC", str(target)).casefold()
        if key in taken or target.resolve() in images:
            raise UserError(
                "two results would be one file"
                if key in taken
                else "an image would be overwritten",
                file=target,
                found=" and ".join(filter(None, (taken.get(key), name))) or str(folder),
                expected="a name of its own for each image, without its ending, too",
                remedy="rename one of them, or predict them in two folders",
            )
        taken[key] = name


def _write_scores(run: RunConfig, model: nn.Module, files: Files, out: Path) -> None:
    """A row per image: path, prediction (a class's slug) and the softmax score of each class.

    Batch by batch, while threads decode the images of the next two: the memory does not depend on
    how many there are.
    """
    mode = "L" if load_datasets()[run.dataset].channels == 1 else "RGB"
    side = padded_size(run.img_size)

    def decoded(path: str) -> np.ndarray:
        return resized(read_picture(files, path, mode).image, side)

    starts = range(0, len(files.paths), run.batch_size)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool, atomic_path(out) as part:
        pictures = _ahead(pool, decoded, files.paths, 2 * run.batch_size)
        for start in bar(starts, len(starts), "predict"):
            paths = files.paths[start : start + run.batch_size]
            images = torch.from_numpy(np.stack([next(pictures) for _ in paths]))
            ready = network_input(center_crop(images, run.img_size), run)
            scores = logits_of(run, model, ready).softmax(dim=1)
            table = pd.DataFrame(scores.tolist(), columns=[f"score_{k}" for k in run.classes])
            table.insert(0, "path", paths)
            table.insert(1, "prediction", [run.classes[k] for k in scores.argmax(1).tolist()])
            for_spreadsheets(table).to_csv(
                part, mode="a", header=start == 0, index=False, lineterminator="\n"
            )


def _ahead(
    pool: Executor, work: Callable[[str], np.ndarray], names: Sequence[str], many: int
) -> Iterator[np.ndarray]:
    """``work`` of each name in order, begun for as ``many`` of them before it is asked for."""
    waiting: deque[Future[np.ndarray]] = deque()
    for name in names:
        waiting.append(pool.submit(work, name))
        if len(waiting) > many:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@torch.no_grad()
def logits_of(run: RunConfig, model: nn.Module, ready: torch.Tensor) -> torch.Tensor:
    """Logits of what :func:`~mednext.training.batches.network_input` has prepared, on the CPU."""
    device = next(model.parameters()).device
    with autocast(run, device):
        logits: torch.Tensor = model(ready.to(device))
    return logits.float().cpu()


def labels_of(run: RunConfig, model: nn.Module, image: np.ndarray) -> np.ndarray:
    """(D, H, W) intensities in [0, 1] -> (D, H, W) uint8 labels."""
    small = np.stack([resize_slice(plane, run.img_size, order=3) for plane in image])
    images = torch.from_numpy(small.astype(np.float32))[:, None]
    parts = [
        logits_of(run, model, network_input(batch, run)).argmax(1)
        for batch in images.split(run.batch_size)
    ]
    found = torch.cat(parts).to(torch.uint8).numpy()
    depth, height, width = image.shape
    return native_labels(found, (depth, height, width))


def _write_labels(run: RunConfig, model: nn.Module, files: Files, name: str, out: Path) -> None:
    """The label map of one file, in the values that the labels of the data set have."""
    spec = load_datasets()[run.dataset]
    own = [c.original_label if spec.layout is not None else None for c in spec.classes]
    values = np.array([i if value is None else value for i, value in enumerate(own)])
    values = values.astype(np.uint8 if values.max() < 256 else np.uint16)
    if not name.lower().endswith(VOLUMES):
        labels = labels_of(run, model, pairs.picture(files, name)[0])[0]
        with atomic_path(_label_file(out, name)) as part:
            Image.fromarray(values[labels]).save(part)
        return
    # Networks know bodies in one orientation only; the label map goes back to the file's own.
    grid, (turned, _, _) = open_nifti(files, name), oriented(files, name)
    image = voxels(files, name, turned, np.float64)
    check_finite(image, files.file(name))
    labels = labels_of(run, model, SCALED.get(run.dataset, pairs.scaled)(image.transpose(2, 1, 0)))
    back = ornt_transform(axcodes2ornt(AXES), io_orientation(grid.affine))
    labels = apply_orientation(labels.transpose(2, 1, 0), back).reshape(grid.shape)
    with atomic_path(_label_file(out, name)) as part:
        header = _label_header(grid.header, values.dtype)
        content = nib.Nifti1Image(values[labels], grid.affine, header).to_bytes()
        part.write_bytes(gzip.compress(content, mtime=0))


def _label_header(image: nib.Nifti1Header, kind: np.dtype) -> nib.Nifti1Header:
    """The geometry of the image, but not its display range, intent and description."""
    header = image.copy()
    header.set_data_dtype(kind)
    header.set_slope_inter(1, 0)
    header.set_intent("label")
    for name in ("cal_min", "cal_max", "descrip", "aux_file", "toffset"):
        header[name] = nib.Nifti1Header()[name]
    return header
