"""What an archive may hold, and that a refused one leaves nothing behind."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mednext.datasets.archive import Limits, unpack
from mednext.datasets.member_names import Names
from mednext.errors import UserError
from mednext.files import publish_folder, scratch_folder

from . import archives as make

LIMITS = Limits(total_bytes=2_000_000, files=50, ratio=100)
PIXELS = bytes(range(256)) * 40


def tree(folder: Path) -> dict[str, bytes]:
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*.png")}


@pytest.mark.parametrize("mode", ["zip", "zip-stored", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_the_files_come_out_as_they_went_in(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "a"  # the ending says nothing: the content decides
    members = make.FILES | {"./plain.png": b"", "deep/er/x.png": PIXELS}
    clutter = {"__MACOSX/COVID/._Covid (1).png": b"x", "COVID/.DS_Store": b"x"}
    if mode.startswith("zip"):
        method = zipfile.ZIP_STORED if mode == "zip-stored" else zipfile.ZIP_DEFLATED
        make.make_zip(file, members | clutter, method)
    else:
        make.make_tar(file, members | clutter, "w:" + mode.partition(".")[2])
    with scratch_folder(tmp_path / "out") as part:
        assert unpack(file, part, LIMITS) == 4
        publish_folder(part, tmp_path / "out")
    expected = {name.removeprefix("./"): content for name, content in members.items()}
    assert tree(tmp_path / "out") == expected
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a", "out"]
    assert not list((tmp_path / "out").rglob(".DS_Store"))


def in_zip(*names: str) -> Callable[[Path], Path]:
    def build(file: Path) -> Path:
        with zipfile.ZipFile(file, "w") as archive:
            for name in names:
                archive.writestr(zipfile.ZipInfo(name), b"" if name.endswith("/") else b"content")
        return file

    return build


def in_tar(*names: str) -> Callable[[Path], Path]:
    def build(file: Path) -> Path:
        with tarfile.open(file, "w") as archive:
            for name in names:
                archive.addfile(tarfile.TarInfo(name))
        return file

    return build


def surrogate_tar(file: Path) -> Path:
    info = tarfile.TarInfo("a\udcff.png")
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(info)
    return file


def text(file: Path) -> Path:
    file.write_text("<html>please log in</html>")
    return file


def empty(file: Path) -> Path:
    file.touch()
    return file


def good_zip(file: Path) -> Path:
    return make.make_zip(file, make.FILES, zipfile.ZIP_STORED)


def good_tar(file: Path) -> Path:
    return make.make_tar(file, make.FILES, "w")


def headless_tar(file: Path) -> Path:
    """The second member's header is overwritten."""
    content = bytearray(good_tar(file).read_bytes())
    content[1024:1536] = b"x" * 512
    file.write_bytes(content)
    return file


