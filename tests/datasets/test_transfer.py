"""One file over HTTP from servers that drop, stall, refuse and lie."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest

from mednext.datasets.archive import NoSpace
from mednext.datasets.download.http import DownloadContext, Policy
from mednext.datasets.download.transfer import Location, download
from mednext.errors import UserError

from .servers import Files, Handler, serve

CONTENT = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
CONTEXT = DownloadContext("'toy' (girder)", "log in", "put it into data/incoming/toy")
QUICK = Policy(attempts=4, first_wait=0.01, longest_wait=0.05, longest_pause=2, read=0.5)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Files]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serve(Handler, CONTENT) as (url, files):
        yield url, files


def fetch(
    url: str,
    folder: Path,
    *,
    md5: str | None = None,
    size: int | None = None,
    sha: str | None = None,
) -> Path:
    target = folder / "a.zip"
    where = Location(f"{url}/file", size=size, md5=md5)
    download(lambda: where, target, context=CONTEXT, policy=QUICK, sha256=sha)
    return target


def assert_done(folder: Path) -> None:
    assert (folder / "a.zip").read_bytes() == CONTENT
    assert [f.name for f in folder.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_plain_download(server: tuple[str, Files], tmp_path: Path, chunked: bool) -> None:
    url, files = server
    files.chunked = chunked
    fetch(url, tmp_path, md5=MD5, sha=hashlib.sha256(CONTENT).hexdigest())
    assert_done(tmp_path)
    assert len(files.requests) == 1


@pytest.mark.parametrize("known", ["etag", "md5"])
def test_dropped_connections_are_resumed(
    server: tuple[str, Files], tmp_path: Path, known: str
) -> None:
    url, files = server
    files.faults = [("drop", 100_000), ("drop", 70_000)]
    files.etag = '"v1"' if known == "etag" else None
    fetch(url, tmp_path, md5=MD5 if known == "md5" else None)
    assert_done(tmp_path)
    assert [r.get("Range") for r in files.requests] == [None, "bytes=100000-", "bytes=170000-"]
    assert files.requests[1].get("If-Range") == ('"v1"' if known == "etag" else None)


def test_more_drops_than_attempts_succeed_as_long_as_each_gains(
    server: tuple[str, Files], tmp_path: Path
) -> None:
    url, files = server
    files.faults = [("drop", 20_000)] * 10
    fetch(url, tmp_path)
    assert_done(tmp_path)
    assert len(files.requests) == 11 > QUICK.attempts


@pytest.mark.parametrize("chunked", [False, True])
def test_a_server_that_ignores_range_starts_again(
    server: tuple[str, Files], tmp_path: Path, chunked: bool
) -> None:
    url, files = server
    files.ranges, files.chunked, files.faults = False, chunked, [("drop", 100_000)]
    fetch(url, tmp_path)
    assert_done(tmp_path)
    assert len(files.requests) == 2


def test_it_gives_up_where_a_server_without_ranges_always_drops(
    server: tuple[str, Files], tmp_path: Path
) -> None:
    url, files = server
    files.ranges, files.faults = False, [("drop", 100_000)] * 20
    with pytest.raises(UserError, match=r"failed 4 times in a row(.|\n)*data/incoming/toy"):
        fetch(url, tmp_path)
    assert not (tmp_path / "a.zip").exists()
    assert len(files.requests) == 4


def test_a_part_without_a_version_is_not_continued(
    server: tuple[str, Files], tmp_path: Path
) -> None:
    url, files = server
    files.etag, files.faults = None, [("drop", 100_000)]
    fetch(url, tmp_path)
    assert_done(tmp_path)
    assert files.bodies == 2


def test_a_weak_etag_does_not_vouch_for_equal_bytes(
    server: tuple[str, Files], tmp_path: Path
) -> None:
    url, files = server
    files.etag, files.faults = 'W/"v1"', [("drop", 100_000)]
    fetch(url, tmp_path)
    assert files.bodies == 2


def test_a_file_that_changed_meanwhile_is_taken_from_its_beginning(
    server: tuple[str, Files], tmp_path: Path
) -> None:
    url, files = server
    other = CONTENT[::-1]
    with pytest.raises(UserError):
        files.faults = [("drop", 100_000), *[("status", 503, {})] * 4]
        fetch(url, tmp_path)
    assert (tmp_path / "a.zip.part").stat().st_size == 100_000
    files.content, files.etag = other, '"v2"'
    fetch(url, tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == other
    assert files.requests[-1]["If-Range"] == '"v1"'


def test_the_next_call_continues(server: tuple[str, Files], tmp_path: Path) -> None:
    url, files = server
    files.faults = [("drop", 250_000), *[("status", 500, {})] * 4]
    with pytest.raises(UserError, match="500"):
        fetch(url, tmp_path)
    fetch(url, tmp_path)
    assert_done(tmp_path)
    assert files.requests[-1]["Range"] == "bytes=250000-"


def test_a_complete_part_is_only_checked(server: tuple[str, Files], tmp_path: Path) -> None:
    url, files = server
    fetch(url, tmp_path, md5=MD5, size=len(CONTENT))
    (tmp_path / "a.zip").rename(tmp_path / "a.zip.part")
    (tmp_path / "a.zip.part.json").write_text(f'{{"etag": null, "md5": "{MD5}"}}')
    fetch(url, tmp_path, md5=MD5, size=len(CONTENT))
    assert_done(tmp_path)
    assert len(files.requests) == 1


def test_a_complete_part_without_digest_is_fetched_again(
    server: tuple[str, Files], tmp_path: Path
) -> None:
    url, files = server
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    (tmp_path / "a.zip.part.json").write_text('{"etag": "\\"v1\\"", "md5": null}')
    fetch(url, tmp_path)  # 416, then from the beginning
    assert_done(tmp_path)
    assert len(files.requests) == 2


def test_a_part_that_begins_elsewhere_is_not_appended(
    server: tuple[str, Files], tmp_path: Path
) -> None:
    url, files = server
    files.faults = [("drop", 100_000), ("shifted",)]
    fetch(url, tmp_path)
    assert_done(tmp_path)


def test_wrong_bytes_once_are_fetched_again(server: tuple[str, Files], tmp_path: Path) -> None:
    url, files = server
    files.faults = [("wrong", len(CONTENT))]
    fetch(url, tmp_path, md5=MD5)
    assert_done(tmp_path)
    assert files.bodies == 2


@pytest.mark.parametrize("digest", ["md5", "sha256"])
def test_wrong_bytes_twice_are_refused_and_removed(
    server: tuple[str, Files], tmp_path: Path, digest: str
) -> None:
    url, files = server
    files.faults = [("wrong", len(CONTENT))] * 2
    right = hashlib.new(digest, CONTENT).hexdigest()
    wrong = hashlib.new(digest, bytes(len(CONTENT))).hexdigest()
    with pytest.raises(UserError) as caught:
        fetch(url, tmp_path, **{digest[:3]: right} if digest == "sha256" else {"md5": right})
    for word in (f"found:    {digest} {wrong}", f"expected: {digest} {right}", "datasets.lock"):
        assert word in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_replaced_archive_is_not_fetched_twice(server: tuple[str, Files], tmp_path: Path) -> None:
    url, files = server  # what the server says is right, and not what was recorded
    with pytest.raises(UserError, match="not the file it should be"):
        fetch(url, tmp_path, md5=MD5, sha="0" * 64)
    assert len(files.requests) == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, ["is refused", "log in", "401 said so"]),
        (403, ["is refused", "log in", "403"]),
        (404, ["leads nowhere", "downloads.yaml"]),
        (410, ["leads nowhere"]),
        (400, ["is refused", "400 said so"]),
    ],
)
def test_definite_answers_end_it_at_once(
    server: tuple[str, Files], tmp_path: Path, status: int, words: list[str]
) -> None:
    url, files = server
    files.faults = [("status", status, {})]
    with pytest.raises(UserError) as caught:
        fetch(url, tmp_path)
    for word in [*words, "data/incoming/toy"]:
        assert word in str(caught.value)
    assert len(files.requests) == 1 and list(tmp_path.iterdir()) == []


def test_too_many_requests_are_waited_for(server: tuple[str, Files], tmp_path: Path) -> None:
    url, files = server
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    files.faults = [("status", 429, {"Retry-After": "1"}), ("status", 503, {"Retry-After": date})]
    begun = time.monotonic()
    fetch(url, tmp_path)
    assert_done(tmp_path)
    assert time.monotonic() - begun >= 1.0


def test_too_long_a_pause_is_said(server: tuple[str, Files], tmp_path: Path) -> None:
    url, files = server
    files.faults = [("status", 429, {"Retry-After": "3600"})]
    with pytest.raises(UserError, match=r"put off(.|\n)*wait 3600 seconds"):
        fetch(url, tmp_path)


def test_a_silent_server_is_left_and_asked_again(server: tuple[str, Files], tmp_path: Path) -> None:
    url, files = server
    files.faults = [("stall", 1.0)]
    fetch(url, tmp_path)
    assert_done(tmp_path)


def test_a_slow_server_is_not_silent(server: tuple[str, Files], tmp_path: Path) -> None:
    url, files = server
    files.pace = 0.2  # five blocks: longer than the time limit between two of them in total
    fetch(url, tmp_path)
    assert_done(tmp_path)
    assert len(files.requests) == 1


def test_nobody_there(tmp_path: Path) -> None:
    with serve(Handler, b"") as (url, _):
        pass
    with pytest.raises(UserError, match=r"failed 4 times in a row(.|\n)*check the network"):
        fetch(url, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_encoded_answer_is_refused(server: tuple[str, Files], tmp_path: Path) -> None:
    url, files = server
    files.faults = [("encoded",)]
    with pytest.raises(UserError, match=r"another encoding(.|\n)*gzip"):
        fetch(url, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_space(
    server: tuple[str, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": len(CONTENT) - 1})
    monkeypatch.setattr("mednext.datasets.archive.shutil.disk_usage", lambda _: usage)
    with pytest.raises(NoSpace, match="MEDNEXT_DATA"):
        fetch(server[0], tmp_path)
    assert not (tmp_path / "a.zip").exists()
