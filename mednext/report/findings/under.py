"""What stands behind a contrast of two methods under another condition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean

from mednext.config.names import display_name
from mednext.config.questions import Contrast
from mednext.report.wording import signed
from mednext.results import SCORE, read_rows
from mednext.results.conditions import ConditionRow

EQUAL = 1e-9


def behind(folder: Path, contrast: Contrast, task: str) -> str | None:
    """A sentence on the kinds of corruption that a mean is over, or on the AUC beside an accuracy;
    None where the export in ``folder`` says nothing of it.
    """
    file = folder / "conditions.csv"
    if contrast.under is None or not file.is_file():
        return None
    rows = [
        row
        for row in read_rows(file, ConditionRow)
        if row.dataset == contrast.dataset and row.protocol in contrast.a.protocols
    ]
    methods = contrast.a.method, contrast.b.method
    if contrast.under == "shifted: mean":
        return _kinds([r for r in rows if r.metric == SCORE[task]], methods)
    found = [
        [r.after for r in rows if (r.method, r.condition, r.metric) == (m, contrast.under, "auc")]
        for m in methods
    ]
    if not all(found):
        return None
    a, b = (f"{mean(values):.2f}" for values in found)
    name = contrast.under.partition(": ")[2]
    names = " and ".join(map(display_name, methods))
    return f"On {name} the AUC of {names} is {a} and {b} (mean over trainings; 0.5 is chance)."


def _kinds(rows: Iterable[ConditionRow], methods: tuple[str, str]) -> str | None:
    """How the difference falls out by kind and severity."""
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        kind, _, detail = row.condition.partition(": ")
        if kind == "shifted" and detail != "mean":
            scores[detail][row.method].append(row.after)
    # Severity last: "gamma_down 3".
    cells = {
        detail: mean(of[methods[0]]) - mean(of[methods[1]])
        for detail, of in scores.items()
        if all(m in of for m in methods)
    }
    if not cells:
        return None
    kinds: dict[str, list[float]] = defaultdict(list)
    for detail, value in cells.items():
        kinds[detail.rpartition(" ")[0].replace("_", " ")].append(value)
    order = sorted((100 * mean(values), kind) for kind, values in kinds.items())
    lower, higher = (sum(sign * v > EQUAL for v in cells.values()) for sign in (-1, 1))
    return (
        f"Of {len(cells)} kinds and severities of corruption {display_name(methods[0])} is lower "
        f"in {lower} and higher in {higher}. Means over severities: lowest {_named(order[:2])}, "
        f"highest {_named(order[-2:])} points."
    )


def _named(kinds: Sequence[tuple[float, str]]) -> str:
    return ", ".join(f"{signed(value)} ({kind})" for value, kind in kinds)
