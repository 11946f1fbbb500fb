"""Plain tables of a profile: every method on every data set, nothing printed beside it.

For custom data sets and networks, which no table of the paper has; the paper's data sets get
one, too, so that a custom network stands beside the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from mednext.config import Profile
from mednext.config.names import display_name
from mednext.files import for_spreadsheets, write_csv, write_text
from mednext.layout import results_root
from mednext.report.verdicts import over_seeds
from mednext.results import HEADLINE, Metric, MetricRow, read_rows, unconditional

METRICS = {
    "classification": ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc"),
    "segmentation": ("dice", "hd95_pooled_vox", "hd95_pooled_mm"),
}
CUSTOM_POLICY = "nan"
EXPLAINED = {
    "nan": "Policy `nan`: cases in which the organ is missing in truth or prediction do not count.",
    "transunet": "Policy `transunet`, the paper's: an organ that is predicted where there is none "
    "has Dice 1 and HD95 0, one that is missed has Dice 0 and HD95 0.",
}
"""What is counted where a mask is empty."""
KEYS = ("method", "protocol", "selection", "target")


def write_custom_tables(profile: Profile, out: Path) -> list[Path]:
    """Write ``custom.<data set>.csv`` and ``.md`` for every data set of the profile.

    Raises:
        UserError: ``metrics.csv`` is missing or malformed.
    """
    metrics = unconditional(read_rows(results_root(profile.profile) / "metrics.csv", MetricRow))
    written = []
    for dataset in profile.datasets:
        rows = [row for row in metrics if row.dataset == dataset]
        custom = dataset in profile.custom_datasets
        frame = custom_table(rows, CUSTOM_POLICY if custom else HEADLINE.policy)
        write_csv(out / f"custom.{dataset}.csv", for_spreadsheets(frame))
        write_text(out / f"custom.{dataset}.md", markdown(dataset, rows, frame))
        written.append(out / f"custom.{dataset}.md")
    return written


def custom_table(rows: Sequence[MetricRow], policy: str) -> pd.DataFrame:
    """One line per method, protocol, selection and positive class (or organ); values are fractions,
    means over seeds with 95 % intervals.

    Args:
        rows: of one data set.
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
        line["n_cases"] = members[0].n_cases
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


def markdown(dataset: str, rows: Sequence[MetricRow], frame: pd.DataFrame) -> str:
    """The same for people."""
    metrics = METRICS[rows[0].task] if rows else ()
    out = [f"# {display_name(dataset)}", ""]
    if any(row.source == "phantom" for row in rows):
        out += ["PHANTOM (synthetic) data: these numbers say nothing about any method.", ""]
    organs = bool(rows) and rows[0].task == "segmentation"
    policies = sorted({str(p) for p in frame.get("policy", ()) if p})
    named = [*KEYS, "seeds", "n_cases", *(["policy"] if organs else [])]
    header = ["method", "protocol", "selection", "positive class or organ", "seeds", "test cases"]
    header += [*(["policy"] if organs else []), *metrics, ""]
    lines = []
    for line in frame.to_dict(orient="records"):
        cells = [str(line[name]) for name in named]
        cells[0] = display_name(cells[0])
        cells += [_cell(line, name) for name in metrics]
        cells.append("" if line["status"] == "ok" else f"{line['status']}: {line['reason']}")
        lines.append([escape(cell.replace("|", "/"), quote=False) for cell in cells])
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
