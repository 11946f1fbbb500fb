"""Which cases are served worse, and what could be seen of it at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from mednext.report.findings.facts import Results, caption
from mednext.report.wording import ALPHA
from mednext.results import ALL_METHODS, grouped
from mednext.results.subgroups import SubgroupRow


def subgroups(results: Results, without: Collection[str] = ()) -> list[dict[str, Any]]:
    """Per data set and protocol (but those of ``without``) the levels of each attribute for the
    mean of all methods, and how many methods serve which level worse.
    """
    found = grouped(results.subgroups, lambda row: (row.dataset, row.protocol))
    return [_section(results, *key, rows) for key, rows in found.items() if key[1] not in without]


def _section(
    results: Results, dataset: str, protocol: str, rows: list[SubgroupRow]
) -> dict[str, Any]:
    methods = list(dict.fromkeys(row.method for row in rows))
    together = ALL_METHODS if ALL_METHODS in methods else methods[0]
    shown = [row for row in rows if row.method == together]
    single = [row for row in rows if row.method != ALL_METHODS and _found(row)]
    seeds = results.profile.seeds
    if {row.seeds for row in rows} != {len(seeds)}:
        seeds = seeds[:1]
    worse = Counter(f"{row.attribute}, {row.level}" for row in single if row.difference < 0)
    return {
        "caption": caption(results, dataset, protocol, seeds),
        "who": f"mean of {len(methods) - 1} methods" if together == ALL_METHODS else together,
        "lines": [_line(row) for row in shown],
        "methods": len(set(methods) - {ALL_METHODS}),
        "worse": [
            f"{level}: {count} {'method' if count == 1 else 'methods'}"
            for level, count in worse.most_common()
        ],
    }


def _found(row: SubgroupRow) -> bool:
    return row.p_holm is not None and row.p_holm < ALPHA


def _noticeable(value: float | None) -> str:
    """Of scores from 0 to 1 no deficit is larger than 100 points."""
    if value is None:
        return "–"
    return f"{100 * value:.1f}" if value <= 1 else "none"


def _line(row: SubgroupRow) -> dict[str, Any]:
    words = "too few groups"
    if row.p_holm is not None:
        words = "inconclusive"
        if _found(row):
            words = "**worse**" if row.difference < 0 else "better"
    interval = "–"
    if row.diff_low is not None and row.diff_high is not None:
        low, high = max(row.diff_low, -1.0), min(row.diff_high, 1.0)  # of scores from 0 to 1
        interval = f"[{100 * low:+.1f}, {100 * high:+.1f}]"
    score = f"{100 * row.value:.1f}"
    if row.ci_low is not None and row.ci_high is not None:
        score += f" [{100 * row.ci_low:.1f}, {100 * row.ci_high:.1f}]"
    return {
        "attribute": row.attribute,
        "level": row.level + (" (worst)" if row.worst else ""),
        "cases": f"{row.n_cases} ({row.n_groups})",
        "score": score,
        "difference": f"{100 * row.difference:+.1f} {interval}",
        "p": "–" if row.p_holm is None else f"{row.p_holm:.3f}",
        "words": words,
        "noticeable": _noticeable(row.noticeable),
        "power": None if row.power is None else 100 * row.power,
    }
