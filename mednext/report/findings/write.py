"""What ``make findings`` commits: FINDINGS.md, the README's main results, and their sources."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from mednext.config import Profile
from mednext.config.questions import load_questions
from mednext.files import write_bytes, write_text
from mednext.layout import reference_root, results_root
from mednext.report.figures.conditions import write as draw_conditions
from mednext.report.findings.facts import Runs
from mednext.report.findings.second_wave import elsewhere
from mednext.report.findings.text import findings_texts
from mednext.templates import replace_between

MADE = (
    "metrics",
    "comparisons",
    "ranking",
    "differences",
    "orders",
    "shared",
    "train_overlap",
    "subgroups",
    "contrasts",
)
"""The CSVs that are committed beside the runs they were computed from."""
CHARTS = ("fig9", "pareto", "critical_difference", "training")
"""The charts that are committed; the others show images, or nothing that was run."""
BEGIN = "<!-- main results: make findings writes what follows -->\n"
END = "<!-- end of the main results -->\n"


def write_findings(
    profile: Profile, runs: Runs, folder: Path, text: Path, summary: Path | None = None
) -> None:
    """Write the report, and into ``folder`` the CSVs, tables and charts behind it.

    Args:
        profile: the runs are of.
        runs: name and record of each finished run.
        folder: of the exported runs.
        text: the report to write.
        summary: a Markdown file whose part between the two markers becomes the main results.

    Raises:
        UserError: a result file is malformed, or there are no markers.
    """
    root, start = results_root(profile.profile), summary.parent if summary else Path()
    targets = {"report": text, "figures": folder / "figures"}
    links = {name: os.path.relpath(target, start) for name, target in targets.items()}
    texts = findings_texts(profile, runs, links)
    whole = replace_between(summary, BEGIN, END, texts.summary) if summary else ""
    files = [root / f"{name}.csv" for name in MADE]
    _copy([file for file in files if file.is_file()], folder)
    for name in elsewhere(load_questions().parts.values()):
        file = results_root(name) / "subgroups.csv"
        _copy([file] if file.is_file() else [], reference_root(name))
    for name in ("tables", "figures"):
        shutil.rmtree(folder / name, ignore_errors=True)
    # Nothing was run of Table 5, whose data set needs an account.
    tables = (f for f in sorted((root / "tables").glob("*.md")) if f.stem != "table5")
    _copy(tables, folder / "tables")
    charts = [root / "figures" / f"{name}.png" for name in CHARTS]
    if (root / "conditions.csv").is_file():
        charts += [stem.with_suffix(".png") for stem in draw_conditions(profile, root / "figures")]
    _copy(charts, folder / "figures")
    write_text(text, texts.report)
    if summary:
        write_text(summary, whole)


def _copy(files: Iterable[Path], folder: Path) -> None:
    for file in files:
        write_bytes(folder / file.name, file.read_bytes())
