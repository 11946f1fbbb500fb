"""Bring one file over HTTP: resumed after any interruption, its digest checked before its name.

The bytes go to ``<name>.part``; beside it ``<name>.part.json`` says which version of which file
they belong to. They are continued only if the server vouches that it still has that version: by an
equal MD5, or by its entity tag (``If-Range``, RFC 9110 section 13.1.5). A server that cannot, or
that ignores ``Range``, sends the file from its beginning.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

from mednext.datasets.archive import check_free
from mednext.datasets.download.http import (
    Backoff,
    DownloadContext,
    Policy,
    RangeRefused,
    RetryableError,
    send,
)
from mednext.errors import UserError
from mednext.files import write_json

BLOCK = 1 << 20


@dataclass(frozen=True)
class Location:
    """Where a service says that the file lies; asked for anew at every attempt, for it expires."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    size: int | None = None
    md5: str | None = None
    """Hex digest that the service states, if it does."""


def download(
    locate: Callable[[], Location],
    target: Path,
    *,
    context: DownloadContext,
    policy: Policy,
    sha256: str | None = None,
    space: int = 0,
) -> None:
    """Write the file to ``target``, which appears complete and checked or not at all.

    Args:
        locate: asks the service; may raise :class:`RetryableError`.
        target: where it goes.
        context: words for messages.
        policy: when to give up.
        sha256: digest that the file must have, if it is known.
        space: bytes that must be free where the service does not state the size.

    Raises:
        UserError: refused, given up, wrong digest, or no space; after a wrong digest nothing is
            kept, otherwise the part, which the next call continues.
    """
    part = Part(target)
    backoff = Backoff(policy, context)
    corrupt = False
    while True:
        try:
            location = locate()
            _transfer(location, part, space, context, policy)
            wrong = part.mismatch(location.md5, sha256)
            if wrong is None:
                part.finish()
                return
            part.drop()
            # A first mismatch may come from the way; a second, or one against the digest recorded
            # here when the service's own digest was right, does not.
            found, expected = wrong
            if corrupt or (location.md5 is not None and expected.startswith("sha256")):
                raise context.error(
                    "is not the file it should be",
                    found=found,
                    expected=expected,
                    remedy="if the publisher has replaced the archive, look at the new one and "
                    "remove this data set's entry from benchmarks/datasets.lock",
                )
            corrupt = True
            raise RetryableError(f"wrong digest: {found} instead of {expected}")
        except RetryableError as failure:
            backoff.wait(failure, part.bytes)


class Part:
    """A file on its way, and what is known of the version that it is a part of."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.file = target.with_name(f"{target.name}.part")
        self.note = target.with_name(f"{target.name}.part.json")

    @property
    def bytes(self) -> int:
        """How much is there."""
        return self.file.stat().st_size if self.file.is_file() else 0

    def resume_headers(self, location: Location) -> dict[str, str] | None:
        """Headers that ask for the rest, or None if the part cannot be trusted to fit."""
        if not self.bytes or not self.note.is_file():
            return None
        known = json.loads(self.note.read_text())
        headers = {"Range": f"bytes={self.bytes}-"}
        if known["md5"] is not None and known["md5"] == location.md5:
            return headers
        if known["etag"] is not None:
            return headers | {"If-Range": known["etag"]}
        return None

    def begin(self, location: Location, etag: str | None) -> None:
        """Start from the beginning."""
        self.drop()
        self.target.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.note, {"etag": etag, "md5": location.md5})

    def drop(self) -> None:
        """Remove what is there."""
        self.file.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def mismatch(self, md5: str | None, sha256: str | None) -> tuple[str, str] | None:
        """Found and expected digest, if one of the complete file (as on the disk) is wrong."""
        for name, expected in (("md5", md5), ("sha256", sha256)):
            if expected is None:
                continue
            with self.file.open("rb") as stream:
                found = hashlib.file_digest(stream, name).hexdigest()
            if found != expected:
                return f"{name} {found}", f"{name} {expected}"
        return None

    def finish(self) -> None:
        """Give the file its name."""
        with self.file.open("rb") as stream:
            os.fsync(stream.fileno())
        self.file.replace(self.target)
        self.note.unlink(missing_ok=True)


def _transfer(
    location: Location, part: Part, space: int, context: DownloadContext, policy: Policy
) -> None:
    """One request; the part grows until it is complete or the connection fails."""
    headers = {"Accept-Encoding": "identity"} | location.headers
    resume = part.resume_headers(location)
    if resume and part.bytes == location.size and location.md5:
        return  # killed between the last byte and the digest
    try:
        response = send(
            "GET",
            location.url,
            context=context,
            headers=headers | (resume or {}),
            stream=True,
            timeout=policy.timeout,
        )
    except RangeRefused:
        part.drop()
        raise RetryableError("the server cannot continue the file") from None
    with response:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise context.error(
                "arrives in another encoding",
                found=response.headers["Content-Encoding"],
                expected="the bytes of the archive",
                remedy="check that no proxy stands in between",
            )
        start, total = _extent(response, location)
        if response.status_code != 206:
            part.begin(location, _strong_etag(response))
        elif start != part.bytes:
            part.drop()
            raise RetryableError(f"the server continues at byte {start}")
        part.target.parent.mkdir(parents=True, exist_ok=True)
        check_free(part.target.parent, (total or space) - part.bytes, f"download {context.what}")
        _write(response, part, total)
    if total is not None and part.bytes != total:
        reached = part.bytes
        if reached > total:
            part.drop()
        raise RetryableError(f"{reached} of {total} bytes arrived")


def _write(response: requests.Response, part: Part, total: int | None) -> None:
    with (
        part.file.open("ab") as sink,
        tqdm(
            total=total,
            initial=part.bytes,
            unit="B",
            unit_scale=True,
            desc=part.target.name,
            disable=None,
        ) as bar,
    ):
        try:
            # read1 gives what has arrived; a fixed amount would be lost at a break.
            while block := response.raw.read1(BLOCK):
                sink.write(block)
                bar.update(len(block))
        except urllib3.exceptions.HTTPError as error:
            raise RetryableError(f"the connection broke ({error})") from None
        except OSError as error:
            raise UserError(
                "the archive cannot be written",
                file=part.file,
                found=error.strerror,
                remedy="free some space, or set MEDNEXT_DATA to a writable folder",
            ) from None


def _extent(response: requests.Response, location: Location) -> tuple[int, int | None]:
    """First byte of the answer, and size of the whole file where it is known."""
    if response.status_code == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if match is None:
            raise RetryableError("the server sends a part without saying which")
        return int(match[1]), location.size if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length")
    return 0, int(length) if length is not None and length.isdigit() else location.size


def _strong_etag(response: requests.Response) -> str | None:
    """A weak tag does not vouch for equal bytes (RFC 9110, 8.8.1)."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else None
