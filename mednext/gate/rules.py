"""What the gate tolerates: ``benchmarks/gate.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from mednext.config import Strict, benchmarks_dir, parse, read_yaml
from mednext.results import HEADLINE, Metric, MetricRow


class GateRule(Strict):
    """How one metric is judged."""

    direction: Literal["higher", "lower"]
    """Which way is better."""
    gated: bool = True
    """False: shown, never a failure."""
    targets: tuple[str, ...] = ()
    """Only these are gated, the others shown; empty: all."""
    absolute: float = Field(default=0.0, ge=0)
    """Least tolerance, in the unit of ``metrics.csv``."""
    relative: float = Field(default=0.0, ge=0)
    """Least tolerance as a share of the reference."""
    statistics: Literal["seeds", "bootstrap", "none"] = "seeds"
    """Where the rest of the tolerance comes from: the spread of seeds, the reference's bootstrap
    interval over test cases, or nowhere."""


class FirstLosses(Strict):
    """How the losses of the first steps are judged, at the same seed."""

    factor: float = Field(ge=1)
    """Safety: the tolerance is this many times what another order of sums does to a loss, as
    measured in ``rounding.csv``."""
    absolute: float = Field(gt=0)
    """Least tolerance."""


class GateRules(Strict):
    """``benchmarks/gate.yaml``."""

    alpha: float = Field(gt=0, lt=0.5)
    """Chance of any false alarm in all gated metrics together, where seeds alone differ."""
    nondeterministic_factor: float = Field(ge=1)
    """Tolerances are multiplied by this for results of kernels that do not repeat their sums."""
    probe_relative: float = Field(ge=0)
    """Greatest change of an untrained network's output, as a share of its largest one."""
    first_losses: FirstLosses
    selections: tuple[str, ...] = (HEADLINE.selection,)
    """Only these are gated, the others shown."""
    policies: tuple[str, ...] = (HEADLINE.policy,)
    """Segmentation: only these are gated, the others shown."""
    metrics: dict[Metric, GateRule]

    def gates(self, row: MetricRow) -> bool:
        """Whether a metric that got worse is a failure."""
        rule = self.metrics.get(row.metric) if row.metric is not None else None
        return (
            rule is not None
            and rule.gated
            and row.condition is None
            and row.selection in self.selections
            and (row.policy is None or row.policy in self.policies)
            and (not rule.targets or row.target in rule.targets)
        )


def load_rules(path: Path | None = None) -> GateRules:
    """``benchmarks/gate.yaml``, or the file given."""
    path = path or benchmarks_dir() / "gate.yaml"
    return parse(GateRules, read_yaml(path), path)
