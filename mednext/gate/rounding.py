"""What rounding does to the losses of the first steps: ``rounding.csv``, by ``make rounding``.

The same steps are computed once as configured and once in each of the other ways below, none of
which changes what is computed, only the order of its sums.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mednext.errors import UserError
from mednext.files import scratch_folder
from mednext.gate.first_losses import CONFIGURED, FirstLossRow, RoundingRow
from mednext.results import read_rows, write_rows


@dataclass(frozen=True)
class Variant:
    """A way of computing the same steps."""

    options: Sequence[str] = ()
    """Of ``mednext results first-losses``."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Read by torch, oneDNN and MKL when they are loaded: each variant is a process."""


VARIANTS = {
    CONFIGURED: Variant(),
    "AVX2": Variant(
        environment={
            "ATEN_CPU_CAPABILITY": "avx2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        }
    ),
    # Threads that wait must not spin: they would slow whatever else runs on the machine.
    "2 threads": Variant(("--threads", "2"), {"OMP_WAIT_POLICY": "PASSIVE"}),
}


def measure_rounding(profile: Path, out: Path) -> list[RoundingRow]:
    """Write ``rounding.csv`` of every run of a profile, whose data must be prepared.

    Raises:
        UserError: a variant cannot be computed here.
    """
    rows: list[RoundingRow] = []
    with scratch_folder(out) as scratch:
        part = scratch / "first_losses.csv"
        for name, variant in VARIANTS.items():
            words = ["results", "first-losses", "--configfile", str(profile), "--out", str(part)]
            done = subprocess.run(  # noqa: S603  words of this file
                [sys.executable, "-m", "mednext", *words, *variant.options],
                env=os.environ | variant.environment,
                stderr=subprocess.PIPE,
                text=True,
            )
            if done.returncode:
                raise UserError(
                    f"the first losses cannot be computed with '{name}'",
                    found=done.stderr.strip()[-500:],
                    expected="the losses of the profile's first steps",
                    remedy="prepare its data first (make results)",
                )
            rows += [
                RoundingRow(**row.model_dump(), variant=name)
                for row in read_rows(part, FirstLossRow)
            ]
    write_rows(out, RoundingRow, rows)
    return rows
