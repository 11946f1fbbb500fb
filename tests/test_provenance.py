"""``code_hash`` follows what can change a run and nothing else.

What a run can depend on is found a second way here: by running the imports in a fresh interpreter.
"""

from __future__ import annotations

import ast
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mednext import provenance
from mednext.config import RunConfig, load_methods, load_profile
from mednext.errors import UserError
from mednext.runs.resolve import resolve_runs

ROOT = Path(__file__).resolve().parents[1]
CHANGES = 10
"""Per run and kind; of three runs."""
NET = """from torch import nn

from my_parts import WIDTH


def my_net(num_classes, in_chans, img_size):
    pool = nn.AdaptiveAvgPool2d(WIDTH // 16)
    return nn.Sequential(pool, nn.Flatten(), nn.Linear(in_chans, num_classes))
"""
LOADED = """
import importlib, json, sys

def ours():
    return [name for name in sys.modules if name.split(".")[0] in ("mednext", "my_net", "my_parts")]

found = {}
for constructor, reader in json.loads(sys.argv[1]):
    for name in ours():
        del sys.modules[name]
    import mednext.training.train, mednext.training.evaluate
    module, _, function = constructor.partition(":")
    getattr(importlib.import_module(module), function)(num_classes=2, in_chans=3, img_size=64)
    importlib.import_module(reader)
    found[constructor] = {name: sys.modules[name].__file__ for name in ours()}
print(json.dumps(found))
"""
NETWORKS = {
    "sars_cov2_ct": "mednext.models.mednext:mednext",
    "acdc": "mednext.models.baselines.attn_unet:attn_unet",
    "my_scans": "my_net:my_net",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the library, with a custom network and data set beside it."""
    place = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "mednext", place / "mednext", ignore=ignored)
    shutil.copytree(ROOT / "benchmarks", place / "benchmarks")
    (place / "my_net.py").write_text(NET)
    (place / "my_parts.py").write_text("WIDTH = 16\n")
    (place / "my_other.py").write_text("WIDTH = 16\n")
    for slug in ("a", "b"):
        (place / "data/my_scans" / slug).mkdir(parents=True)
        (place / "data/my_scans" / slug / "1.png").write_bytes(b"")
    phantom = {"source": "phantom", "phantom": {"train": 1, "val": 1, "test": 1}}
    rest = {"img_size": 64, "epochs": 1, "batch_size": 2}
    classes = [{"slug": s, "name": s} for s in "ab"]
    method = {"task": "classification", "constructor": NETWORKS["my_scans"]}
    profile = {
        "profile": "mine",
        "seeds": [0],
        "threads": 1,
        "custom_datasets": {"my_scans": {"task": "classification", "classes": classes}},
        "custom_methods": {"my_net": method},
        "datasets": {
            "sars_cov2_ct": {**phantom, "methods": ["mednext"], **rest},
            "acdc": {**phantom, "methods": ["attn_unet"], **rest},
            "my_scans": {"source": "local", "methods": ["my_net"], **rest},
        },
    }
    (place / "mine.yaml").write_text(yaml.safe_dump(profile))
    return place


@pytest.fixture
def runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[RunConfig]]:
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("MEDNEXT_LOCAL", "data")
    monkeypatch.setattr(provenance, "package_dir", lambda: place / "mednext")
    found = {run.dataset: run for run in resolve_runs(load_profile("mine.yaml"))}
    forget(files_too=True)
    yield [found[dataset] for dataset in NETWORKS]
    forget(files_too=True)


def forget(files_too: bool = False) -> None:
    """What one process remembers of the sources."""
    cached = [provenance.closure_hash, provenance._source]
    if files_too:
        cached += [provenance._file, provenance._root, provenance._is_followed]
    for function in cached:
        function.cache_clear()


def loaded(place: Path, runs: list[RunConfig]) -> dict[str, dict[str, Path]]:
    """Per constructor the modules that Python itself loads for a run, with their files."""
    asked = [(run.constructor, provenance.reader_module(run.dataset)) for run in runs]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, json.dumps(asked)],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return {c: {n: Path(f).resolve() for n, f in m.items()} for c, m in found.items()}


def other_number(text: str, dice: random.Random) -> str:
    """Another value for one of the numbers, or one more statement."""
    numbers = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and type(node.value) in (int, float) and text.isascii()
    ]
    if not numbers:
        return text + "\nADDED = 1\n"
    chosen = dice.choice(numbers)
    lines = text.splitlines(keepends=True)
    line = lines[chosen.lineno - 1]
    lines[chosen.lineno - 1] = (
        f"{line[: chosen.col_offset]}{chosen.value + 41}{line[chosen.end_col_offset :]}"
    )
    return "".join(lines)


def other_words(text: str, dice: random.Random) -> str:
    """Another docstring, a comment and empty lines between statements of the top level."""
    tree = ast.parse(text)
    lines = text.splitlines(keepends=True)
    if ast.get_docstring(tree):
        lines[: tree.body[0].end_lineno] = ['"""Changed."""\n']
    tops = [n.lineno for n in ast.parse("".join(lines)).body if not getattr(n, "decorator_list", 0)]
    lines.insert(dice.choice(tops) - 1, '\n# A word with "quotes\n\n')
    return "".join(lines).replace("\n", "  # said\n", 1)


def changed(run: RunConfig, file: Path, text: str) -> bool:
    """Whether ``code_hash`` is another one with this content of one file."""
    before, stored = provenance.code_hash(run), file.read_text()
    file.write_text(text)
    forget()
    after = provenance.code_hash(run)
    file.write_text(stored)
    forget()
    return before != after


def test_what_can_change_a_run_changes_its_hash_and_nothing_else_does(
    place: Path, runs: list[RunConfig]
) -> None:
    dice = random.Random(18)
    every = sorted(place.rglob("*.py"))
    must, must_not = [], []
    imported = loaded(place, runs)
    for run in runs:
        files = imported[run.constructor]
        computing = (*provenance.FOLLOWED, "my_")
        used = sorted({f for n, f in files.items() if n.startswith(computing)})
        unused = [file for file in every if file not in files.values()]
        assert len(used) > 25 and len(unused) > 150
        for file in dice.sample(used, CHANGES):
            must.append(changed(run, file, other_number(file.read_text(), dice)))
            assert must[-1], (run.method, file)
        for file in dice.sample(unused, CHANGES):
            must_not.append(changed(run, file, other_number(file.read_text(), dice)))
            assert not must_not[-1], (run.method, file)
        for file in dice.sample(used, CHANGES // 2):
            must_not.append(changed(run, file, other_words(file.read_text(), dice)))
            assert not must_not[-1], (run.method, file)
    assert sum(must) >= 20 and len(must_not) >= 20


@pytest.mark.parametrize("name", ["my_net.py", "my_parts.py"])
def test_a_custom_network_counts_with_the_files_beside_it(
    place: Path, runs: list[RunConfig], name: str
) -> None:
    text = (place / name).read_text().replace("16", "24")
    assert [changed(run, place / name, text) for run in runs] == [False, False, True]
    assert not any(changed(run, place / "my_other.py", text) for run in runs)


@pytest.mark.parametrize(
    ("file", "follow"),
    [
        ("training/losses.py", [True, True, True]),
        ("models/layers.py", [True, True, False]),
        ("datasets/sars_cov2_ct.py", [True, False, False]),
        ("datasets/class_folders.py", [False, False, True]),
        ("datasets/download/http.py", [False, False, False]),
        ("training/browse.py", [False, False, False]),
        ("models/onnx_export.py", [False, False, False]),
        ("datasets/phantom/sars_cov2_ct.py", [False, False, False]),  # its source_id follows it
    ],
)
def test_which_runs_follow_a_module(
    place: Path, runs: list[RunConfig], file: str, follow: list[bool]
) -> None:
    path = place / "mednext" / file
    text = path.read_text() + "\nADDED = 1\n"
    assert [changed(run, path, text) for run in runs] == follow


def test_a_new_method_or_data_set_changes_no_other_run(place: Path, runs: list[RunConfig]) -> None:
    before = [provenance.code_hash(run) for run in runs]
    (place / "mednext/models/baselines/new_net.py").write_text("WIDTH = 1\n")
    (place / "mednext/datasets/new_set.py").write_text("WIDTH = 1\n")
    methods = place / "benchmarks/methods.yaml"
    methods.write_text(methods.read_text() + "\n# one more\n")
    forget(files_too=True)
    assert [provenance.code_hash(run) for run in runs] == before


def test_a_network_that_is_not_there_is_named(runs: list[RunConfig]) -> None:
    lost = runs[2].model_copy(update={"constructor": "no_such_net:build"})
    with pytest.raises(UserError, match=r"no_such_net\.py in the working folder"):
        provenance.code_hash(lost)


def parts(text: str, module: str = "net.part", package: bool = False) -> tuple[list[str], str]:
    found = provenance.read_source(text.encode(), module, package)
    return list(found.imports), found.code.decode()


def test_comments_and_docstrings_are_no_code_and_strings_are() -> None:
    text = '''"""Module."""
x = "#1"  # one
y = """#2
# not a comment

end"""

class A:
    """Class."""

    z: int = 3
    """Attribute."""

    def f(self):  # é
        """Function."""
        return f"{self.z}#3"
'''
    code = """
x = "#1"
y = \"\"\"#2
# not a comment

end\"\"\"
class A:
    z: int = 3
    def f(self):
        return f"{self.z}#3"
"""
    assert parts(text)[1] == code.lstrip("\n")


def test_every_way_to_import_is_seen_but_for_the_type_checker() -> None:
    text = "import a.b\nfrom c import d\nfrom . import e\nfrom ..f import g\n"
    text += "if TYPE_CHECKING:\n    import h\ntry:\n    import i\nexcept E:\n    import j\n"
    text += "def k():\n    with l:\n        import m\n"
    imports = parts(text, "top.net.part")[0]
    assert imports == sorted(
        ["a.b", "c", "c.d", "i", "j", "m", "top.f", "top.f.g", "top.net", "top.net.e"]
    )
    assert parts("from . import e\n", "net", package=True)[0] == ["net", "net.e"]


def test_every_method_is_known_by_code_of_its_own(runs: list[RunConfig]) -> None:
    """Ablations share their modules with what they are ablations of; other families do not."""
    names = ("mednext", "resnet18", "sparse_mlp", "patch_cnn", "swin_v2")
    hashes = {
        name: provenance.code_hash(
            runs[0].model_copy(update={"constructor": load_methods()[name].constructor})
        )
        for name in names
    }
    assert len(set(hashes.values())) == len(names)
