"""Plain tables of a profile: every method on every data set, nothing printed beside it.

For custom data sets and networks, which no table of the paper has; the paper's data sets get
one, too, so that a custom network stands beside the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from mednext.config import Profile, load_datasets
from mednext.config.names import display_name, target_name
from mednext.files import for_spreadsheets, write_csv, write_text
from mednext.layout import results_root
from mednext.report.verdicts import over_seeds
from mednext.results import DatasetRow, Metric, MetricRow, policy_of, read_rows, unconditional
from mednext.templates import markdown_cell

METRICS = {
    "classification": ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc"),
    "segmentation": ("dice", "hd95_pooled_vox", "hd95_pooled_mm"),
}
EXPLAINED = {
    "worst": "Policy `worst`: an organ that is missed, or predicted where there is none, has Dice "
    "0 and the image's diagonal for HD95; a case in which it is neither there nor predicted does "
    "not count for it.",
    "transunet": "Policy `transunet`, the paper's: an organ that is predicted where there is none "
    "has Dice 1 and HD95 0, one that is missed has Dice 0 and HD95 0.",
}
"""What is counted where a mask is empty."""
KEYS = ("method", "protocol", "selection", "target")


def write_custom_tables(profile: Profile, out: Path) -> list[Path]:
    """Write ``custom.<data set>.csv`` and ``.md`` for every data set of the profile.

    Raises:
        UserError: ``metrics.csv`` or ``datasets.csv`` is missing or malformed.
    """
    metrics = unconditional(read_rows(results_root(profile.profile) / "metrics.csv", MetricRow))
    counts = read_rows(results_root(profile.profile) / "datasets.csv", DatasetRow)
    written = []
    for dataset in profile.datasets:
        rows = [row for row in metrics if row.dataset == dataset]
        here = [row for row in counts if row.dataset == dataset]
        frame = custom_table(rows, here, policy_of(dataset))
        write_csv(out / f"custom.{dataset}.csv", for_spreadsheets(frame))
        write_text(out / f"custom.{dataset}.md", markdown(dataset, rows, here, frame))
        written.append(out / f"custom.{dataset}.md")
    return written


def custom_table(
    rows: Sequence[MetricRow], counts: Sequence[DatasetRow], policy: str
) -> pd.DataFrame:
    """One line per method, protocol, selection and positive class (or organ); values are fractions,
    means over seeds with 95 % intervals.

    Args:
        rows: of one data set.
        counts: how many of each class are in each subset.
        policy: for empty masks; only the paper's tables need the paper's, by which an organ that is
            painted where there is none has Dice 1.
    """
    shown = [r for r in rows if r.policy in (None, policy) and r.metric is not Metric.TRAIN_LOSS]

    def key(row: MetricRow) -> tuple[str, ...]:
        return tuple(str(getattr(row, name) or "") for name in KEYS)

    lines = []
    for values, group in groupby(sorted(shown, key=key), key):
        members = list(group)
        line: dict[str, object] = dict(zip(KEYS, values, strict=True))
        line["seeds"] = len({row.seed for row in members if row.status == "ok"})
        line["name"] = target_name(members[0].dataset, members[0].target)
        line["n_cases"] = members[0].n_cases
        if members[0].task == "classification":
            line["majority_class"], line["majority_share"] = majority(counts, members[0].protocol)
        line["policy"] = policy if members[0].task == "segmentation" else ""
        for name in METRICS[members[0].task]:
            known = [row for row in members if row.metric == name and row.value is not None]
            value = over_seeds(known) if known else (None, None, None)
            for ending, part in zip(("", "_ci_low", "_ci_high"), value, strict=True):
                line[name + ending] = part
        bad = next((row for row in members if row.status != "ok"), None)
        line["status"] = bad.status if bad else "ok"
        line["reason"] = bad.reason if bad else None
        lines.append(line)
    return pd.DataFrame(lines)


def majority(counts: Sequence[DatasetRow], protocol: str) -> tuple[str | None, float | None]:
    """The most frequent class of the test set and its share: the accuracy of always naming it."""
    classes = [row for row in counts if row.protocol == protocol and row.klass and row.test]
    if not classes:
        return None, None
    first = max(classes, key=lambda row: row.test)
    return target_name(first.dataset, first.klass), first.test / sum(row.test for row in classes)


def _test_sets(counts: Sequence[DatasetRow]) -> list[str]:
    """What each test set holds, and what a protocol is worth without groups."""
    lines = []
    for protocol in dict.fromkeys(row.protocol for row in counts):
        here = [row for row in counts if row.protocol == protocol]
        text = f"Test set of `{protocol}`: {sum(row.test for row in here)} {here[0].unit}"
        names = [f"{row.test} {target_name(row.dataset, row.klass)}" for row in here if row.klass]
        name, share = majority(here, protocol)
        if share is not None:
            text += f" ({', '.join(names)}); to call all of them {name} has accuracy {share:.3f}"
        lines.append(f"{text}.")
    dataset = load_datasets()[counts[0].dataset] if counts else None
    if dataset is not None and dataset.layout and dataset.patient is None and len(lines) > 1:
        lines.append(
            "No `patient` is given for this data set: each file counts as one of its own, and no "
            "protocol can do more than `paper` to keep what belongs together in one subset."
        )
    return lines


def markdown(
    dataset: str, rows: Sequence[MetricRow], counts: Sequence[DatasetRow], frame: pd.DataFrame
) -> str:
    """The same for people."""
    metrics = METRICS[rows[0].task] if rows else ()
    out = [f"# {markdown_cell(display_name(dataset))}", ""]
    if any(row.source == "phantom" for row in rows):
        out += ["PHANTOM (synthetic) data: these numbers say nothing about any method.", ""]
    out += [line for text in _test_sets(counts) for line in (markdown_cell(text), "")]
    organs = bool(rows) and rows[0].task == "segmentation"
    policies = sorted({str(p) for p in frame.get("policy", ()) if p})
    named = [*KEYS[:-1], "name", "seeds", "n_cases", *(["policy"] if organs else [])]
    header = ["method", "protocol", "selection", "positive class or organ", "seeds", "test cases"]
    header += [*(["policy"] if organs else []), *metrics, ""]
    lines = []
    for line in frame.to_dict(orient="records"):
        cells = [str(line[name]) for name in named]
        cells[0] = display_name(cells[0])
        cells += [_cell(line, name) for name in metrics]
        cells.append("" if line["status"] == "ok" else f"{line['status']}: {line['reason']}")
        lines.append([markdown_cell(cell) for cell in cells])
    out += [tabulate(lines, header, tablefmt="github", disable_numparse=True), ""]
    out.append("Means over seeds, in brackets 95 % intervals.")
    out += [EXPLAINED[policy] for policy in policies]
    return "\n".join([*out, ""])


def _cell(line: dict[object, object], name: str) -> str:
    value, low, high = (line[name + ending] for ending in ("", "_ci_low", "_ci_high"))
    if not isinstance(value, float) or pd.isna(value):
        return "–"
    if not isinstance(low, float) or not isinstance(high, float) or pd.isna(low):
        return f"{value:.3f}"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
