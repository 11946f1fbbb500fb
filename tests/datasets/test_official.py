"""The whole way of an original: network or hand, archive or folder, verified and pinned."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from mednext.datasets.download.lock import check_pin, read_pins, record_pin, require_writable
from mednext.datasets.official import Original, bring, contents, discard, measure, settle
from mednext.errors import UserError
from mednext.files import hash_json

from . import archives as make
from .official_toy import FILES, PLAIN, assert_clean, spec, toy
from .servers import Files, Kaggle, Synapse, serve

ROOT = Path(__file__).resolve().parents[2]


def brought(which: Original) -> Path:
    """Brought and found good, as a fetch and a verification leave it."""
    folder = bring(which)
    settle(which)
    return folder


def test_a_digest_is_recorded_only_of_what_is_verified(
    where: Path, server: tuple[str, Files]
) -> None:
    which = toy(where, server[0])
    bring(which)
    assert not which.lock.exists()
    discard(which)
    assert not which.files.exists() and not which.archive.exists() and not which.lock.exists()


def test_a_converted_copy_is_not_the_original(where: Path) -> None:
    folder = where / "incoming" / "toy"
    for name in ("database/1.webp", "database/2.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"pixels")
    which = toy(where)
    which = replace(which, spec=which.spec.model_copy(update={"suffixes": (".png",)}))
    with pytest.raises(UserError, match=r"converted copy(.|\n)*database/1.webp"):
        bring(which)
    assert not which.files.exists() and not which.lock.exists()


def test_downloaded_unpacked_and_pinned(where: Path, server: tuple[str, Files]) -> None:
    which = toy(where, server[0])
    assert brought(which) == where / "data/official/toy/raw/files"
    assert_clean(which, archive=True)
    pin = read_pins(which.lock)["toy"]
    assert pin.files == 12 and pin.bytes == sum(map(len, PLAIN.values()))
    assert pin.archive_sha256 is None  # Girder makes a new zip each time
    brought(which)
    assert len(server[1].requests) == 1


@pytest.mark.parametrize("form", ["zip", "tar.gz", "folder", "wrapped folder"])
def test_what_is_dropped_by_hand_equals_what_is_downloaded(
    where: Path, server: tuple[str, Files], form: str
) -> None:
    downloaded = toy(where, server[0])
    brought(downloaded)
    pin = read_pins(downloaded.lock)["toy"]
    shutil.rmtree(where / "data")
    folder = where / "incoming" / "toy"
    if form == "zip":
        make.make_zip(folder / "renamed by me.zip", FILES)
    elif form == "tar.gz":
        make.make_tar(folder / "x.tar.gz", FILES)
    else:
        for name, content in (FILES if form == "wrapped folder" else PLAIN).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        (folder / "database" if form == "folder" else folder / "ACDC/database").joinpath(
            ".DS_Store"
        ).touch()
    which = toy(where)  # no server any more
    brought(which)
    assert_clean(which, archive=False)
    assert read_pins(which.lock)["toy"] == pin


def test_a_changed_delivery_names_expected_got_and_remedy(
    where: Path, server: tuple[str, Files]
) -> None:
    brought(toy(where, server[0]))
    pinned = (where / "datasets.lock").read_bytes()
    shutil.rmtree(where / "data")
    changed = FILES | {"ACDC/database/training/patient003/x.nii.gz": b"tampered"}
    make.make_zip(where / "incoming/toy/toy.zip", changed)
    with pytest.raises(UserError) as caught:
        brought(toy(where))
    pin = read_pins(where / "datasets.lock")["toy"]
    message = str(caught.value)
    for word in ("12 files", pin.contents, "expected:", "remove the entry 'toy'"):
        assert word in message
    assert list((where / "data/official/toy/raw").iterdir()) == []
    assert (where / "datasets.lock").read_bytes() == pinned


def test_a_changed_download_is_not_kept(where: Path, server: tuple[str, Files]) -> None:
    which = toy(where, server[0])
    brought(which)
    shutil.rmtree(where / "data")
    server[1].content = make.make_zip(
        where / "o.zip", FILES | {"ACDC/database/n": b""}
    ).read_bytes()
    with pytest.raises(UserError, match="not those that were first verified"):
        brought(which)
    assert list(which.raw.iterdir()) == []


def test_files_that_changed_in_place_are_noticed(where: Path, server: tuple[str, Files]) -> None:
    which = toy(where, server[0])
    brought(which)
    next(which.files.rglob("*.gz")).write_bytes(b"edited")
    with pytest.raises(UserError, match="not those that were first verified"):
        brought(which)


def test_the_lock_file_is_plain_and_sorted(where: Path, server: tuple[str, Files]) -> None:
    which = toy(where, server[0])
    brought(which)
    pin = measure(which.files, None)
    record_pin(which.lock, "acdc", pin)
    text = which.lock.read_text()
    assert text.startswith("# Digests") and list(yaml.safe_load(text)) == ["acdc", "toy"]
    # The digest of the contents, computed here from the files' bytes.
    listed = [[e.path, e.bytes, e.sha256] for e in contents(which.files)]
    assert [e[0] for e in listed] == sorted(PLAIN)
    assert yaml.safe_load(text)["toy"]["contents"] == hash_json(listed)


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        (("contents", "contens"), "bad value at 'contents'"),
        (("files: 12", "files: many"), "bad value at 'files'"),
        (("bytes:", "size: 1\n  bytes:"), "unknown key 'size'"),
    ],
)
def test_a_lock_file_edited_by_hand(
    where: Path, server: tuple[str, Files], edit: tuple[str, str], word: str
) -> None:
    which = toy(where, server[0])
    brought(which)
    text = "\n".join(x for x in which.lock.read_text().splitlines() if not x.startswith("#"))
    which.lock.write_text(text.replace(*edit))
    with pytest.raises(UserError, match=word) as caught:
        check_pin(which.lock, "toy", measure(which.files, None))
    assert "datasets.lock" in str(caught.value)


def test_outside_a_checkout_nothing_is_downloaded(where: Path, server: tuple[str, Files]) -> None:
    which = replace(toy(where, server[0]), lock=where / "_benchmarks" / "datasets.lock")
    with pytest.raises(UserError, match=r"cannot be recorded(.|\n)*in a checkout"):
        brought(which)
    assert server[1].requests == []


def test_a_read_only_lock_is_named(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mednext.datasets.download.lock.os.access", lambda *_: False)
    with pytest.raises(UserError, match=r"no permission to write(.|\n)*writable"):
        require_writable(where / "datasets.lock", "toy")


@pytest.mark.parametrize("service", ["kaggle", "synapse"])
def test_a_service_that_keeps_its_archive_has_its_digest_pinned(
    where: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    content = make.make_zip(tmp_path / "made.zip", FILES).read_bytes()
    monkeypatch.setenv("SYNAPSE_AUTH_TOKEN", "good")
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")
    monkeypatch.setenv("HOME", str(tmp_path))
    if service == "kaggle":
        pytest.importorskip("kagglesdk")
    kind, port = (Kaggle, 7777) if service == "kaggle" else (Synapse, 0)
    with serve(kind, content, port) as (url, files):
        files.faults = [("drop", 100_000)]
        changes = {"service": service, "file_server": url, "path": ("Abdomen", "RawData.zip")}
        changes["id"] = "owner/name" if service == "kaggle" else "syn1"
        which = replace(toy(where), spec=spec(url).model_copy(update=changes))
        brought(which)
        assert_clean(which, archive=True)
        assert read_pins(which.lock)["toy"].archive_sha256 == hashlib.sha256(content).hexdigest()
        # Kaggle's client opens the file once to learn its size and digest.
        assert any(r.get("Range") == "bytes=100000-" for r in files.requests) or service == "kaggle"

        # Other bytes with a right MD5: the publisher has replaced the archive.
        shutil.rmtree(where / "data")
        files.content = make.make_zip(tmp_path / "m.zip", FILES, zipfile.ZIP_STORED).read_bytes()
        files.md5 = hashlib.md5(files.content).hexdigest()
        with pytest.raises(UserError, match=r"not the file it should be(.|\n)*datasets\.lock"):
            brought(which)
        assert list(which.raw.iterdir()) == []


def zip_of(**members: bytes) -> dict[str, bytes]:
    return {f"{name}/x": content for name, content in members.items()}


def test_another_data_sets_archive(where: Path) -> None:
    make.make_zip(where / "incoming/toy/a.zip", zip_of(COVID=b"1", other=b"2"))
    with pytest.raises(UserError, match=r"not the original of 'toy'(.|\n)*COVID, other") as caught:
        brought(toy(where))
    assert "'database' at the top" in str(caught.value)
    assert list((where / "data/official/toy/raw").iterdir()) == []


def test_two_deliveries_are_one_too_many(where: Path) -> None:
    for name in ("a.zip", "b.tar"):
        make.make_zip(where / "incoming/toy" / name, FILES)
    with pytest.raises(UserError, match=r"more than one delivery(.|\n)*a\.zip, b\.tar"):
        brought(toy(where))


def test_a_hostile_dropped_folder(where: Path) -> None:
    folder = where / "incoming/toy/database"
    folder.mkdir()
    (folder / "x").symlink_to("/etc/passwd")
    with pytest.raises(UserError, match=r"neither a file nor a folder(.|\n)*database/x"):
        brought(toy(where))
    assert list((where / "data/official/toy/raw").iterdir()) == []


def test_a_folder_that_holds_something_else_is_said_and_passed(
    where: Path, server: tuple[str, Files], capsys: pytest.CaptureFixture[str]
) -> None:
    (where / "incoming/toy/ACDC_training_volumes").mkdir()
    brought(toy(where, server[0]))
    assert "neither an archive nor 'database': not used" in capsys.readouterr().out


def test_a_broken_download_is_not_kept(where: Path, server: tuple[str, Files]) -> None:
    server[1].content = b"<html>please log in</html>"
    with pytest.raises(UserError, match="not an archive"):
        brought(toy(where, server[0]))
    assert list((where / "data/official/toy/raw").iterdir()) == []


def test_a_full_disk_keeps_the_good_archive(
    where: Path, server: tuple[str, Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    which = toy(where, server[0])
    which.raw.mkdir(parents=True)
    which.archive.write_bytes(server[1].content)
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("mednext.datasets.archive.shutil.disk_usage", lambda _: usage)
    with pytest.raises(UserError, match="disk is too small"):
        brought(which)
    assert [f.name for f in which.raw.iterdir()] == ["toy.zip"]
