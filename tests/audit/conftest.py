from __future__ import annotations

import csv
from collections.abc import Callable
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from mednext.audit.run import Audit, audit

REPORTED = Path(__file__).resolve().parents[2] / "benchmarks" / "reported"
Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="session")
def reported() -> Audit:
    """The audit of the paper itself, without counted costs."""
    return audit(REPORTED)


def percent(part: int, of: int) -> str:
    return f"{float(round(Fraction(100 * part, of), 2)):.2f}"


def classified(slug: str, tp: int, fp: int, positive: int, negative: int) -> dict[str, str]:
    """A printed row that comes from one matrix; its AUC lies between what the matrix allows."""
    return {
        "slug": slug,
        "p": percent(tp, tp + fp),
        "r": percent(tp, positive),
        "f": percent(2 * tp, tp + fp + positive),
        "a": percent(tp + negative - fp, positive + negative),
        "auc": "0.9400",
    }


def claim(name: str, kind: str, value: str, expression: str) -> dict[str, str]:
    """One line of a file of claims."""
    words = {"section": "Results", "paper_line": "1", "quote": "", "unit": "", "about": ""}
    return words | {"claim_id": name, "kind": kind, "value": value, "expression": expression}


def sound_paper() -> dict[str, Any]:
    """A made-up paper without an error: 40 ill and 60 healthy test images, three tables, claims.

    Costs: rest 5, A 1, B 2, C 4 (parameters). Dice: means of whole columns.
    """
    counts = [
        {"slug": "ill", "train": "120", "test": "40", "total": "160"},
        {"slug": "well", "train": "180", "test": "60", "total": "240"},
    ]
    methods = [
        classified("first", 36, 3, 40, 60),
        classified("second", 33, 7, 40, 60),
        classified("third", 29, 11, 40, 60),
    ]
    dice = [
        {"slug": "one", "mean": "81.00", "x": "80.00", "y": "82.00"},
        {"slug": "two", "mean": "71.50", "x": "70.25", "y": "72.75"},
    ]
    modules = ["A", "B", "C", "AB", "AC", "BC", "ABC"]
    price = {"A": 1, "B": 2, "C": 4}
    costs = [
        {"slug": name.lower(), "no": f"#{i}"}
        | {part: str(int(part in name)) for part in "ABC"}
        | {"params": f"{5 + sum(price[part] for part in name):.2f}"}
        for i, name in enumerate(modules, start=1)
    ]
    claims = [
        ("K1", "best", "first", "best(2, 'a')"),
        ("K2", "difference", "2.00", "v(4, 'b', 'params') - v(4, 'a', 'params') + 1"),
        ("K3", "qualitative", "", "all(num(r['a']) > 70 for r in T[2])"),
        ("K4", "external", "7", ""),
        ("K5", "confusion", "4", ""),
    ]
    return {
        "tables": {
            1: counts,
            2: methods,
            3: dice,
            4: costs,
            "claims": [claim(*words) for words in claims],
        },
        "spec": {
            "paper": "made up",
            "tables": {n: {"file": f"{n}.csv"} for n in (1, 2, 3, 4)},
            "classification": {
                "metrics": {"precision": "p", "recall": "r", "f1": "f", "accuracy": "a"},
                "auc": "auc",
                "decimals": 2,
                "counts": {"table": 1, "stated": "test", "others": ["train"], "total": "total"},
                "fractions": [10],
                "tables": [{"table": 2, "disease": "ill", "non_disease": "well"}],
            },
            "means": [{"table": 3, "column": "mean", "of": ["x", "y"], "decimals": 2}],
            "sums": [{"table": 1, "column": "total", "of": ["train", "test"]}],
            "bounds": [{"tables": [2], "column": "auc", "low": "0.5", "high": "1"}],
            "repeats": {"columns": {3: ["mean", "x", "y"]}},
            "additivity": [
                {
                    "table": 4,
                    "label": "no",
                    "modules": {"A": "A", "B": "B", "C": "C"},
                    "quantities": {"params": "params"},
                    "decimals": 2,
                    "measured": {"prefix": "net_", "num_classes": 2},
                }
            ],
            "claims": {"file": "claims.csv", "readings": {"K5": "missed_disease(2, 'first')"}},
        },
    }


@pytest.fixture
def write_paper(tmp_path: Path) -> Callable[[Edit | None], Path]:
    """Write the made-up paper, changed by an edit, and give its folder."""

    def write(edit: Edit | None = None) -> Path:
        paper = deepcopy(sound_paper())
        if edit is not None:
            edit(paper)
        folder = tmp_path / "paper"
        folder.mkdir(exist_ok=True)
        (folder / "audit.yaml").write_text(yaml.safe_dump(paper["spec"]))
        for name, rows in paper["tables"].items():
            with (folder / f"{name}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, fieldnames=list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        return folder

    return write