def unknown_method(file: Path) -> Path:
    content = good_zip(file).read_bytes()
    place = content.index(b"PK\x01\x02") + 10
    file.write_bytes(content[:place] + b"\x63\x00" + content[place + 2 :])
    return file


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "zip absolute": (in_zip("/etc/passwd"), "absolute path"),
    "tar absolute": (in_tar("/etc/passwd"), "absolute path"),
    "zip drive": (in_zip("C:/windows/x.png"), "absolute path"),
    "zip dotdot": (in_zip("COVID/../../x.png"), "leads out of the folder"),
    "tar dotdot": (in_tar("../x.png"), "leads out of the folder"),
    "tar dotdot inside": (in_tar("a/../b.png"), "leads out of the folder"),
    "zip backslash dotdot": (in_zip("..\\..\\x.png"), "backslash"),
    "tar backslash": (in_tar("COVID\\x.png"), "backslash"),
    "zip link": (lambda f: make.make_special_zip(f, make.LINK), "neither a file nor a folder"),
    "zip device": (lambda f: make.make_special_zip(f, make.DEVICE), "neither a file nor a folder"),
    "zip pipe": (lambda f: make.make_special_zip(f, make.PIPE), "neither a file nor a folder"),
    "tar link": (lambda f: make.make_special_tar(f, tarfile.SYMTYPE), "neither a file nor"),
    "tar hard link": (lambda f: make.make_special_tar(f, tarfile.LNKTYPE), "neither a file nor"),
    "tar device": (lambda f: make.make_special_tar(f, tarfile.CHRTYPE), "neither a file nor"),
    "tar block device": (lambda f: make.make_special_tar(f, tarfile.BLKTYPE), "neither a file nor"),
    "tar pipe": (lambda f: make.make_special_tar(f, tarfile.FIFOTYPE), "neither a file nor"),
    "tar sparse": (lambda f: make.make_special_tar(f, tarfile.GNUTYPE_SPARSE), "remedy"),
    "zip twice": (in_zip("a/x.png", "a/./x.png"), "occurs twice"),
    "tar twice": (in_tar("x.png", "x.png"), "occurs twice"),
    "zip file and folder": (in_zip("a", "a/x.png"), "below another file"),
    "zip folder and file": (in_zip("a/x.png", "a"), "occurs twice"),
    "zip case": (in_zip("COVID/x.png", "COVID/X.png"), "differs from 'COVID/x.png' in case only"),
    "tar case of a folder": (in_tar("COVID/x.png", "covid/y.png"), "differs from 'COVID'"),
    "zip Unicode form": (in_zip("caf\u00e9.png", "cafe\u0301.png"), "in case only"),
    "zip encrypted": (make.encrypted_zip, "encrypted"),
    "zip NUL": (lambda f: make.renamed_zip(f, b"ab.pngX.exe", b"ab.png\0.exe"), "control"),
    "tar newline": (in_tar("a\nb.png"), "control characters"),
    "zip escape": (in_zip("a\x1b[2J.png"), "control characters"),
    "tar not UTF-8": (surrogate_tar, "not valid text"),
    "zip long name": (in_zip("x" * 300 + ".png"), "too long"),
    "tar long path": (in_tar("/".join(["x" * 200] * 6)), "too long"),
    "zip nameless": (in_zip("."), "no name"),
    "zip too many": (in_zip(*(f"{i}.png" for i in range(51))), "more members"),
    "tar too many": (in_tar(*(f"{i}.png" for i in range(51))), "more members"),
    "zip bomb": (lambda f: make.make_zip(f, {"a.png": bytes(1_900_000)}), "compressed more"),
    "tar bomb": (lambda f: make.make_tar(f, {"a.png": bytes(1_900_000)}), "compressed more"),
    "zip too large": (
        lambda f: make.make_zip(f, {"a.png": bytes(2_000_001)}, zipfile.ZIP_STORED),
        "more than this data set",
    ),
    "tar too large": (lambda f: make.make_tar(f, {"a": bytes(2_000_001)}, "w"), "more than this"),
    "zip that lies": (make.lying_zip, "damaged"),
    "zip wrong bytes": (lambda f: make.damaged(good_zip(f), 0.2), "damaged"),
    "zip without its end": (lambda f: make.cut(good_zip(f), 0.7), "damaged"),
    "zip unknown method": (unknown_method, "damaged"),
    "tar cut": (lambda f: make.cut(good_tar(f), 0.06), "damaged"),
    "tar without its end": (lambda f: make.cut(good_tar(f), 0.2), "damaged"),
    "tar overwritten header": (headless_tar, "damaged"),
    "tar.gz cut": (lambda f: make.cut(make.make_tar(f, make.FILES), 0.8), "remedy"),
    "tar.gz wrong bytes": (lambda f: make.damaged(make.make_tar(f, make.FILES), 0.9), "remedy"),
    "tar.xz cut": (lambda f: make.cut(make.make_tar(f, make.FILES, "w:xz"), 0.5), "remedy"),
    "a web page": (text, "not an archive"),
    "nothing": (empty, "not an archive"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_with_one_message_and_no_partial_files(tmp_path: Path, name: str) -> None:
    build, word = HOSTILE[name]
    file = build(tmp_path / "archive.bin")
    with pytest.raises(UserError) as caught, scratch_folder(tmp_path / "out") as part:
        unpack(file, part, LIMITS)
    message = str(caught.value)
    for expected in (word, "archive.bin", "remedy:", "expected:", "found:"):
        assert expected in message, message
    assert [f.name for f in tmp_path.iterdir()] == ["archive.bin"]


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make.make_zip(tmp_path / "a.zip", {"a.png": PIXELS})
    monkeypatch.setattr(
        "mednext.datasets.archive.shutil.disk_usage",
        lambda _: type("Usage", (), {"free": len(PIXELS) - 1}),
    )
    small = pytest.raises(UserError, match=r"disk is too small(.|\n)*MEDNEXT_DATA")
    with small, scratch_folder(tmp_path / "out") as part:
        unpack(file, part, LIMITS)
    assert not (tmp_path / "out").exists()


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("aA.\\/é\u0301 \n"), max_size=8), max_size=6))
def test_whatever_the_names_accepted_paths_are_below_and_distinct(names: list[str]) -> None:
    judge = Names(Path("a.zip"), 10)
    accepted: list[str] = []
    for name in names:
        try:
            accepted.append(judge.add(name, folder=False))
        except UserError:
            continue
    folded = [PurePosixPath(name.casefold()) for name in accepted]
    assert len(set(folded)) == len(folded)
    for path in folded:
        assert path.parts and not path.is_absolute() and ".." not in path.parts
        assert not set(path.parents) & set(folded)
