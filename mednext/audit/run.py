"""Run every check of a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mednext.audit.claims import claim_rows
from mednext.audit.costs import Additivity
from mednext.audit.findings import (
    additivity_findings,
    identity_findings,
    lead_findings,
    matrix_findings,
    score_findings,
    significance_findings,
)
from mednext.audit.identities import identity_rows
from mednext.audit.leads import lead_rows
from mednext.audit.matrices import Readings, by_table
from mednext.audit.misprints import misprints
from mednext.audit.names import Names
from mednext.audit.paper import Paper
from mednext.audit.published import published_rows
from mednext.audit.schema import (
    AdditivityRow,
    CellRow,
    CheckRow,
    ClaimRow,
    ConfusionRow,
    IdentityRow,
    LeadRow,
    MisfitRow,
    ModuleRow,
    PublishedRow,
    RepairRow,
    ScoreRow,
    SignificanceRow,
    SplitRow,
    SplitTableRow,
)
from mednext.audit.scores import score_rows
from mednext.audit.significance import significance_rows


@dataclass(frozen=True)
class Audit:
    """The rows of every file, by the file's stem; and what readers call what they are about."""

    paper: str
    names: Names
    confusion: Sequence[ConfusionRow]
    misfits: Sequence[MisfitRow]
    splits: Sequence[SplitRow]
    splits_by_table: Sequence[SplitTableRow]
    scores: Sequence[ScoreRow]
    identities: Sequence[IdentityRow]
    additivity: Sequence[AdditivityRow]
    additivity_checks: Sequence[CheckRow]
    additivity_repairs: Sequence[RepairRow]
    modules: Sequence[ModuleRow]
    published: Sequence[PublishedRow]
    claims: Sequence[ClaimRow]
    significance: Sequence[SignificanceRow]
    leads: Sequence[LeadRow]
    cells: Sequence[CellRow]


def audit(folder: Path, cost: Path | None = None) -> Audit:
    """Check the paper in ``folder``.

    Args:
        folder: holds ``audit.yaml`` and the tables.
        cost: a ``cost.csv`` of ``mednext cost``, to compare printed costs with counted ones.

    Raises:
        UserError: bad input, with the file and the cell.
    """
    paper = Paper(folder)
    readings = Readings(paper)
    confusion, misfits = list(readings.confusion_rows()), list(readings.misfit_rows())
    splits = list(readings.split_rows())
    tables = list(by_table(splits))
    identities = list(identity_rows(paper, readings))
    costs = Additivity(paper, cost)
    additivity = list(costs.cell_rows())
    read_as = misprints(misfits, identities)
    significance = list(significance_rows(paper, readings, read_as))
    scores, leads = list(score_rows(paper)), list(lead_rows(paper, read_as))
    cells = [
        *identity_findings(identities),
        *score_findings(scores),
        *lead_findings(leads),
        *additivity_findings(additivity),
    ]
    if (rules := paper.spec.classification) is not None:
        cells += matrix_findings(confusion, misfits, splits, tables, rules.alpha)
        cells += significance_findings(significance, rules.metrics.accuracy)
    order = {(t, slug): i for t, rows in paper.tables.items() for i, slug in enumerate(rows)}
    cells.sort(key=lambda cell: (cell.table, order[cell.table, cell.slug]))
    return Audit(
        paper=paper.spec.paper,
        names=Names(paper),
        confusion=confusion,
        misfits=misfits,
        splits=splits,
        splits_by_table=tables,
        scores=scores,
        identities=identities,
        additivity=additivity,
        additivity_checks=list(costs.check_rows()),
        additivity_repairs=list(costs.repair_rows()),
        modules=list(costs.module_rows()),
        published=list(published_rows(paper)),
        claims=list(claim_rows(paper, readings)),
        significance=significance,
        leads=leads,
        cells=cells,
    )
