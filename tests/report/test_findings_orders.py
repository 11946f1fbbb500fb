"""The printed order against a made-up one: what agrees, what contradicts, what is open."""

from __future__ import annotations

from pathlib import Path

import pytest

from mednext.report.findings.laffn import laffn
from mednext.report.findings.orders import order
from mednext.report.findings.orders import placed as of_pair
from mednext.report.findings.training import _not_found, ceiling, training
from mednext.results import ComparisonRow, CurveRow, DifferenceRow, MetricRow, write_rows
from mednext.results.orders import CeilingRow, OrderRow

from .made_up import metric_row, reduced_results


def compared(a: str, b: str, value_a: float, value_b: float, p: float) -> ComparisonRow:
    return ComparisonRow(
        profile="reduced", source="local", source_id="local-0", dataset="sars_cov2_ct",
        protocol="paper", selection="last", seed=0, test="mcnemar", metric="accuracy",
        method_a=a, method_b=b, value_a=value_a, value_b=value_b, p=p, p_holm=p,
        n_cases=496, n_groups=60, note=None,
    )  # fmt: skip


def placed(
    a: str, b: str, difference: float, p_holm: float, basis: str = "seeds", **changes: object
) -> OrderRow:
    """A row whose own p is a tenth of the corrected one: alone a pair may well differ."""
    values: dict[str, object] = {
        "dataset": "sars_cov2_ct", "protocol": "paper", "metric": "accuracy", "method_a": a,
        "method_b": b, "basis": basis, "seeds": "0 1 2" if basis == "seeds" else "0",
        "n_cases": 496, "n_groups": 60, "difference": difference, "error": 0.01, "df": 20.0,
        "p": p_holm / 10, "p_holm": p_holm, "family": 5, "design_effect": 1.35, "detectable": 0.03,
        "detectable_holm": 0.05,
        "borrowed_from": "resnet18 (3 seeds)" if basis == "borrowed" else None,
    }  # fmt: skip
    return OrderRow.model_validate(values | changes)


def test_each_pair_counts_where_it_belongs(reduced: Path) -> None:
    """Table 2 prints MedNeXt 98.39, ResNet18 97.98, ResMLP 93.65, ViT 92.84 % of accuracy."""
    pairs = [("mednext", "vit"), ("resnet18", "mednext"), ("vit", "resmlp"), ("resnet18", "vit")]
    rows = [compared(a, b, 0.9, 0.8, 0.01) for a, b in (*pairs, ("mednext_nc", "vit"))]
    write_rows(reduced / "comparisons.csv", ComparisonRow, rows)
    orders = [
        placed("mednext", "vit", 0.1, 0.01),  # as printed
        placed("resnet18", "mednext", 0.05, 0.01),  # the opposite
        placed("vit", "resmlp", -0.1, 0.04, "borrowed"),  # as printed, the worse one first
        placed("resnet18", "vit", -0.1, 0.2, "borrowed"),  # opposite, but may be chance
        placed("mednext_nc", "vit", 0.1, 0.01),  # the paper prints no mednext_nc
        placed("mednext", "vit", 0.1, 0.01, protocol="grouped"),
    ]
    write_rows(reduced / "orders.csv", OrderRow, orders)
    found = order(reduced_results(), "2")
    assert found is not None
    assert [found[k] for k in ("methods", "pairs", "one_seed")] == [4, 4, 2]
    words = ("pairs", "agree", "contradict", "open", "family")
    assert [found["over"][k] for k in words] == [2, 1, 1, 0, 5]
    assert [found["borrowed"][k] for k in words] == [2, 1, 0, 1, 5]
    assert found["borrowed"]["from"] == "resnet18 (3 seeds)"
    assert (found["over"]["seeds"], found["borrowed"]["seeds"]) == (["0, 1, 2"], ["0"])
    assert found["over"]["holm"] == pytest.approx(5.0)
    other = order(reduced_results(), "3")
    assert other is not None and other["over"] is other["borrowed"] is None


