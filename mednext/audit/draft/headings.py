"""What a column's heading names: metric, what sets it apart, unit."""

from __future__ import annotations

import re
import unicodedata

SPELLINGS: dict[str, tuple[str, ...]] = {
    "accuracy": ("accuracy", "acc", "oa", "overall accuracy", "ca"),
    "precision": ("precision", "prec", "ppv", "positive predictive value"),
    "recall": ("recall", "rec", "sensitivity", "sens", "sen", "tpr", "true positive rate"),
    "specificity": ("specificity", "spec", "spe", "tnr", "true negative rate"),
    "npv": ("npv", "negative predictive value"),
    "f1": ("f1", "f1 score", "f score", "f measure", "f1 measure", "f 1"),
    "dice": ("dice", "dsc", "dice score", "dice coefficient", "dice similarity coefficient"),
    "iou": ("iou", "jaccard", "jaccard index", "jac", "intersection over union"),
    "balanced_accuracy": ("balanced accuracy", "balanced acc", "bacc", "bac"),
    "mcc": ("mcc", "matthews correlation coefficient"),
    "kappa": ("kappa", "cohens kappa", "cohen kappa"),
    "auc": ("auc", "auroc", "roc auc", "area under the curve"),
    "hd95": ("hd95", "hd 95", "95hd", "hd95", "95 hd"),
    "hd": ("hd", "hausdorff distance"),
    "asd": ("asd", "average surface distance"),
    "assd": ("assd",),
    "params": ("params", "param", "parameters", "number of parameters"),
    "flops": ("flops", "gflops", "flop"),
    "gmacs": ("gmacs", "macs", "gmac"),
}
"""Metric -> how tables call it, in lower case and without punctuation."""
BY_SPELLING = {spelling: metric for metric, words in SPELLINGS.items() for spelling in words}
NO_NAME = re.compile(
    r"[\u00d7x\u00b7*]?\s*10\^-?\d+|\d+\s*%\s*(?:ci|confidence intervals?)\b"
    r"|(?:\u00b1|\+/-)\s*(?:sd|std|se)\b|,\s*(?:mm|ms|m|g)\s*$",
    re.I,
)
"""What a heading says besides the metric: powers of ten, intervals, spreads, units."""
KIND = re.compile(
    r"(macro|micro|weighted|mean|average|avg|test|train|validation|val|top \d+)"
    r"(?: averaged?| avg)? "
    r"|m(?=(?:iou|dice|dsc)$)"
)
"""What stands before a metric and is no part of it; the m of mIoU is a mean."""
NO_KIND = re.compile(
    rf"|mm|m|g|k|b|voxels?|px|s|ms|.*\b(?:sd|std|se|ci|iqr|mean|median|range)\b.*"
    rf"|{'|'.join(map(re.escape, BY_SPELLING))}"
)
"""What stands in brackets behind a metric without setting it apart: units, spreads, synonyms."""
PREFIX = {"6": "m", "9": "g", "3": "k"}
"""Powers of ten in a heading -> unit of the column's name."""


def _spelled_out(text: str) -> str:
    """Ligatures and other forms of letters as letters, Greek ones by their names."""
    return "".join(
        f" {unicodedata.name(sign).split()[-1].lower()} "
        if "GREEK" in unicodedata.name(sign, "")
        else sign
        for sign in unicodedata.normalize("NFKC", text)
    )


def slug(text: str) -> str:
    """Letters and digits of ASCII, joined by underscores."""
    plain = unicodedata.normalize("NFKD", _spelled_out(text)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")


def metric_of(heading: str) -> str | None:
    """The metric that a heading names, with or without its unit; None if it names none."""
    return metric_and_kind(heading)[0]


def metric_and_kind(heading: str) -> tuple[str | None, list[str]]:
    """The metric, and what sets it apart: "Macro F1" is f1 and macro, "Dice (WT)" dice and wt."""
    bare = re.sub(r"[(\[][^)\]]*[)\]]", " ", heading)
    brackets = [_words(text) for text in re.findall(r"[(\[]([^)\]]*)[)\]]", heading)]
    kinds = [slug(text) for text in brackets if not NO_KIND.fullmatch(text) and text.count(" ") < 3]
    for words, others in ((_words(bare), kinds), *((text, []) for text in brackets)):
        if words in BY_SPELLING:
            return BY_SPELLING[words], others
        kind = KIND.match(words)
        if kind and words[kind.end() :] in BY_SPELLING:
            first = "mean" if kind.group(1) is None else slug(kind.group(1))
            return BY_SPELLING[words[kind.end() :]], [first, *others]
    return None, []


def _words(text: str) -> str:
    """Lower case, without punctuation, units, intervals and spreads."""
    words = re.sub(r"[\u2191\u2193%*\u2019']", "", _spelled_out(NO_NAME.sub("", text)).lower())
    return re.sub(r"\W+", " ", words).replace("_", " ").strip()


def unit_suffix(heading: str) -> str:
    """What a heading says of the unit, for its name: ``_mm``, ``_m``, ``_g`` or nothing."""
    if found := re.search(r"[(\[,]\s*(mm|m|g|k|voxels?|px|s|ms)\s*(?:[)\]]|$)", heading, re.I):
        return f"_{found.group(1).lower()}"
    if found := re.search(r"10\^([369])", heading):
        return f"_{PREFIX[found.group(1)]}"
    return "_g" if re.match(r"\s*gflops", heading, re.I) else ""
