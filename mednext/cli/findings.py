"""``make findings``: everything that is committed of a profile, from its exported runs alone.

The same files give the same bytes: nothing is read but ``results/reference/<profile>``, the
benchmarks and the profile, and nothing is trained.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from mednext.config import Profile, RunConfig, benchmarks_dir
from mednext.errors import UserError
from mednext.files import write_bytes, write_text
from mednext.layout import CODE, results_root, results_under
from mednext.runs.export import SMALL, as_resolved, cells
from mednext.runs.merge import check_equal, check_wanted, runs_in, take

MADE = (
    "metrics.csv",
    "comparisons.csv",
    "ranking.csv",
    "differences.csv",
    "losses.csv",
    "train_overlap.csv",
)
BEGIN = "<!-- main results: make findings writes what follows -->\n"
END = "<!-- end of the main results -->\n"
CHARTS = ("fig9", "pareto", "critical_difference", "training")
PLAN = "plan_paper.csv"
"""What the paper's profile costs, as ``mednext plan`` wrote it; taken along if it is there."""


def make_findings(
    profile: Profile, reference: Path, text: Path, summary: Path | None = None
) -> int:
    """Rebuild the CSVs, tables and charts in ``reference`` and the findings; returns the number of
    finished runs.

    Args:
        profile: the runs are of.
        reference: folder of the exported runs.
        text: the report to write.
        summary: a Markdown file whose part between the two markers becomes the main results.

    Raises:
        UserError: a run is not one of the profile's, the runs do not belong together, or there are
            no markers.
    """
    around = _around(summary) if summary else None
    found = runs_in(reference)
    check_equal(found)
    for run in found:
        check_wanted(run, as_resolved(run, profile), profile.profile)
    order = [name for name, _ in cells(profile)]
    found.sort(key=lambda run: order.index(run.name))
    with TemporaryDirectory() as scratch, results_under(Path(scratch)):
        root = results_root(profile.profile)
        for run in found:
            take(run, root)
        for name in (*SMALL, PLAN, CODE):
            if (reference / name).is_file():
                write_bytes(root / name, (reference / name).read_bytes())
        _compute([RunConfig.model_validate(run.record.config) for run in found], root)
        _draw(profile, root)
        from mednext.report.findings import findings_texts

        start = summary.parent if summary else Path()
        targets = {"report": text, "figures": reference / "figures"}
        links = {name: os.path.relpath(target, start) for name, target in targets.items()}
        texts = findings_texts(profile, [(run.name, run.record) for run in found], links)
        for name in MADE:
            if (root / name).is_file():
                write_bytes(reference / name, (root / name).read_bytes())
        tables = [f for f in sorted((root / "tables").glob("*.md")) if f.stem != "table5"]
        _replace(reference / "tables", tables)
        _replace(reference / "figures", sorted((root / "figures").glob("*.png")))
    write_text(text, texts.report)
    if summary and around:
        write_text(summary, texts.summary.join(around))
    return len(found)


def _around(file: Path) -> tuple[str, str]:
    """What stands before and after the part that is made, the markers included."""
    before, begin, rest = file.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise UserError(
            "no place for the main results",
            file=file,
            expected=f"{BEGIN!r} and, below it, {END!r}",
            remedy="put both lines where the results shall stand",
        )
    return before + begin, end + after


def _compute(runs: list[RunConfig], root: Path) -> None:
    from mednext.analysis.comparisons import compare
    from mednext.analysis.curves import curves
    from mednext.analysis.differences import differences
    from mednext.analysis.metrics import collect
    from mednext.analysis.train_overlap import train_overlap
    from mednext.audit.run import audit
    from mednext.audit.write import write_audit
    from mednext.gate.values import write_losses

    collect(runs, root / "metrics.csv")
    compare(runs, root / "comparisons.csv", root / "ranking.csv")
    differences(runs, root / "differences.csv")
    write_losses(runs, root / "losses.csv")
    curves(runs, root / "curves.csv")
    if (root / "overlap_groups.csv").is_file():
        train_overlap(runs, root / "overlap_groups.csv", root / "train_overlap.csv")
    cost = root / "cost.csv"
    done = audit(benchmarks_dir() / "reported", cost if cost.is_file() else None)
    write_audit(done, results_root("audit"))


def _draw(profile: Profile, root: Path) -> None:
    from mednext.report.figures import fig9, pareto, ranks, training
    from mednext.report.tables import write_tables

    write_tables(profile, root / "tables", partial=True)
    drawn = root / "drawn"
    for chart in (fig9, pareto, ranks, training):
        chart.write(profile, drawn, partial=True)
    for name in CHARTS:
        write_bytes(root / "figures" / f"{name}.png", (drawn / f"{name}.png").read_bytes())


def _replace(folder: Path, files: list[Path]) -> None:
    """Make ``folder`` hold just these files."""
    shutil.rmtree(folder, ignore_errors=True)
    for file in files:
        write_bytes(folder / file.name, file.read_bytes())
