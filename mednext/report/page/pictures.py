"""The case browser's data: predictions as numbers, pictures as contact sheets in data URIs."""

from __future__ import annotations

import base64
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mednext.config.names import class_names

# Okabe and Ito, then variations of them: masks of up to 13 labels, readable with every kind of
# colour vision for the three of ACDC and as far apart as possible for the eight of Synapse.
LABEL_COLOURS = [
    "#E69F00",
    "#56B4E9",
    "#CC79A7",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#FFFFFF",
    "#9467BD",
    "#8C564B",
    "#BCBD22",
    "#17BECF",
    "#7F7F7F",
]

EDGE = 8
"""Pixels around a photo in its sheet."""


def case_sets(folder: Path) -> list[dict[str, Any]]:
    """Everything the browser shows, one entry per ``browse.<dataset>.<protocol>.npz``."""
    return [_case_set(path) for path in sorted(folder.glob("browse.*.npz"))]


def _case_set(path: Path) -> dict[str, Any]:
    _, dataset, protocol, _ = path.name.split(".")
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    task, methods = str(arrays["task"]), [str(m) for m in arrays["methods"]]
    out: dict[str, Any] = {
        "key": f"{dataset}.{protocol}",
        "dataset": dataset,
        "protocol": protocol,
        **{name: str(arrays[name]) for name in ("task", "source", "selection")},
        "methods": methods,
        "seeds": arrays["seeds"].tolist(),
        "absent": [str(m) for m in arrays["absent"]],
        "classes": class_names(dataset, map(str, arrays["classes"])),
        "names": [str(n) for n in arrays["names"]],
        "pictured": arrays["pictured"].tolist(),
        "side": int(arrays["images"].shape[1]),
        "images": photo_sheet(arrays["images"]),
        "edge": EDGE,
    }
    if task == "classification":
        out["labels"] = arrays["labels"].tolist()
        out["scores"] = _rounded(arrays["scores"])
        out["overlays"] = {
            method: palette_sheet(heat, heat_palette())
            for method, heat in zip(methods, arrays["heatmaps"], strict=True)
        }
        out["overlay_side"] = int(arrays["heatmaps"].shape[-1])
        return out
    colours = label_palette()
    out["dice"], out["hd95"] = _rounded(arrays["dice"]), _rounded(arrays["hd95"])
    out["planes"] = arrays["planes"].tolist()
    out["colours"] = list(LABEL_COLOURS[: len(out["classes"]) - 1])
    out["truth"] = palette_sheet(arrays["truth"], colours)
    out["overlays"] = {
        method: palette_sheet(mask, colours)
        for method, mask in zip(methods, arrays["masks"], strict=True)
    }
    out["overlay_side"] = out["side"]
    return out


def _rounded(values: np.ndarray) -> Any:
    """Nested lists with four decimals; NaN, which JSON does not know, as None."""
    if values.ndim > 1:
        return [_rounded(part) for part in values]
    return [None if math.isnan(v) else round(float(v), 4) for v in values]


def columns(count: int) -> int:
    """Pictures per row of a contact sheet."""
    return max(1, math.ceil(math.sqrt(count)))


def tiled(pictures: np.ndarray, edge: int = 0) -> np.ndarray:
    """(N, S, S[, 3]) -> one sheet (R*T, C*T[, 3]), row by row, C = columns(N), T = S + 2 ``edge``.

    ``edge`` pixels around each picture repeat its border.
    """
    if edge:
        around = ((0, 0), (edge, edge), (edge, edge), (0, 0))[: pictures.ndim]
        pictures = np.pad(pictures, around, mode="edge")
    count, side = pictures.shape[:2]
    across = columns(count)
    down = math.ceil(count / across)
    sheet = np.zeros((down * side, across * side, *pictures.shape[3:]), dtype=np.uint8)
    for n, picture in enumerate(pictures):
        top, left = n // across * side, n % across * side
        sheet[top : top + side, left : left + side] = picture
    return sheet


def photo_sheet(pictures: np.ndarray) -> str:
    """A sheet of grey or colour pictures, as WebP of high quality.

    Its blocks would let neighbours show through at the borders: hence the edges.
    """
    return _uri(Image.fromarray(tiled(pictures, EDGE)), "webp", quality=88, method=4)


def palette_sheet(pictures: np.ndarray, palette: np.ndarray) -> str:
    """A sheet of indices (N, S, S) with the colours ``palette`` (256, 4) RGBA, as PNG."""
    image = Image.fromarray(tiled(pictures), mode="P")
    image.putpalette(palette[:, :3].astype(np.uint8).tobytes())
    return _uri(image, "png", optimize=True, transparency=palette[:, 3].astype(np.uint8).tobytes())


def _uri(image: Image.Image, form: str, **options: Any) -> str:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return f"data:image/{form};base64," + base64.b64encode(stream.getvalue()).decode()


def heat_palette() -> np.ndarray:
    """(256, 4) RGBA of matplotlib's ``inferno``, opaque where there is heat, clear where none."""
    from matplotlib import colormaps

    table = colormaps["inferno"](np.arange(256))
    table[:, 3] = np.linspace(0, 1, 256) ** 0.7
    return np.asarray(np.round(table * 255), dtype=np.uint8)


def label_palette() -> np.ndarray:
    """(256, 4) RGBA: background clear, labels opaque."""
    table = np.zeros((256, 4), dtype=np.uint8)
    for value, colour in enumerate(LABEL_COLOURS, start=1):
        table[value] = (*bytes.fromhex(colour[1:]), 255)
    return table
