"""JSON Schemas of every file format, generated from the pydantic models: ``make schemas``."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import BaseModel

from mednext import results
from mednext.architecture import Architecture
from mednext.audit.paper import PaperSpec
from mednext.audit.write import FILES
from mednext.config import DatasetSpec, DownloadSpec, GpuSpec, MethodSpec, Profile, Recipe
from mednext.config.questions import Questions
from mednext.files import write_json
from mednext.gate.first_losses import FirstLossRow, RoundingRow
from mednext.gate.rules import GateRules
from mednext.gate.seed_spread import SpreadRow
from mednext.report.verdicts import VerdictRules
from mednext.results.conditions import ConditionRow, ConditionScoreRow
from mednext.results.contrasts import ContrastRow, PlannedRow
from mednext.results.orders import CeilingRow, OrderRow
from mednext.results.protocols import SharedRow
from mednext.results.subgroups import SubgroupRow

MODELS: dict[str, type[BaseModel]] = {
    "profile": Profile,
    "datasets": DatasetSpec,
    "downloads": DownloadSpec,
    "gpus": GpuSpec,
    "methods": MethodSpec,
    "recipes": Recipe,
    "metrics": results.MetricRow,
    "comparisons": results.ComparisonRow,
    "agreement": results.AgreementRow,
    "ranking": results.RankRow,
    "curves": results.CurveRow,
    "probes": results.ProbeRow,
    "gate": GateRules,
    "verdicts": VerdictRules,
    "spread": SpreadRow,
    "first_losses": FirstLossRow,
    "rounding": RoundingRow,
    "cost": results.CostRow,
    "latency": results.LatencyRow,
    "datasets_table": results.DatasetRow,
    "code": results.CodeRow,
    "plan": results.PlanRow,
    "leakage": results.LeakageRow,
    "overlap_groups": results.OverlapGroupRow,
    "train_overlap": results.OverlapRow,
    "shared": SharedRow,
    "subgroups": SubgroupRow,
    "conditions": ConditionRow,
    "condition_scores": ConditionScoreRow,
    "differences": results.DifferenceRow,
    "orders": OrderRow,
    "ceiling": CeilingRow,
    "planned": PlannedRow,
    "contrasts": ContrastRow,
    "questions": Questions,
    "run": results.RunRecord,
    "audit_input": PaperSpec,
    **{f"audit_{stem}": model for stem, model in FILES.items()},
    "signal": results.SignalRow,
    "architecture": Architecture,
}


def write_schemas(folder: Path) -> None:
    """Write ``<name>.schema.json`` for every model into ``folder``."""
    for name, model in MODELS.items():
        write_json(folder / f"{name}.schema.json", model.model_json_schema())


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
