from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mednext.config import load_datasets, load_methods, load_profile, load_recipes
from mednext.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def write(folder: Path, text: str) -> Path:
    file = folder / "mine.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*.yaml")), ids=lambda f: f.stem)
def test_every_committed_profile_loads_under_its_own_name(file: Path) -> None:
    assert load_profile(file).profile == file.stem


def test_the_recipes_are_the_papers_where_it_states_them() -> None:
    # lines 271 and 279 of the paper's text
    stated = {
        ("classification", "optimizer"): "adamw",
        ("classification", "lr"): 6e-4,
        ("classification", "weight_decay"): 0.05,
        ("classification", "schedule"): "cosine",
        ("classification", "epochs"): 300,
        ("segmentation", "optimizer"): "adam",
        ("segmentation", "lr"): 1e-4,
        ("segmentation", "batch_size"): 12,
        ("segmentation", "epochs"): 100,
    }
    for (task, name), value in stated.items():
        setting = getattr(load_recipes()[task], name)
        assert setting.value == value
        assert setting.status == "stated"
        assert setting.line in (271, 279)


def test_what_the_paper_does_not_state_says_so_and_why() -> None:
    for recipe in load_recipes().values():
        for name in type(recipe).model_fields:
            setting = getattr(recipe, name)
            assert (setting.line is None) == (setting.status == "not stated"), name
            assert setting.note or setting.status == "stated", name


@pytest.mark.parametrize("slug", ["sars_cov2_ct", "monkeypox_msld", "acdc"])
def test_data_sets_carry_the_counts_of_table_1(slug: str) -> None:
    import pandas as pd

    printed = pd.read_csv(ROOT / "benchmarks/reported/table1_datasets.csv")
    printed = printed[printed.dataset_slug == slug]
    spec = load_datasets()[slug]
    if spec.task == "classification":
        got = {c.slug: (*c.paper_split, c.expected) for c in spec.classes if c.paper_split}
    else:
        got = {"": (*(spec.paper_split_cases or ()), 100)}
    want = {
        ("" if pd.isna(r.class_slug) else r.class_slug): (r.train, r.val, r.test, r.total)
        for r in printed.itertuples()
    }
    assert got == want


def test_printed_names_are_those_of_the_tables() -> None:
    import pandas as pd

    for slug, spec in load_methods().items():
        for table, name in spec.printed.items():
            (file,) = (ROOT / "benchmarks/reported").glob(f"table{table}_*.csv")
            rows = pd.read_csv(file)
            assert name in set(rows["method"]), (slug, table)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("profile: [", ["not valid YAML", "mine.yaml"]),
        ("profile: x\nsedds: [0]", ["unknown key 'sedds'", "did you mean 'seeds'"]),
    ],
)
def test_a_bad_file_is_one_clear_message(tmp_path: Path, text: str, words: list[str]) -> None:
    config = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    if "sedds" in text:
        text = yaml.safe_dump({**config, "sedds": [0]})
    with pytest.raises(UserError) as caught:
        load_profile(write(tmp_path, text))
    for word in words:
        assert word in str(caught.value)


def test_a_protocol_that_the_data_set_does_not_have_is_refused(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    config["datasets"]["sars_cov2_ct"]["protocols"] = ["paper", "fold1"]
    with pytest.raises(UserError, match=r"no protocol 'fold1'(.|\n)*paper, grouped"):
        load_profile(write(tmp_path, yaml.safe_dump(config)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.yaml"):
        load_profile(tmp_path / "nothing.yaml")


def test_a_method_of_the_other_task_is_refused(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    config["datasets"]["acdc"]["methods"] = ["resnet18"]
    with pytest.raises(UserError, match="classification method"):
        load_profile(write(tmp_path, yaml.safe_dump(config)))


def test_more_runs_come_after_the_others_and_none_twice(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    run = config["datasets"]["sars_cov2_ct"]
    run["methods"] = ["mednext", "resnet18"]
    run["extra_runs"] = [
        {"methods": ["mednext_laffn_sem_sdffn"], "seeds": [0, 1]},  # another name of mednext
        {"methods": ["resnet18"], "protocols": ["grouped"]},
    ]
    profile = load_profile(write(tmp_path, yaml.safe_dump(config)))
    loaded = profile.datasets["sars_cov2_ct"]
    assert loaded.cells(profile.seeds) == [
        ("paper", "mednext", 0),
        ("paper", "resnet18", 0),
        ("paper", "mednext", 1),
        ("grouped", "resnet18", 0),
    ]
    assert loaded.all_protocols == ("paper", "grouped")


def test_more_runs_of_an_unlisted_method_are_refused(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    config["datasets"]["sars_cov2_ct"]["extra_runs"] = [{"methods": ["vit"], "seeds": [1]}]
    with pytest.raises(
        UserError, match=r"extra_runs: vit(.|\n)*add 'vit' to datasets.sars_cov2_ct"
    ):
        load_profile(write(tmp_path, yaml.safe_dump(config)))
