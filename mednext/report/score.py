"""The page of ``mednext score``: one file without any other, and its lines for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mednext.config.names import display_name, target_name
from mednext.report.wording import METRIC_NAMES
from mednext.results import HEADLINE, SCORE
from mednext.results.score import YOURS, AgainstRow, ScoreReport, ScoreRow
from mednext.templates import html_templates

WIDTH = 300
"""Of the chart of differences, in pixels."""


@dataclass(frozen=True)
class Bar:
    """Where the interval of one difference is drawn, in pixels from the left."""

    row: AgainstRow
    low: float
    high: float
    value: float


def headline(report: ScoreReport) -> list[ScoreRow]:
    """The metrics of the headline's orientation or policy."""
    if report.task == "classification":
        targets = {row.target for row in report.metrics}
        target = HEADLINE.orientation if HEADLINE.orientation in targets else min(targets)
        return [row for row in report.metrics if row.target == target]
    return [row for row in report.metrics if row.policy == HEADLINE.policy]


def summary(report: ScoreReport) -> str:
    """A few lines: the score with its interval, the rank, how many runs differ."""
    metric = SCORE[report.task]
    lines = [
        f"{row.metric}{'' if row.target != 'mean' else ', mean of organs'} {_with_interval(row)}"
        for row in headline(report)
        if row.metric == metric and (report.task == "classification" or row.target == "mean")
    ]
    place = next((place for place in report.places if place.method == YOURS), None)
    if place is not None:
        rows = [row for row in report.against_rows if row.metric == metric]
        differ = sum(row.p_holm is not None and row.p_holm < 0.05 for row in rows)
        lines.append(
            f"rank {place.rank} of {len(report.places)} methods (95 % of the draws: "
            f"{place.rank_low} to {place.rank_high}); significantly apart from {differ} of "
            f"{len(rows)} runs"
        )
    return "\n".join([*lines, *(f"note: {note}" for note in report.notes)])


def _with_interval(row: ScoreRow) -> str:
    if row.value is None:
        return "undefined"
    if row.ci_low is None or row.ci_high is None:
        return f"{row.value:.4f}"
    return f"{row.value:.4f} [{row.ci_low:.4f}, {row.ci_high:.4f}]"


def _bars(rows: Sequence[AgainstRow]) -> tuple[list[Bar], float]:
    """The rows from the best other run down, and where zero is."""
    ends = [0.0]
    for row in rows:
        ends += [row.difference if end is None else end for end in (row.ci_low, row.ci_high)]
    low, span = min(ends), max(ends) - min(ends) or 1.0

    def at(value: float | None, row: AgainstRow) -> float:
        return WIDTH * ((row.difference if value is None else value) - low) / span

    ordered = sorted(rows, key=lambda row: -row.other)
    bars = [Bar(r, at(r.ci_low, r), at(r.ci_high, r), at(r.difference, r)) for r in ordered]
    return bars, WIDTH * -low / span


def score_html(report: ScoreReport) -> str:
    """The page, without any file or address beside it."""
    charts = {}
    for metric in dict.fromkeys(row.metric for row in report.against_rows):
        charts[metric] = _bars([row for row in report.against_rows if row.metric == metric])
    shown = headline(report)
    return (
        html_templates("mednext.report", "templates/score")
        .get_template("score.html.j2")
        .render(
            report=report,
            headline=shown,
            others=[row for row in report.metrics if row not in shown],
            charts=charts,
            width=WIDTH,
            yours=YOURS,
            display_name=display_name,
            target_name=target_name,
            metric_names=METRIC_NAMES,
        )
    )
