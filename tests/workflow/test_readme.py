"""The README is short, and docs/your-own.md works followed to the letter."""

from __future__ import annotations

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ..checkout import copy_checkout, in_shell

ROOT = Path(__file__).resolve().parents[2]
CLASSES, ORGANS = "## A folder of class folders", "## Images and label maps"
NETWORK, PREDICTING = "## A network", "## Predicting a folder"
AFFINE = np.array([[-0.8, 0, 0, 90], [0, 0.7, 0, -100], [0, 0, 5, 12], [0, 0, 0, 1]])
HOSTILE = ["two words.png", "it's.png", '"quoted".png', "$(touch pwned).png", "a\nnew line.png"]
HOSTILE += ["`touch pwned`.png", "a;touch pwned.png", "-rf.png", "ünïcode 肺.png", "50%,x.png"]


def blocks(heading: str, language: str = "") -> list[str]:
    """The fenced blocks of one subsection."""
    text = (ROOT / "docs/your-own.md").read_text()
    part = text[text.index(f"{heading}\n") + len(heading) :]
    part = re.split(r"^##", part, maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(r"^```(\w*)\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
    return [block for kind, block in found if kind == language]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a folder whose name a shell would stumble over."""
    folder = tmp_path / "my 'own' $(touch pwned) folder"
    folder.mkdir()
    return copy_checkout(folder, "config")


def follow(folder: Path, commands: str) -> str:
    """Run the commands as printed, in a shell, with the environment active."""
    said = in_shell(folder, commands, MEDNEXT_LOCAL=str(folder / "local data"))
    assert not list(folder.parent.rglob("pwned"))
    return said


def shown(printed: str) -> set[str]:
    """The methods of the Markdown table at the end of what was printed."""
    return set(re.findall(r"^\| +(\S+) +\|", printed, re.MULTILINE)) - {"method"}


def picture(file: Path, bright: bool, random: np.random.Generator) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = random.integers(0, 120, (40, 50)) + 100 * bright
    Image.fromarray(pixels.astype(np.uint8)).save(file)


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 170 and text.count("\n![") == 1
    first = text[: text.index("```")]
    assert "monai.networks.nets.MedNeXt" in first and "10.1371/journal.pone.0340108" in first
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
        assert all((page.parent / link).exists() for link in links), (page, links)


@pytest.mark.slow
def test_own_classes_with_hostile_names_to_a_table(checkout: Path) -> None:
    random = np.random.default_rng(0)
    for klass in ("healthy", "ill"):
        for name in (*HOSTILE, *(f"{n}.png" for n in range(14))):
            picture(checkout / "local data/my_scans" / klass / name, klass == "ill", random)
    (config,) = blocks(CLASSES, "yaml")
    assert len(config.splitlines()) <= 10
    (checkout / "config/my_scans.yaml").write_text(config)
    (commands,) = blocks(CLASSES)
    table = follow(checkout, commands)
    assert shown(table) == {"MedNeXt", "ResNet18"} and "PHANTOM" not in table
    frame = pd.read_csv(checkout / "results/my_scans/tables/custom.my_scans.csv")
    assert set(frame.target) == {"healthy", "ill"} and set(frame.status) == {"ok"}
    assert frame.accuracy.between(0, 1).all() and (frame.n_cases == 10).all()
    (split,) = (checkout / "data").glob("local-*/my_scans/splits/paper.csv")
    subsets = pd.read_csv(split)
    assert subsets.subset.value_counts().to_dict() == {"train": 28, "val": 10, "test": 10}
    for name in HOSTILE:
        assert f"ill/{name}" in set(subsets.item)

    for number in range(3):
        picture(checkout / "new_scans" / f"no {number}.png", number == 1, random)
    follow(checkout, blocks(PREDICTING)[0].splitlines()[0])
    scores = pd.read_csv(checkout / "scores.csv")
    assert scores.path.tolist() == ["no 0.png", "no 1.png", "no 2.png"]
    assert np.allclose(scores.score_healthy + scores.score_ill, 1, atol=1e-5)
    assert (
        scores.prediction == scores[["score_healthy", "score_ill"]].idxmax(axis=1).str[6:]
    ).all()


@pytest.mark.slow
def test_own_label_maps_to_a_table(checkout: Path) -> None:
    random = np.random.default_rng(0)
    folder = checkout / "local data/my_organs"
    for part in ("images", "labels", "../../new_organs"):
        (folder / part).mkdir(parents=True)
    for number in range(10):
        label = np.zeros((40, 36, 3), np.uint8)
        label[10:30, 8:28] = 1
        image = label * 80.0 + random.normal(0, 10, label.shape)
        name = f"case {number}.nii.gz"
        nib.save(nib.Nifti1Image(image.astype(np.float32), AFFINE), folder / "images" / name)
        nib.save(nib.Nifti1Image(label, AFFINE), folder / "labels" / name)
    new = nib.Nifti1Image(image.astype(np.int16), AFFINE)
    nib.save(new, checkout / "new_organs/some one.nii")
    (config,) = blocks(ORGANS, "yaml")
    assert len(config.splitlines()) <= 10
    (checkout / "config/my_organs.yaml").write_text(config)
    table = follow(checkout, blocks(ORGANS)[0])
    assert shown(table) == {"MedUNeXt", "UNet"}
    frame = pd.read_csv(checkout / "results/my_organs/tables/custom.my_organs.csv")
    assert set(frame.target) == {"liver", "mean"}
    assert "Policy `worst`" in table and "Test set of `paper`: 2 cases." in table
    found = frame[frame.dice.notna()]
    assert len(found) and found.dice.between(0, 1).all() and found.hd95_pooled_mm.notna().all()

    follow(checkout, blocks(PREDICTING)[0].splitlines()[1])
    found = nib.load(checkout / "new_labels/some one.nii.gz")
    assert found.shape == new.shape and np.allclose(found.affine, AFFINE)
    assert found.header.get_zooms() == new.header.get_zooms()
    assert found.get_data_dtype() == np.uint8 and set(np.unique(found.dataobj)) <= {0, 1}


@pytest.mark.slow
def test_own_network_to_a_table(checkout: Path) -> None:
    (code,) = blocks(NETWORK, "python")
    (config,) = blocks(NETWORK, "yaml")
    assert len(code.splitlines()) <= 10 and len(config.splitlines()) <= 10
    (checkout / "my_net.py").write_text(code)
    (checkout / "config/my_net.yaml").write_text(config)
    table = follow(checkout, blocks(NETWORK)[0])
    assert shown(table) == {"my_net"} and "PHANTOM" in table
    before = (checkout / "results/my_net/runs/sars_cov2_ct/paper/my_net/seed0/run.json").read_text()
    # A changed network is another one: it trains again.
    (checkout / "my_net.py").write_text(code.replace("16", "24"))
    follow(checkout, blocks(NETWORK)[0])
    after = (checkout / "results/my_net/runs/sars_cov2_ct/paper/my_net/seed0/run.json").read_text()
    assert before != after
