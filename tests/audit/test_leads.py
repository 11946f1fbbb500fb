"""The probability that a printed lead is none: by hand, by simulation, from committed runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta, dirichlet

from mednext.analysis.agreement import agreement, write_agreement
from mednext.audit.false_lead import accuracy_lead, both_right, dice_lead
from mednext.audit.run import Audit
from mednext.errors import UserError
from mednext.report.audit import Findings
from mednext.results import AgreementRow, read_rows

from .conftest import REPORTED

RUNS = REPORTED.parents[1] / "results" / "reference" / "reduced"


def test_both_right_has_the_odds_ratio_that_it_was_asked_for() -> None:
    for ratio in (0.3, 1.0, 7.0, 150.0):
        both = both_right(0.95, 0.9, ratio)
        neither = 1 - 0.95 - 0.9 + both
        assert both * neither == pytest.approx(ratio * (0.95 - both) * (0.9 - both))


def test_accuracy_by_a_direct_draw_from_the_posterior() -> None:
    """98.39 and 98.01 of 496 at an odds ratio of 31: draws of the Dirichlet itself."""
    a, b, n = 0.9839, 0.9801, 496
    both = both_right(a, b, 31.0)
    x, y = n * (a - both), n * (b - both)
    draws = dirichlet.rvs([x + 1, y + 1, n - x - y + 2], size=200_000, random_state=0)
    direct = float(np.mean(draws[:, 1] >= draws[:, 0]))
    assert accuracy_lead(a, b, n, 31.0) == pytest.approx(direct, abs=0.005)


def test_dice_by_hand() -> None:
    # t = sqrt(16) * 0.02 / 0.04 = 2 with 15 degrees of freedom: 0.0320 in the tables.
    assert dice_lead(0.9, 0.88, 16, 0.04) == pytest.approx(0.0320, abs=1e-4)
    assert dice_lead(0.9, 0.9, 16, 0.04) == 0.5


def calibration(kind: str, draws: int = 40_000) -> dict[str, tuple[float, float, int]]:
    """Bin of the stated probability -> mean stated, share of leads that were none, leads.

    Two methods are drawn, tested on 496 images (20 patients), and their agreement is measured in a
    second test at another accuracy; the formulas see only what a paper prints and that measurement.
    """
    rng = np.random.default_rng(25)
    stated, none = [], []
    for _ in range(draws):
        if kind == "accuracy":
            odds = float(np.exp(rng.normal(3.0, 1.0)))
            discordant = 2 * (0.95 - both_right(0.95, 0.95, odds))
            share = beta.rvs(1, 1, random_state=rng)  # of the discordant images, the first's
            true = (discordant * share, discordant * (1 - share))
            n = 496
            x, y, _ = rng.multinomial(n, [*true, 1 - discordant])
            neither = rng.binomial(n - x - y, 0.02)
            a, b = (n - y - neither) / n, (n - x - neither) / n
            # What the other runs show: the same table of right and wrong, of another sample.
            seen = rng.multinomial(n, [*true, 0.02 * (1 - discordant), 0.98 * (1 - discordant)])
            p10, p01, p00, p11 = seen + 0.5
            measured = p11 * p00 / (p10 * p01)
            if x == y:
                continue
            ahead, behind = max(a, b), min(a, b)
            wrong = (share < 0.5) if a > b else (share >= 0.5)
            stated.append(accuracy_lead(ahead, behind, n, float(measured)))
        else:
            truth, sd, n = rng.uniform(-0.1, 0.1), float(np.exp(rng.normal(-3.0, 0.4))), 20
            d = rng.normal(truth, sd, n).mean()
            pair = float(np.std(rng.normal(0, sd, n), ddof=1))
            wrong = (truth < 0) == (d > 0)
            stated.append(dice_lead(0.9, 0.9 - abs(d), n, pair))
        none.append(wrong)
    p, wrong_ = np.array(stated), np.array(none)
    table = {}
    for low, high in ((0.0, 0.05), (0.05, 0.15), (0.15, 0.25), (0.25, 0.35), (0.35, 0.5)):
        inside = (p >= low) & (p < high + (high == 0.5))
        table[f"{low}-{high}"] = (
            float(p[inside].mean()),
            float(wrong_[inside].mean()),
            int(inside.sum()),
        )
    return table


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["accuracy", "dice"])
def test_stated_probabilities_come_true_within_two_points(kind: str) -> None:
    table = calibration(kind)
    print(kind, table)
    for stated, happened, leads in table.values():
        assert leads > 500
        assert abs(stated - happened) < 0.02 + 2 * np.sqrt(happened * (1 - happened) / leads)


def test_the_committed_agreement_is_what_the_committed_runs_give(tmp_path: Path) -> None:
    write_agreement(RUNS, tmp_path / "agreement.csv")
    assert (tmp_path / "agreement.csv").read_text() == (REPORTED / "agreement.csv").read_text()


def test_agreement_counts_every_image_once() -> None:
    for row in read_rows(REPORTED / "agreement.csv", AgreementRow):
        if row.kind == "accuracy":
            cells = (row.both, row.only_first, row.only_second, row.neither)
            assert sum(c or 0 for c in cells) == row.cases
            right = (row.both or 0) + (row.only_first or 0)
            assert row.mean_first == pytest.approx(right / row.cases, abs=1e-6)


def test_no_runs_are_refused(tmp_path: Path) -> None:
    assert list(agreement(tmp_path)) == []
    with pytest.raises(UserError, match="no two runs"):
        write_agreement(tmp_path, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_the_papers_leads(reported: Audit) -> None:
    leads = {(r.table, r.slug): r for r in reported.leads}
    dense, eighteen = leads[2, "densenet121"], leads[2, "resnet18"]
    assert dense.agreement == eighteen.agreement == "pair"
    # A lead of two or three images of 496, of which the two disagree on ten to twenty.
    assert dense.verdict == eighteen.verdict == "may well be none"
    assert dense.p_false_low <= dense.p_false <= dense.p_false_high
    # Table 3, ResNet18: its other three cells give 97.91, which is one image behind 98.12.
    assert leads[3, "resnet18"].read_as == "97.91" and leads[3, "resnet18"].lead == "0.21"
    assert leads[5, "nnunet"].agreement == "all data sets"
    assert leads[6, "nnunet"].p_false > 0.45
    for row in leads.values():
        assert (row.verdict == "supported") == (row.p_false_high <= 0.05)


def test_every_table_of_results_gets_leads_as_footnotes(reported: Audit) -> None:
    notes = Findings(reported.cells)
    for table in range(2, 9):
        doubted = [r for r in reported.leads if r.table == table and r.verdict != "supported"]
        assert doubted
        for row in doubted:
            (note,) = (n for n in notes.of(str(table), row.slug, row.column) if "lead of" in n)
            assert f"none with probability {row.p_false:.2f}" in note
