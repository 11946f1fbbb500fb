"""``report.html``: one self-contained page for a reviewer, and a letter to paste."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mednext.audit.independent import independent
from mednext.audit.run import Audit
from mednext.audit.schema import CellRow
from mednext.config.names import words
from mednext.templates import html_templates

HAND: dict[str, str] = {
    "orientation": "Compute precision and recall from the counts named, once for each class.",
    "confusion": "Try whole numbers: true positives = recall x positive images, false positives "
    "from the precision; F1 and accuracy follow.",
    "scores": "Try whole numbers of the stated sizes; the metrics' formulas are in docs/audit.md.",
    "f1": "F1 = 2 P R / (P + R), which lies between precision P and recall R.",
    "prevalence": "Accuracy = 1 - s (1 - R) - s R (1 - P) / P; s is the share of positive images.",
    "mean": "Add the columns up and divide by their number.",
    "sum": "Add the columns up.",
    "bounds": "Look up the metric's range.",
    "auc_from_matrix": "TPR x TNR <= AUC <= 1 - FNR x FPR, with the rates of the row's matrix.",
    "iou": "D / (2 - D) <= IoU <= D for means over cases.",
    "sd": "SD <= sqrt(m (1 - m) n / (n - 1)) for n values between 0 and 1 of mean m.",
    "attainable": "Multiply the accuracy by the number of test images.",
    "significance": "McNemar's exact test on the smallest number of images that may differ.",
    "lead": "Beta(x + 1, y + 1) below one half, with the x images right only for the one ahead and "
    "the y right only for the other; for a mean Dice Student's t of the paired difference.",
    "additivity": "Subtract rows that differ in one module; equal modules must add equal costs.",
    "measured": "Build the network and count.",
    "test size": "As for the confusion matrix, with the other size.",
    "repeated": "Compare the cells.",
    "across": "Compare the cells.",
}
"""Rule -> how to check a finding by hand."""
WEIGHT = ("orientation", "f1", "mean", "sum", "bounds", "scores", "confusion", "iou", "sd")
"""Rules in order of weight; the others follow."""


@dataclass(frozen=True)
class Level:
    """Findings that rest on the same ground, the weightiest rule first."""

    title: str
    says: str
    rows: Sequence[CellRow]


def levels(done: Audit) -> list[Level]:
    """Findings in order of weight: arithmetic, inference; repeated cells last, may be chance."""

    def key(row: CellRow) -> tuple[int, int]:
        return (WEIGHT.index(row.rule) if row.rule in WEIGHT else len(WEIGHT)), row.table

    chance = [row for row in done.cells if row.rule in ("repeated", "across")]
    rest = sorted((row for row in done.cells if row not in chance), key=key)
    return [
        Level(
            "Follows from arithmetic",
            "From the printed numbers and the stated test sizes alone.",
            [row for row in rest if row.basis == "arithmetic"],
        ),
        Level(
            "Inference",
            "One explanation of several, or a probability.",
            [row for row in rest if row.basis == "inference"],
        ),
        Level("Equal cells", "May be chance; they say where to look.", chance),
    ]


def undecided(done: Audit) -> Iterator[tuple[str, str]]:
    """What was asked and could not be decided, with the reason."""
    names = done.names
    for score in done.scores:
        if score.verdict == "inconclusive":
            what = f"{names.row(score.table, score.slug)}: {names.columns(score.columns)}"
            yield f"Table {score.table}, {what}", score.note or ""
    for row in done.identities:
        if row.verdict == "not checkable":
            what = f"{names.row(row.table, row.slug)}: {names.column(row.column)}"
            yield f"Table {row.table}, {what}", row.note or ""
    for claim in done.claims:
        if claim.verdict == "not checkable":
            what = claim.quote or names.text(claim.about)
            yield f"Claim {claim.claim_id}: {what}", names.text(claim.note or "")


def letter(done: Audit) -> list[str]:
    """A short letter, a paragraph each."""
    name = done.names.row
    counts = independent(done.cells)
    found = Counter(row.rule for row in done.cells if row.basis == "arithmetic")
    paragraphs = [
        f"I checked the printed numbers of {done.paper} by arithmetic, without data or code."
    ]
    if counts["rows"]:
        at = counts["rows_at_the_stated_size"]
        paragraphs.append(
            f"In {counts['rows']} rows the printed metrics cannot all come from one set of counts"
            + (f"; for {at} of them this holds at the stated test sizes" if at else "")
            + ". Could the authors give the confusion matrices, and say how they rounded?"
        )
    if counts["means"]:
        paragraphs.append(
            f"{counts['means']} printed means or sums are not those of the columns beside them."
        )
    if found["orientation"]:
        paragraphs.append(
            f"{found['orientation']} rows fit counts only with the class without the disease as "
            "positive. Which class is the positive one, and how many diseased cases are missed?"
        )
    doubtful = [row for row in done.leads if row.verdict == "may well be none"]
    if doubtful:
        named = "; ".join(
            f"table {r.table}, {name(r.table, r.winner)} over {name(r.table, r.slug)} by {r.lead}: "
            f"{r.p_false:.2f}"
            for r in doubtful[:5]
        )
        paragraphs.append(
            "With these test sizes some leads may well be none (probability that the other method "
            f"is at least as good: {named}). Could the authors report a paired test and several "
            "trainings?"
        )
    if len(paragraphs) == 1:
        paragraphs.append("I found no number that contradicts another.")
    paragraphs.append(
        "A number that contradicts another may be a slip of transcription; nothing here says how "
        "it came about."
    )
    return paragraphs


def report_html(done: Audit) -> str:
    """The page, without any file or address beside it."""
    environment = html_templates("mednext.audit", "templates")
    environment.filters["words"] = words
    return environment.get_template("report.html.j2").render(
        audit=done,
        names=done.names,
        levels=levels(done),
        undecided=list(undecided(done)),
        independent=independent(done.cells),
        letter=letter(done),
        hand=HAND,
    )
