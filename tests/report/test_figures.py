"""The figures: what is drawn, how large, and that texts stay apart and inside."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mednext.architecture import Architecture, read_architecture, write_architecture
from mednext.config import Profile, load_methods
from mednext.errors import UserError
from mednext.layout import architecture_json
from mednext.report.figures import FIGURES, MODULES, write_figures
from mednext.report.figures.charts import looks, panel_title
from mednext.report.figures.pareto import front
from mednext.report.figures.ranks import cliques
from mednext.results import DatasetRow, write_rows

from .made_up import dataset_rows, full_profile, make_profile, slugs_in

IMAGES = ("fig6", "fig7", "fig8")
NETWORKS = ("fig1", "fig2", "fig3", "fig4", "fig5")
CHARTS = ("pareto", "roc", "critical_difference", "training")


def svg(folder: Path, name: str) -> str:
    return (folder / f"{name}.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FIGURES)
def test_three_formats_and_not_blank(drawn: dict[str, Path], name: str) -> None:
    folder = drawn["phantom"] / "figures"
    assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert svg(folder, name).count("<text") >= 10
    pixels = np.asarray(Image.open(folder / f"{name}.png").convert("L"), dtype=float)
    assert pixels.shape[1] >= 300 * 4
    assert pixels.std() > 15


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_images(drawn: dict[str, Path], name: str) -> None:
    assert svg(drawn["local"] / "figures", name).count("<image") >= 6


@pytest.mark.parametrize("name", FIGURES)
def test_phantom_results_say_so_and_others_do_not(drawn: dict[str, Path], name: str) -> None:
    # The networks themselves and the printed scores are no results of phantoms.
    real = name in NETWORKS or name == "pareto_printed"
    assert ("PHANTOM (synthetic) data" in svg(drawn["phantom"] / "figures", name)) is not real
    assert "PHANTOM" not in svg(drawn["local"] / "figures", name)


@pytest.mark.parametrize("name", FIGURES)
def test_no_slug_stands_in_a_figure(drawn: dict[str, Path], name: str) -> None:
    for folder in drawn.values():
        words = re.findall(r"<text[^>]*>([^<]*)<", svg(folder / "figures", name))
        assert len(words) > 3 and slugs_in("\n".join(words)) == set()


def test_titles_say_what_was_predicted(drawn: dict[str, Path]) -> None:
    text = svg(drawn["local"] / "figures", "fig6")
    # second case: covid19 (monkeypox), scored 0.80 for the other class
    for words in ("SARS-COV2-CT-Scan", "Monkeypox Skin", "Large COVID", "Normal 0.90", "✗"):
        assert words in text
    assert text.count("Normal 0.80 ✗") == 3 + 2 and text.count("Other 0.80 ✗") == 3
    text = svg(drawn["local"] / "figures", "fig8")
    for words in ("ground truth", "Dice 0.912", "Dice 0.750", "myocardium"):
        assert words in text
    assert "left kidney" in svg(drawn["local"] / "figures", "fig7")


def test_pictures_name_a_reduced_scale_and_the_papers_not(
    drawn: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(drawn["local"].parents[1])
    small = full_profile().model_dump()
    for run in small["datasets"].values():
        run |= {"img_size": 64, "epochs": 5}
    for name in IMAGES:
        assert ": reduced)" not in svg(drawn["local"] / "figures", name)
        module = importlib.import_module(f"mednext.report.figures.{MODULES.get(name, name)}")
        module.write(Profile.model_validate(small), tmp_path)
        assert "(64 px, epochs 5, fp32: reduced)" in svg(tmp_path, name)


def test_a_panel_with_fewer_methods_says_so(drawn: dict[str, Path]) -> None:
    text = svg(drawn["local"] / "figures", "fig6")
    assert text.count("2 of 3 methods: profile 'made_up' runs no other") == 1


def test_drawing_twice_gives_the_same_bytes(
    drawn: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = drawn["phantom"]
    monkeypatch.chdir(root.parents[1])
    write_figures(full_profile("phantom"), tmp_path, partial=True)
    names = sorted(path.name for path in (root / "figures").iterdir())
    assert names == sorted(f"{name}.{end}" for name in FIGURES for end in ("png", "pdf", "svg"))
    for name in names:
        assert (tmp_path / name).read_bytes() == (root / "figures" / name).read_bytes(), name


def test_every_panel_of_the_captions(drawn: dict[str, Path]) -> None:
    titles = {
        "fig1": ("A  ResNet50", "B  Swin Transformer", "C  MedNeXt", "D  MED stem", "E  MED block"),
        "fig2": (
            "A  Self-attention",
            "B  Linear attention",
            "C  Simplified linear attention",
            "D  LAFFN",
        ),
        "fig3": ("DwConv 1×7", "concatenate 192×56×56"),
        "fig4": ("A  Traditional FFN", "B  Smooth FFN", "C  SDFFN"),
        "fig5": ("39.85 M parameters", "1024×7×7"),
        "fig9": ("A  Ablation on SARS", "B  Ablation on ACDC", "#8 LAFFN+SEM+SDFFN"),
    }
    for name, words in titles.items():
        text = svg(drawn["local"] / "figures", name)
        assert [w for w in words if w not in text] == [], name


def redrawn(change: Callable[[Architecture], Architecture], name: str, out: Path) -> str:
    """The SVG of a figure after a change of ``architecture.json``."""
    file = architecture_json("made_up")
    kept = read_architecture(file)
    write_architecture(file, change(kept))
    try:
        module = importlib.import_module(f"mednext.report.figures.{MODULES.get(name, name)}")
        module.write(make_profile(), out)
    finally:
        write_architecture(file, kept)
    return svg(out, name)


def test_another_architecture_is_another_drawing(
    drawn: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mednext.models.blocks import SEM
    from mednext.models.describe import _first, _instances, _network, panel

    monkeypatch.chdir(drawn["local"].parents[1])
    summed = _network("mednext", sem_fusion="sum")

    def replaced(architecture: Architecture) -> Architecture:
        new = panel("3", "SEM", "mednext", summed, pick=lambda m: _first(m, SEM))
        others = tuple(p for p in architecture.panels if p.figure != 3)
        return architecture.model_copy(update={"panels": (*others, new)})

    before = svg(drawn["local"] / "figures", "fig3")
    after = redrawn(replaced, "fig3", tmp_path)
    # Eq. 12 as it stands: a sum in place of the second concatenation, 2 C^2 weights fewer
    assert before.count("concatenate") == 2 and "40.3 k parameters" in before
    assert after.count("concatenate") == 1 and "32.1 k parameters" in after
    assert len(re.findall(r">\+<", after)) == 2

    from mednext.models.blocks import MEDBlock
    from mednext.models.medunext import UConv

    def wider(architecture: Architecture) -> Architecture:
        net = _network("medunext", down="conv3")
        new = panel("5", "MedUNeXt", "medunext", net, _instances(MEDBlock, UConv), overview=True)
        others = tuple(p for p in architecture.panels if p.figure != 5)
        return architecture.model_copy(update={"panels": (*others, new)})

    before = svg(drawn["local"] / "figures", "fig5")
    after = redrawn(wider, "fig5", tmp_path)
    assert "MaxPool 2×2" in before and "MaxPool" not in after
    assert "Conv 3×3, stride 2" in after and "39.85 M" not in after


def test_ablations_name_what_was_not_run(drawn: dict[str, Path]) -> None:
    text = svg(drawn["local"] / "figures", "fig9")
    # MedNeXt and MedUNeXt are the last rows of Tables 7 and 8
    words = "1 of 8 variants ran in profile 'made_up' in fp32; the others show printed scores alone"
    assert text.count(words) == 2


def test_ablations_that_nobody_ran(
    drawn: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mednext.report.figures import fig9

    monkeypatch.chdir(drawn["phantom"].parents[1])
    whole = make_profile("phantom").model_dump()
    whole["datasets"]["sars_cov2_ct"]["methods"] = ("resnet18",)
    whole["datasets"]["acdc"]["methods"] = ("unet",)
    fig9.write(Profile.model_validate(whole), tmp_path, partial=True)
    text = svg(tmp_path, "fig9")
    assert text.count("no variant ran in profile 'made_up': scores are printed values") == 2
    assert "PHANTOM" not in text


def test_nothing_beats_the_front_in_both() -> None:
    points = [(1.0, 5.0), (2.0, 4.0), (3.0, 6.0), (3.0, 5.5), (4.0, 6.0), (5.0, 7.0)]
    assert front(points) == [(1.0, 5.0), (3.0, 6.0), (5.0, 7.0)]


def test_latency_is_drawn_where_it_was_measured(
    drawn: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mednext.report.figures import pareto

    text = svg(drawn["local"] / "figures", "pareto")
    assert text.count(">Latency (ms, CPU, fp32)<") == 2
    assert text.count(">GMACs at 224 px<") == 2 and "mean over seeds" in text
    root = drawn["local"]
    monkeypatch.chdir(root.parents[1])
    assert pareto.latencies(make_profile()) == {"mednext": 31.0, "unet": 420.0}
    kept = (root / "latency.csv").read_bytes()
    (root / "latency.csv").unlink()
    try:
        pareto.write(make_profile(), tmp_path)
    finally:
        (root / "latency.csv").write_bytes(kept)
    assert "Latency" not in svg(tmp_path, "pareto")


def test_bars_join_runs_of_methods_that_are_all_alike() -> None:
    means = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    pairs = {frozenset(p) for p in ("ab", "bc", "ac", "cd")}
    assert cliques(means, pairs) == [("a", "b", "c"), ("c", "d")]
    assert cliques(means, {frozenset("ac")}) == []


def test_mean_ranks_and_bars_are_drawn(drawn: dict[str, Path]) -> None:
    text = svg(drawn["local"] / "figures", "critical_difference")
    for words in ("MedNeXt 1.10", "ResNet18 2.00", "ConvNeXt-T 3.00", "ResNet50 3.90"):
        assert words in text


@pytest.mark.parametrize(("gone", "name"), [("synapse", "fig7"), ("acdc", "fig8")])
def test_a_data_set_outside_the_profile_gives_a_figure_that_says_so(
    drawn: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gone: str, name: str
) -> None:
    monkeypatch.chdir(drawn["local"].parents[1])
    whole = full_profile().model_dump()
    del whole["datasets"][gone]
    module = importlib.import_module(f"mednext.report.figures.{MODULES.get(name, name)}")
    module.write(Profile.model_validate(whole), tmp_path)
    assert "not part of profile" in svg(tmp_path, name)
    assert {p.suffix for p in tmp_path.glob(f"{name}.*")} == {".png", ".pdf", ".svg"}


def test_fig6_keeps_the_panels_of_absent_data_sets(
    drawn: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mednext.report.figures import fig6

    monkeypatch.chdir(drawn["local"].parents[1])
    fig6.write(make_profile(), tmp_path)
    text = svg(tmp_path, "fig6")
    assert text.count("not part of profile 'made_up': nothing to show") == 2
    assert text.count("<image") == 2 * (1 + 3)  # image and heatmap are one


def test_missing_cases_are_a_clear_error(made_up: Callable[[str], Path], tmp_path: Path) -> None:
    root = made_up("local")
    (root / "cases" / "fig6.sars_cov2_ct.npz").unlink()
    with pytest.raises(UserError, match=r"fig6\.sars_cov2_ct\.npz"):
        write_figures(make_profile(), tmp_path, only=["fig6"])


def test_every_method_of_the_paper_has_a_look_of_its_own() -> None:
    found = looks(list(load_methods()))
    assert len({(look["color"], look["marker"]) for look in found.values()}) == len(load_methods())


def test_a_look_does_not_depend_on_the_order_or_on_repeats() -> None:
    assert looks(["vit", "mednext", "resnet18"]) == looks(["resnet18", "vit", "mednext", "vit"])
    assert looks(["mednext", "mine"])["mine"] != looks(["mednext", "mine"])["mednext"]


def test_charts_state_a_reduced_scale(made_up: Callable[[str], Path], tmp_path: Path) -> None:
    made_up("local")
    words = "px, epochs"
    write_figures(make_profile(), tmp_path, partial=True, only=CHARTS)
    assert [name for name in CHARTS if words in svg(tmp_path, name)] == []
    write_figures(make_profile(img_size=64), tmp_path, partial=True, only=CHARTS)
    for name in CHARTS:
        assert "(64 px, epochs 300, fp32: reduced)" in svg(tmp_path, name), name


def test_charts_name_data_that_stand_in(made_up: Callable[[str], Path], tmp_path: Path) -> None:
    root = made_up("local")
    rows = dataset_rows()
    rows[1] = rows[1].model_copy(update={"stand_in": "other slices"})
    write_rows(root / "datasets.csv", DatasetRow, rows)
    assert panel_title(make_profile(), "sars_cov2_ct") == "SARS-COV2-CT-Scan (STAND-IN data; fp32)"
    assert panel_title(make_profile(), "acdc") == "ACDC (fp32)"
    write_figures(make_profile(img_size=64), tmp_path, partial=True, only=CHARTS)
    words = "(STAND-IN data; 64 px, epochs 300, fp32: reduced)"
    for name in CHARTS:
        assert svg(tmp_path, name).count(words) == 1, name


def test_more_methods_than_looks_are_drawn_all_the_same() -> None:
    assert len(looks([f"mine_{i}" for i in range(200)])) == 200
