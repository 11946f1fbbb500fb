"""Simulate every procedure behind a conclusion and write docs/statistics.md: make statistics.

Each row is one procedure in one situation: what it assumes, how often it is wrong where nothing is
to be found (or covers the truth), and how often it finds what is there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gate_sees
import numpy as np
from scipy.stats import norm
from tabulate import tabulate

from mednext.analysis.contrasts import Scores
from mednext.analysis.orders import borrowed, seed_variance
from mednext.files import write_text
from mednext.metrics.clustered import correlation_of_means, obuchowski, sign_flip
from mednext.metrics.comparison import delong, holm, mcnemar_exact, wilcoxon_paired
from mednext.metrics.equivalence import Estimate, compare
from mednext.metrics.intervals import mover
from mednext.metrics.joint import joint
from mednext.metrics.statistics import interval, resample, wilson
from mednext.metrics.subgroup import deficit

Draw = Callable[[np.random.Generator, float], bool]
"""Did the procedure speak, in data whose true effect is the second argument?"""


@dataclass(frozen=True)
class Procedure:
    """One row of the table."""

    name: str
    assumes: str
    situation: str
    draw: Draw
    effect: float | None
    """For the power, in the unit of the situation; None where only the first figure is asked."""
    coverage: bool = False
    """Does ``draw`` say whether an interval holds the truth?"""


def alike(random: np.random.Generator, groups: int, size: int, share: float) -> np.ndarray:
    """(groups * size,) right or wrong, ``share`` right; cases of a group agree in four of five."""
    common = np.repeat(random.random(groups) < share, size)
    own = random.random(groups * size) < share
    return np.where(random.random(groups * size) < 0.8, common, own)


def names(groups: int, size: int) -> list[str]:
    """Group of each case."""
    return [str(g) for g in range(groups) for _ in range(size)]


def wilson_covers(random: np.random.Generator, _: float) -> bool:
    """Of 496 independent images 94 % are right."""
    low, high = wilson(int(random.binomial(496, 0.94)), 496)
    return low <= 0.94 <= high


def bootstrap_covers(random: np.random.Generator, _: float) -> bool:
    """Of 60 groups of four 94 % are right."""
    low, high = bounds(alike(random, 60, 4, 0.94), names(60, 4))
    return low <= 0.94 <= high


def bounds(right: np.ndarray, groups: list[str]) -> tuple[float, float]:
    """Of the share that is right, groups resampled 400 times."""
    drawn = resample(groups, lambda rows: right[rows].mean(keepdims=True), 0, 400)
    return interval(float(right.mean()), drawn)


def difference_covers(shared: int) -> Draw:
    """Two networks of 94 % on 60 groups of four each, of which ``shared`` are in both test sets."""

    def draw(random: np.random.Generator, _: float) -> bool:
        groups, cases = 120 - shared, 4 * (120 - shared)
        easy, name = random.random(groups).repeat(4) < 0.94, names(groups, 4)
        # Easy for both; each network agrees with that in four of five cases.
        right = np.where(
            random.random((2, cases)) < 0.8, easy, random.random((2, cases)) < 0.94
        ).astype(float)
        one, other = slice(0, 240), slice(cases - 240, cases)
        parts = (right[0, one], name[one]), (right[1, other], name[other])
        correlation = correlation_of_means(*parts[0], *parts[1]) if shared else 0.0
        low, high = mover(
            [float(values.mean()) for values, _ in parts],
            [bounds(*part) for part in parts],
            (1, -1),
            correlation,
        )
        return low <= 0 <= high

    return draw


def subgroup_speaks(random: np.random.Generator, effect: float) -> bool:
    """20 of 60 groups of four are a subgroup, with ``effect`` fewer of 90 % right."""
    right = np.concatenate([alike(random, 20, 4, 0.9 - effect), alike(random, 40, 4, 0.9)])
    inside = np.arange(240) < 80
    return deficit(right.astype(float), inside, names(60, 4), 0).p_value() < 0.05


def paired(
    random: np.random.Generator, groups: int, size: int, effect: float
) -> tuple[np.ndarray, np.ndarray]:
    """Two classifiers with 90 % right and ``effect`` more, on the same cases."""
    return alike(random, groups, size, 0.9 + effect), alike(random, groups, size, 0.9)


def mcnemar_speaks(size: int) -> Draw:
    """McNemar's test on 240 images in groups of ``size``."""

    def draw(random: np.random.Generator, effect: float) -> bool:
        return mcnemar_exact(*paired(random, 240 // size, size, effect)) < 0.05

    return draw


def sign_flip_speaks(random: np.random.Generator, effect: float) -> bool:
    """The sign-flip test on 60 groups of four."""
    first, second = paired(random, 60, 4, effect)
    return sign_flip(first.astype(float) - second, names(60, 4), 0) < 0.05


def area_speaks(clustered: bool) -> Draw:
    """Two scores of 60 groups of four, the first ``effect`` standard deviations better."""

    def draw(random: np.random.Generator, effect: float) -> bool:
        positive = np.repeat(np.arange(60) % 2 == 0, 4)
        shared = random.normal(size=(2, 60)).repeat(4, axis=1)
        first, second = 2 * positive + shared + 0.3 * random.normal(size=(2, 240))
        first = first + effect * positive
        if clustered:
            return obuchowski(positive, first, second, names(60, 4))[2] < 0.05
        return delong(positive, first, second)[2] < 0.05

    return draw


def wilcoxon_speaks(random: np.random.Generator, effect: float) -> bool:
    """20 patients whose differences in Dice have a standard deviation of 10 points."""
    return wilcoxon_paired(random.normal(effect, 10, 20), np.zeros(20)) < 0.05


def joint_speaks(seeds: int, groups: int, size: int, folds: int) -> Draw:
    """Trainings differ by 2 points, groups by 20, what both share by 30."""

    def draw(random: np.random.Generator, effect: float) -> bool:
        fold = np.arange(groups) % folds
        training = random.normal(0, 2, (seeds, folds))[:, fold]
        values = training + random.normal(0, 20, groups) + random.normal(0, 30, (seeds, groups))
        cases = np.repeat(values, size, axis=1) + random.normal(0, 30, (seeds, groups * size))
        found = joint(cases + effect, names(groups, size), np.repeat(fold, size))
        low, high = found.interval()
        return not low <= 0 <= high

    return draw


def borrowed_speaks(random: np.random.Generator, effect: float) -> bool:
    """Trainings differ by 1 point, groups by 15, what both share by 20; two single seeds."""
    group = names(200, 1)

    def method(seeds: int) -> Scores:
        values = random.normal(0, 1, (seeds, 1)) + random.normal(0, 15, 200)
        values = values + random.normal(0, 20, (seeds, 200))
        return Scores(tuple(range(seeds)), values, group, ["paper"] * 200)

    lent = seed_variance({str(k): method(3) for k in range(4)})
    first, second = method(1), method(1)
    better = Scores(first.seeds, first.values + effect, group, first.folds)
    (row,) = borrowed({"a": better, "b": second}, lent)
    return bool(row["p"] < 0.05)


def equivalence(wanted: tuple[str, ...]) -> Draw:
    """Three seeds (SD 0.4), the printed value with an error of 0.3, margin 1: one of ``wanted``."""

    def draw(random: np.random.Generator, effect: float) -> bool:
        seeds = effect + random.normal(0, 0.4, 3)
        ours = Estimate(float(seeds.mean()), float(seeds.std(ddof=1)) / 3**0.5, 2)
        return compare(ours, Estimate(float(random.normal(0, 0.3)), 0.3), 1.0) in wanted

    return draw


def family_speaks(random: np.random.Generator, effect: float) -> bool:
    """Ten independent tests; is any significant after Holm's correction?"""
    z = random.normal(size=10)
    z[0] += effect
    return bool((holm(2 * norm.sf(np.abs(z))) < 0.05).any())


IID = "cases are independent"
GROUPS = "groups of cases are independent"
PROCEDURES = (
    Procedure(
        "Wilson's interval of a share", IID, "496 images, 94 % right", wilson_covers, None, True
    ),
    Procedure(
        "interval of a metric, groups resampled",
        f"{GROUPS}; 1000 draws (400 here)",
        "60 groups of 4, 94 % right",
        bootstrap_covers,
        None,
        True,
    ),
    Procedure(
        "difference of two parts of a test set (Newcombe)",
        GROUPS,
        "60 groups of 4 in each part",
        difference_covers(0),
        None,
        True,
    ),
    Procedure(
        "difference between two protocols (MOVER)",
        f"{GROUPS}; the scores' correlation is that of the shared ones",
        "60 groups of 4 in each test set, 15 in both",
        difference_covers(15),
        None,
        True,
    ),
    Procedure(
        "deficit of a subgroup, groups permuted",
        f"{GROUPS}, exchangeable between the sides",
        "20 of 60 groups of 4; 20 points",
        subgroup_speaks,
        0.20,
    ),
    Procedure("McNemar, exact", IID, "240 images; 8 points", mcnemar_speaks(1), 0.08),
    Procedure("McNemar, exact", IID, "**60 groups of 4**; 8 points", mcnemar_speaks(4), 0.08),
    Procedure(
        "sign flip by group",
        f"{GROUPS}, methods exchangeable within each",
        "60 groups of 4; 8 points",
        sign_flip_speaks,
        0.08,
    ),
    Procedure("DeLong", IID, "**60 groups of 4**; 0.6 SD", area_speaks(False), 0.6),
    Procedure("Obuchowski", GROUPS, "60 groups of 4; 0.6 SD", area_speaks(True), 0.6),
    Procedure(
        "Wilcoxon, signed ranks",
        "patients are independent, differences symmetric",
        "20 patients, SD 10 points; 9.8 points",
        wilcoxon_speaks,
        9.8,
    ),
    Procedure(
        "Wilcoxon, signed ranks, first of 210 after Holm",
        "the same",
        "20 patients, SD 9.5 points; 9.8 points",
        lambda random, effect: (
            wilcoxon_paired(random.normal(effect, 9.5, 20), np.zeros(20)) < 0.05 / 210
        ),
        9.8,
    ),
    Procedure(
        "order of one seed each, seed variance borrowed",
        "trainings of all methods vary alike",
        "4 methods of 3 seeds lend, 200 groups; 8 points",
        borrowed_speaks,
        8.0,
    ),
    Procedure(
        "joint interval over trainings and groups",
        "trainings and groups are random samples",
        "3 seeds, 200 groups of 2; 8 points",
        joint_speaks(3, 200, 2, 1),
        8.0,
    ),
    Procedure(
        "joint interval over trainings and groups",
        "the same",
        "5 seeds, 20 patients; 25 points",
        joint_speaks(5, 20, 1, 1),
        25.0,
    ),
    Procedure(
        "joint interval, folds as trainings",
        "trainings of different folds are independent (they share data)",
        "3 seeds, 5 folds, 500 groups of 2; 4 points",
        joint_speaks(3, 500, 2, 5),
        4.0,
    ),
    Procedure(
        "verdict `equivalent` (two one-sided tests)",
        "normal; the printed value's error is known",
        "3 seeds; truth at the margin; power at no difference",
        lambda random, effect: equivalence(("equivalent",))(random, 1.0 - effect),
        1.0,
    ),
    Procedure(
        "verdict `higher` or `lower`",
        "the same",
        "3 seeds; no difference; power at 2 points",
        equivalence(("higher", "lower")),
        2.0,
    ),
    Procedure(
        "Holm's correction",
        "each p-value is valid",
        "10 true hypotheses; one at 3.5 SE",
        family_speaks,
        3.5,
    ),
)


def rate(procedure: Procedure, effect: float, repeats: int) -> float:
    """Share of simulated data sets in which the procedure speaks."""
    random = np.random.default_rng(20)
    return sum(procedure.draw(random, effect) for _ in range(repeats)) / repeats


def document(repeats: int) -> str:
    """The page."""
    rows = []
    for procedure in PROCEDURES:
        at_null = f"{100 * rate(procedure, 0.0, repeats):.1f}"
        power = (
            ""
            if procedure.effect is None
            else f"{100 * rate(procedure, procedure.effect, repeats):.0f}"
        )
        size, coverage = ("", at_null) if procedure.coverage else (at_null, "")
        rows.append((procedure.name, procedure.assumes, procedure.situation, size, coverage, power))
    table = tabulate(
        rows,
        headers=(
            "procedure",
            "assumes",
            "situation; effect",
            "size (%)",
            "coverage (%)",
            "power (%)",
        ),
        tablefmt="github",
        disable_numparse=True,
    )
    error = 100 * (0.05 * 0.95 / repeats) ** 0.5
    return f"""# The statistics behind the conclusions

Every procedure with its assumption and what a simulation shows of it, written by
`make statistics` ({repeats} data sets a figure, so that a size of 5 % is known to
± {1.96 * error:.1f} points). *Size* is how often it speaks where nothing is to be found, at the
level 5 %; *coverage* how often a 95 % interval holds the truth; *power* how often it finds the
effect that the situation names. In bold: a situation that breaks the assumption, and what comes of
it.

{table}

Values of tables carry the interval with groups resampled (`mednext/metrics/statistics.py`), of one
seed or joined with the spread between seeds (`mednext/metrics/intervals.py`). Questions that were
asked beforehand are judged by the joint interval (`mednext/metrics/joint.py`); what a design can
show is computed before its runs (`mednext/metrics/power.py`, `docs/protocol_wave2.md`). Two methods
are ordered by the joint interval over at least three seeds of both; pairs of one seed by the
borrowed rule alone, as a guess (`mednext/analysis/orders.py`). ECE has no interval: its estimate is
biased, so that an interval around it would seldom hold the truth.

{gate_sees.section(repeats)}"""


def main() -> None:
    """Write docs/statistics.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path("docs/statistics.md"))
    arguments = parser.parse_args()
    write_text(arguments.out, document(arguments.repeats))


if __name__ == "__main__":
    main()
