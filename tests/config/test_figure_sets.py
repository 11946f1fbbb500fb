"""Which methods and data sets the image figures show."""

from __future__ import annotations

from mednext.config import FIGURE_DATASETS, case_files, load_datasets, load_methods, shown_methods
from mednext.config.figures import FIGURE_METHODS


def test_the_papers_methods_in_the_papers_order() -> None:
    every = [slug for slug, spec in load_methods().items() if spec.task == "classification"]
    assert shown_methods("fig6", every) == ["resnet50", "swin_v2", "mednext"]
    every = [slug for slug, spec in load_methods().items() if spec.task == "segmentation"]
    assert shown_methods("fig7", every) == ["unet", "transunet", "mt_unet", "medunext"]


def test_others_fill_up_and_ours_is_last() -> None:
    assert shown_methods("fig6", ["mednext", "resnet18"]) == ["resnet18", "mednext"]
    found = shown_methods("fig6", ["mednext", "resnet18", "vit", "swin_v2", "mednext_nc"])
    assert found == ["swin_v2", "resnet18", "mednext"]
    assert shown_methods("fig8", ["nnunet", "unet", "vnet", "darr", "vit_cup"]) == [
        "unet",
        "nnunet",
        "vnet",
        "darr",
    ]


def test_every_name_is_registered() -> None:
    assert {d for sets in FIGURE_DATASETS.values() for d in sets} == set(load_datasets())
    assert {m for methods in FIGURE_METHODS.values() for m in methods} <= set(load_methods())


def test_a_file_per_data_set_of_the_profile() -> None:
    assert case_files("fig6", ["acdc", "large_covid_ct"]) == {
        "large_covid_ct": "fig6.large_covid_ct"
    }
    assert case_files("fig7", ["acdc"]) == {}
    assert case_files("fig8", ["acdc"]) == {"acdc": "fig8"}
