"""Schemas of the small result files, their readers and writers.

Everything below ``report`` reads only these files. A row that does not fit its schema is refused
on writing and on reading, so that a table can never be drawn from something malformed.
"""

from mednext.results.base import Outcome, Row, Status
from mednext.results.data import DatasetRow, Leak, LeakageRow, RelativeRow
from mednext.results.files import R, read_rows, read_run, write_rows, write_run
from mednext.results.metrics import (
    ALL_METHODS,
    ComparisonRow,
    CurveRow,
    DifferenceRow,
    Metric,
    MetricRow,
    PairedTest,
    RankRow,
    SeenRow,
    Verdict,
)
from mednext.results.networks import (
    CostRow,
    CostVerdict,
    LatencyRow,
    ProbeRow,
    SignalRow,
    cost_verdict,
)
from mednext.results.runs import PlanRow, RunRecord

__all__ = [
    "ALL_METHODS",
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
    "PairedTest",
    "PlanRow",
    "ProbeRow",
    "R",
    "RankRow",
    "RelativeRow",
    "Row",
    "RunRecord",
    "SeenRow",
    "SignalRow",
    "Status",
    "Verdict",
    "cost_verdict",
    "read_rows",
    "read_run",
    "write_rows",
    "write_run",
]
