"""Who made a number: digests of the code and the environment, the commit, the machine.

``code_hash`` is the digest of what a run can depend on, and of nothing else: the modules that
training and prediction, the run's network and its data set's reader import, found from the sources.
Only the folders that compute are followed. What the others contribute is held by other digests:
the configuration's values by ``config_hash``, a phantom's generator by ``source_id``, the images by
``data_hash``, versions by ``env_hash``; files, layout and records cannot change a number. Modules
found by name (networks, readers) are no imports in the sources: each run brings in its own alone.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from mednext.config import RunConfig, reader_module
from mednext.errors import UserError
from mednext.files import hash_json

ENTRY_POINTS = ("mednext.training.train", "mednext.training.evaluate")
FOLLOWED = tuple(f"mednext.{name}" for name in ("models", "training", "datasets", "metrics"))
PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "monai",
    "segmentation-models-pytorch",
    "dynamic-network-architectures",
    "safetensors",
    "numpy",
    "scipy",
    "pandas",
    "pillow",
    "h5py",
    "nibabel",
    "ImageHash",
)
"""What the followed folders import to compute with: the lock only says what should be installed."""
# A string stays as it is; a comment, the space around it and blank lines become one line's end.
_TOKENS = re.compile(
    rb"(\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''"
    rb"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')|(?:[ \t]*(?:#[^\n]*)?\r?\n)+",
    re.DOTALL,
)


def package_dir() -> Path:
    """Folder of the installed ``mednext`` package."""
    return Path(__file__).resolve().parent


def code_hash(run: RunConfig) -> str:
    """First 16 hex digits over the code that ``run`` can depend on; a comment is no part of it.

    Raises:
        UserError: the module of a custom network cannot be found.
    """
    network = run.constructor.partition(":")[0]
    return closure_hash(*ENTRY_POINTS, network, reader_module(run.dataset))


@cache
def closure_hash(*modules: str) -> str:
    """First 16 hex digits over the code of these modules and of all that they import.

    Raises:
        UserError: one of the modules cannot be found.
    """
    digest = hashlib.sha256()
    for module in sorted(closure(*modules)):
        digest.update(module.encode() + b"\0" + _source(module).code + b"\0")
    return digest.hexdigest()[:16]


def closure(*modules: str) -> set[str]:
    """These modules and all that they import, of the followed folders; of a custom network also
    the files beside it.

    Raises:
        UserError: one of the modules cannot be found.
    """
    for module in modules:
        if _file(module) is None:
            raise UserError(
                "the module of a network cannot be found",
                found=module,
                expected=f"{module}.py in the working folder, or an installed package",
                remedy="start the command in the folder that holds the file",
            )
    custom = frozenset(module.partition(".")[0] for module in modules) - {"mednext"}
    found: set[str] = set()
    waiting = [*modules]
    while waiting:
        module = waiting.pop()
        if module not in found and _is_followed(module, custom):
            found.add(module)
            waiting += _source(module).imports
    return found


class Source(NamedTuple):
    """One module: what it imports, and its code without comments and docstrings."""

    imports: tuple[str, ...]
    code: bytes


def read_source(text: bytes, module: str, package: bool) -> Source:
    """Take a module's text apart. Independent of the version of Python, unlike a printed tree.

    >>> read_source(b"import os  # for paths\\n\\nx = 1\\n", "a.b", package=False)
    Source(imports=('a', 'os'), code=b'import os\\nx = 1\\n')
    """
    imports = {module.rpartition(".")[0]}
    starts = [0, *(place.end() for place in re.finditer(rb"\n", text))]
    pieces, end = [], 0
    for node in _statements(ast.parse(text).body):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            base = parts[: len(parts) - node.level + package] if node.level else []
            origin = ".".join([*base, *filter(None, [node.module])])
            imports |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
        elif node.end_lineno is not None and node.end_col_offset is not None:  # a docstring
            pieces.append(text[end : starts[node.lineno - 1] + node.col_offset])
            end = starts[node.end_lineno - 1] + node.end_col_offset
    pieces.append(text[end:])
    code = _TOKENS.sub(lambda found: found[1] or b"\n", b"".join(pieces))
    return Source(tuple(sorted(imports - {""})), code.lstrip(b"\n"))


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Imports and docstrings in the order of the text; not what only a type checker imports."""
    for node in body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, ast.Expr):
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                yield node
        elif not (isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"):
            for name in ("body", "handlers", "orelse", "finalbody", "cases"):
                yield from _statements(getattr(node, name, ()))


@cache
def _source(module: str) -> Source:
    file = _file(module)
    assert file is not None  # it is followed
    if file.suffix != ".py":  # a compiled extension of a custom network
        return Source((), file.read_bytes())
    try:
        return read_source(file.read_bytes(), module, file.name == "__init__.py")
    except (SyntaxError, ValueError) as error:
        raise UserError(
            "the file of a custom network is not valid Python",
            file=file,
            found=str(error),
            remedy="correct the line that is named",
        ) from None


@cache
def _is_followed(module: str, custom: frozenset[str]) -> bool:
    top = module.partition(".")[0]
    if top == "mednext":
        inside = any(f"{module}.".startswith(f"{folder}.") for folder in FOLLOWED)
        return inside and _file(module) is not None
    beside = top in custom or (bool(custom) and _root(top) == Path.cwd())
    return beside and _file(module) is not None


@cache
def _file(module: str) -> Path | None:
    """The file of a module; None for a name within a module, or if there is none."""
    top, *rest = module.split(".")
    root = _root(top)
    if root is None:
        return None
    place = root.joinpath(top, *rest)
    files = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((file for file in files if file.is_file()), None)


@cache
def _root(top: str) -> Path | None:
    """The folder that holds a module or package of the top level."""
    if top == "mednext":
        return package_dir().parent
    try:
        found = importlib.util.find_spec(top)
    except ValueError:  # __main__
        return None
    if found is None or found.origin is None or not Path(found.origin).is_file():
        return None
    origin = Path(found.origin).resolve()
    return origin.parents[1] if found.submodule_search_locations else origin.parent


@cache
def folder_hash(*names: str) -> str:
    """First 16 hex digits over the named files and folders of the package."""
    digest = hashlib.sha256()
    for name in names:
        place = package_dir() / name
        for file in [place] if place.is_file() else sorted(place.rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                digest.update(str(file.relative_to(package_dir())).encode() + b"\0")
                digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    return {"python": platform.python_version(), **{p: metadata.version(p) for p in PACKAGES}}


@cache
def machine() -> dict[str, str | int]:
    """CPU model, its vector instructions, and the number of cores."""
    info: dict[str, str | int] = {"cpu": platform.processor() or platform.machine(), "isa": ""}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        fields = {key.strip(): value.strip() for key, _, value in lines}
        info["cpu"] = fields.get("model name", info["cpu"])
        flags = fields.get("flags", "").split()
        info["isa"] = " ".join(f for f in flags if f.startswith(("avx", "amx")))
    info["cores"] = os.cpu_count() or 1
    return info


def env_hash(gpu: str | None = None) -> str:
    """First 16 hex digits over the versions, the machine's CPU model and instructions, and the GPU
    that the work was done on, if it was one.
    """
    where = {key: value for key, value in machine().items() if key != "cores"}
    if gpu is not None:
        where["gpu"] = gpu
    return hash_json({"versions": versions(), "machine": where})[:16]


def git_state() -> tuple[str | None, bool | None]:
    """Commit and dirty flag, (None, None) outside a checkout; information, not identity."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(  # noqa: S603  fixed words
                ["git", *words],  # noqa: S607
                cwd=package_dir(),
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    if commit is None:
        return None, None
    return commit, bool(git("status", "--porcelain", "--untracked-files=no"))