def test_pairs_are_lost_by_group_under_the_same_adjustment(reduced: Path) -> None:
    pairs = [("mednext", "vit", 0.04), ("mednext", "resnet18", 0.06), ("resnet18", "vit", 0.01)]
    rows = [compared(a, b, 0.9, 0.8, 0.01) for a, b, _ in pairs]
    rows += [
        compared(a, b, 0.9, 0.8, 0.001).model_copy(update={"test": "sign_flip", "p_holm": holm})
        for a, b, holm in pairs
    ]
    write_rows(reduced / "comparisons.csv", ComparisonRow, rows)
    found = order(reduced_results(), "2")
    assert found is not None
    assert found["weights"] == {"by_case": 3, "by_group": 2, "lost": 1, "family": 3}


def test_a_lead_over_one_seed_is_called_one_seed(reduced: Path) -> None:
    rows = [
        DifferenceRow(
            dataset="sars_cov2_ct", protocol="paper", seed=0, metric="accuracy", method_a=other,
            method_b="mednext", difference=-0.1, ci_low=-0.2, ci_high=-0.05, deviation=0.3,
            n_cases=496, n_groups=60,
        )
        for other in ("vit", "resnet18", "resmlp")
    ]  # fmt: skip
    write_rows(reduced / "differences.csv", DifferenceRow, rows)
    orders = [
        placed("vit", "mednext", -0.1, 0.01, "borrowed"),
        placed("mednext", "resnet18", 0.02, 0.06),
    ]
    write_rows(reduced / "orders.csv", OrderRow, orders)
    found = order(reduced_results(), "2")
    assert found is not None
    said = {other: words for other, _, *words in found["against"]}
    # t(0.975, 20) = 2.0860 times one point.
    assert said["vit"] == ["one seed", "higher: +10.0 points, the interval is [+7.9, +12.1]"]
    assert said["resnet18"] == [
        "inconclusive: +2.0 points, the interval is [-0.1, +4.1]",
        "+10.0 points, no seeds to borrow from",
    ]
    assert said["resmlp"] == ["one seed", "+10.0 points, no seeds to borrow from"]


@pytest.mark.parametrize(("p", "word"), [(0.049, "higher"), (0.051, "inconclusive")])
def test_of_corrected_pairs_the_corrected_p_decides(reduced: Path, p: float, word: str) -> None:
    """The interval of the pair alone excludes 0 in both."""
    write_rows(reduced / "orders.csv", OrderRow, [placed("mednext", "vit", 0.1, p)])
    found = of_pair(reduced_results(), "sars_cov2_ct", "mednext", "vit", "seeds")
    assert found is not None
    assert found.words == f"{word}: +10.0 points, the interval is [+7.9, +12.1]"


def test_an_order_stands_beside_the_training_behind_it(reduced: Path) -> None:
    # In one order, but on no straight line.
    reached = {"mednext": (0.1, 0.9, 0.2), "vit": (0.5, 0.7, 0.51), "resnet18": (0.3, 0.71, 0.31)}
    common: dict[str, object] = {
        "profile": "reduced", "source": "local", "source_id": "local-0", "selection": "last",
        "dataset": "sars_cov2_ct", "protocol": "paper", "seed": 0, "curve": "train_loss", "n": 1,
    }  # fmt: skip
    curves = [
        CurveRow.model_validate(common | {"method": m, "x": x, "y": y})
        for m, (last, _, before) in reached.items()
        for x, y in ((8, before), (9, 0.9), (10, last))
    ]
    write_rows(reduced / "curves.csv", CurveRow, curves)
    rows = [metric_row(method=m, value=score) for m, (_, score, _) in reached.items()]
    acdc = {"dataset": "acdc", "task": "segmentation", "metric": "dice", "policy": "transunet"}
    rows += [
        metric_row(method=m, target=t, value=v, **acdc)
        for m, t, v in (("vnet", "rv", 0.0), ("unet", "rv", 0.6), ("vnet", "mean", 0.0))
    ]
    write_rows(reduced / "metrics.csv", MetricRow, rows)
    found = training(reduced_results(), "sars_cov2_ct", 0)
    assert found is not None and found["correlation"] == -1 and found["methods"] == 3
    assert found["lowest"] == ("mednext", 0.1) and found["highest"] == ("vit", 0.5)
    assert found["learning"] == ["mednext"]  # half in two epochs; the others 2 and 3 %
    assert _not_found(reduced_results(), "acdc", 0) == [("right ventricle", ["vnet"])]


