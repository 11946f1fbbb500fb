"""Schemas of the small result files, their readers and writers.

Everything below ``report`` reads only these files. A row that does not fit its schema is refused
on writing and on reading, so that a table can never be drawn from something malformed.
"""

from mednext.results.base import Outcome, Row, Status, grouped
from mednext.results.cases import (
    CASE_KEYS,
    DIAGONALS,
    DISTANCES,
    case_columns,
    read_cases,
)
from mednext.results.data import DatasetRow, Leak, LeakageRow, OverlapGroupRow
from mednext.results.files import R, read_rows, read_run, write_rows, write_run
from mednext.results.headline import HEADLINE, SCORE, TEST, View, policy_of
from mednext.results.metrics import (
    ALL_CLASSES,
    ALL_METHODS,
    STANDARDISED,
    AgreementRow,
    ComparisonRow,
    CurveRow,
    DifferenceRow,
    Metric,
    MetricRow,
    OverlapRow,
    PairedTest,
    RankRow,
    Verdict,
    unconditional,
)
from mednext.results.networks import (
    CONVENTIONS,
    CostRow,
    CostVerdict,
    LatencyRow,
    ProbeRow,
    SignalRow,
    cost_verdict,
)
from mednext.results.runs import HISTORY, CodeRow, PlanRow, RunRecord

__all__ = [
    "ALL_CLASSES",
    "ALL_METHODS",
    "CASE_KEYS",
    "CONVENTIONS",
    "DIAGONALS",
    "DISTANCES",
    "HEADLINE",
    "HISTORY",
    "SCORE",
    "STANDARDISED",
    "TEST",
    "AgreementRow",
    "CodeRow",
    "ComparisonRow",
    "CostRow",
    "CostVerdict",
    "CurveRow",
    "DatasetRow",
    "DifferenceRow",
    "LatencyRow",
    "Leak",
    "LeakageRow",
    "Metric",
    "MetricRow",
    "Outcome",
    "OverlapGroupRow",
    "OverlapRow",
    "PairedTest",
    "PlanRow",
    "ProbeRow",
    "R",
    "RankRow",
    "Row",
    "RunRecord",
    "SignalRow",
    "Status",
    "Verdict",
    "View",
    "case_columns",
    "cost_verdict",
    "grouped",
    "policy_of",
    "read_cases",
    "read_rows",
    "read_run",
    "unconditional",
    "write_rows",
    "write_run",
]