def test_the_ceiling_of_the_resolution_stands_beside_it(reduced: Path) -> None:
    rows = [
        CeilingRow(dataset="acdc", protocol="paper", img_size=size, target=target, dice=value,
                   n_cases=40, n_groups=20)
        for size, target, value in ((224, "mean", 0.99), (64, "myo", 0.8), (64, "mean", 0.9))
    ]  # fmt: skip
    write_rows(reduced / "ceiling.csv", CeilingRow, rows)
    small, paper = ceiling(reduced_results(), "acdc")
    assert (small["px"], small["mean"], paper["mean"]) == (64, pytest.approx(90), pytest.approx(99))
    assert small["organs"] == [("myocardium", pytest.approx(80))] and small["patients"] == 20
    assert ceiling(reduced_results(), "sars_cov2_ct") == []


def test_the_caption_names_the_seeds_of_its_own_data_set(reduced: Path) -> None:
    rows = [
        metric_row(dataset=dataset, seed=seed, metric="accuracy", target="non_disease", value=0.9)
        for dataset, seed in (("sars_cov2_ct", 0), ("sars_cov2_ct", 2), ("monkeypox_msld", 7))
    ]
    write_rows(reduced / "metrics.csv", MetricRow, rows)
    found = laffn(reduced_results())[0]
    assert "seed 0, 2;" in found["caption"]
    assert found["lines"][0]["seeds"] == 2 and found["lines"][0]["mean"] == pytest.approx(90)


def test_laffn_is_asked_of_segmenters_too(reduced: Path) -> None:
    rows = [
        DifferenceRow(
            dataset="acdc", protocol="paper", seed=seed, metric="dice",
            method_a="medunext_sem_sdffn", method_b="medunext", difference=difference,
            ci_low=difference - 0.02, ci_high=difference + 0.02, deviation=0.1,
            n_cases=20, n_groups=20,
        )
        for seed, difference in ((0, -0.10), (1, -0.14))
    ]  # fmt: skip
    write_rows(reduced / "differences.csv", DifferenceRow, rows)
    found = laffn(reduced_results())
    assert [part["metric"] for part in found] == ["accuracy", "mean Dice"]
    pair, *others = found[1]["pairs"]
    assert pair["seeds"] == 2 and pair["joint"] == "2 seeds, fewer than 3"
    # The other way round.
    assert pair["each"][1] == (1, "higher: +14.0 points, the interval is [+12.0, +16.0]")
    assert {other["joint"] for other in others} == {"not yet measured"}
    of_acdc = {"dataset": "acdc", "n_cases": 20, "n_groups": 20}
    orders = [placed("medunext_sem_sdffn", "medunext", -0.12, 0.01, **of_acdc)]
    write_rows(reduced / "orders.csv", OrderRow, orders)
    pair = laffn(reduced_results())[1]["pairs"][0]
    assert pair["joint"] == (
        "higher: +12.0 points, the interval is [+9.9, +14.1] (seeds 0, 1, 2; 20 cases)"
    )
    assert pair["detectable"] == pytest.approx(3.0)
    (reduced / "orders.csv").unlink()
    write_rows(reduced / "differences.csv", DifferenceRow, rows[:1])
    pair = laffn(reduced_results())[1]["pairs"][0]
    assert pair["joint"] == "one seed, which says nothing of others"
    assert pair["each"] == [(0, "higher: +10.0 points, the interval is [+8.0, +12.0]")]
