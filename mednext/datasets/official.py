"""The original of a data set: downloaded, or dropped by hand, then verified, unpacked, pinned.

Whether it came over the network, as an archive put into ``<MEDNEXT_LOCAL>/<dataset>/`` or as a
folder unpacked there, the same files with the same digests end up in
``data/official/<dataset>/raw/files``, and the same tests decide whether they do.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mednext.config import DownloadSpec, benchmarks_dir, load_downloads, lookup
from mednext.datasets.archive import Limits, NoSpace, check_free, unpack
from mednext.datasets.decode import ENDINGS
from mednext.datasets.download import girder, kaggle, synapse_org
from mednext.datasets.download.http import DownloadContext, Policy
from mednext.datasets.download.lock import (
    Pin,
    check_pin,
    lock_file,
    read_pins,
    record_pin,
    require_writable,
)
from mednext.datasets.download.transfer import Location, download
from mednext.datasets.manifest import Entry
from mednext.datasets.member_names import Names, is_clutter
from mednext.datasets.scan import scan
from mednext.errors import UserError
from mednext.files import (
    exclusive,
    hash_json,
    publish_folder,
    scratch_folder,
    sha256_file,
)
from mednext.layout import DataPaths, local_root

Locate = Callable[[DownloadSpec, DownloadContext, Policy], Location]
SERVICES: dict[str, Locate] = {
    "kaggle": kaggle.locate,
    "girder": girder.locate,
    "synapse": synapse_org.locate,
}
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True)
class Original:
    """One data set's original: where it comes from and where it goes."""

    dataset: str
    spec: DownloadSpec
    lock: Path
    policy: Policy = field(default_factory=Policy)

    @property
    def raw(self) -> Path:
        """``data/official/<dataset>/raw``."""
        return DataPaths("official", self.dataset).raw

    @property
    def files(self) -> Path:
        """The unpacked files; it exists only when they are complete and verified."""
        return self.raw / "files"

    @property
    def archive(self) -> Path:
        """The downloaded archive, which is kept."""
        return self.raw / self.spec.archive

    @property
    def incoming(self) -> Path:
        """Where a person may put the archive or the unpacked folder."""
        return local_root() / self.dataset

    @property
    def context(self) -> DownloadContext:
        """Words for messages about the download."""
        how = f"{self.spec.credentials_how}; terms: {self.spec.terms} ({self.spec.page})"
        hand = (
            f"get it from {self.spec.page} and put the archive or the unpacked folder into "
            f"{self.incoming}"
        )
        return DownloadContext(f"'{self.dataset}' ({self.spec.service})", how, hand)


def original(dataset: str) -> Original:
    """The original of a known data set.

    Raises:
        UserError: ``benchmarks/downloads.yaml`` has no such entry.
    """
    file = benchmarks_dir() / "downloads.yaml"
    spec = lookup("data set to download", dataset, load_downloads(), file)
    return Original(dataset, spec, lock_file())


def bring(which: Original) -> Path:
    """Put the files in place, if they are not; returns their folder.

    After a kill at any moment the same call continues and ends with the same files.

    Raises:
        UserError: it cannot be downloaded, is not an archive that may be unpacked, lacks the data
            set, or differs from what was first verified. Nothing half-done has then the name of
            something complete.
    """
    with exclusive(which.raw, f"'{which.dataset}'"):
        if which.files.is_dir():
            check_pin(which.lock, which.dataset, _measured(which))
            return which.files
        require_writable(which.lock, which.dataset)
        dropped = _dropped(which)
        if dropped is not None:
            _place(which, dropped, None)
            return which.files
        if not which.archive.is_file():
            _download(which)
        try:
            _place(which, which.archive, which.archive if _kept_as_is(which.spec) else None)
        except NoSpace:
            raise
        except UserError:
            which.archive.unlink()  # it would be refused again
            raise
    return which.files


def _measured(which: Original) -> Pin:
    return measure(which.files, which.archive if _kept_as_is(which.spec) else None)


def settle(which: Original) -> None:
    """Record the digests of files that have passed the verification: later deliveries must equal
    them.

    Raises:
        UserError: they differ from what was first verified.
    """
    with exclusive(which.raw, f"'{which.dataset}'"):
        pin = _measured(which)
        check_pin(which.lock, which.dataset, pin)
        record_pin(which.lock, which.dataset, pin)


def discard(which: Original) -> None:
    """Remove files that have not passed it, so that the next 'fetch' brings others."""
    with exclusive(which.raw, f"'{which.dataset}'"):
        DataPaths("official", which.dataset).manifest.unlink(missing_ok=True)
        shutil.rmtree(which.files, ignore_errors=True)
        which.archive.unlink(missing_ok=True)


def measure(root: Path, archive: Path | None) -> Pin:
    """The digests of the files below ``root`` and, where there is one, of their archive."""
    entries = contents(root)
    return Pin(
        contents=hash_json([[e.path, e.bytes, e.sha256] for e in entries]),
        files=len(entries),
        bytes=sum(e.bytes for e in entries),
        archive_sha256=sha256_file(archive) if archive is not None and archive.is_file() else None,
    )


def contents(root: Path) -> list[Entry]:
    """Every file below ``root`` with its digest, by path; the clutter of desktops is left out.

    Raises:
        UserError: a link, a device, or a name that is not accepted in an archive either.
    """
    names = Names(root, most=1_000_000)
    found = []
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root).as_posix()
        if is_clutter(path):
            continue
        if file.is_symlink() or not (file.is_file() or file.is_dir()):
            names.refuse("it is neither a file nor a folder", path)
        names.add(path, folder=file.is_dir())
        if file.is_file():
            found.append(Entry(path, file.stat().st_size, sha256_file(file)))
    return found


def _kept_as_is(spec: DownloadSpec) -> bool:
    """Girder makes a new zip for every download; the others deliver a stored file."""
    return spec.service != "girder"


def _dropped(which: Original) -> Path | None:
    """The archive or folder that a person has put into ``incoming``."""
    if not which.incoming.is_dir():
        return None
    archives = sorted(
        f for f in which.incoming.iterdir() if f.is_file() and f.name.lower().endswith(ARCHIVES)
    )
    folder = _find_top(which.incoming, which.spec.top)
    if len(archives) + (folder is not None) > 1:
        raise UserError(
            f"more than one delivery of '{which.dataset}' lies there",
            file=which.incoming,
            found=", ".join([*(a.name for a in archives), *([str(folder)] if folder else [])]),
            expected="one archive, or the unpacked folder",
            remedy="remove all but one",
        )
    if not archives and folder is None and any(which.incoming.iterdir()):
        print(f"{which.incoming} holds neither an archive nor '{which.spec.top}': not used")
    return archives[0] if archives else folder


def _find_top(root: Path, top: str) -> Path | None:
    """The folder, at most two below ``root``, in which ``top`` lies."""
    for pattern in ("", "*", "*/*"):
        for folder in sorted(root.glob(pattern)) if pattern else [root]:
            if (folder / top).exists():
                return folder
    return None


def _copy(source: Path, part: Path) -> None:
    entries = contents(source)
    check_free(part, sum(e.bytes for e in entries), "copy the data set")
    for entry in entries:
        (part / entry.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / entry.path, part / entry.path)


def _download(which: Original) -> None:
    spec = which.spec
    which.raw.mkdir(parents=True, exist_ok=True)
    check_free(which.raw, spec.archive_bytes + spec.unpacked_bytes, f"fetch '{which.dataset}'")
    pin = read_pins(which.lock).get(which.dataset)
    download(
        lambda: SERVICES[spec.service](spec, which.context, which.policy),
        which.archive,
        context=which.context,
        policy=which.policy,
        sha256=pin.archive_sha256 if pin is not None and _kept_as_is(spec) else None,
        space=spec.archive_bytes,
    )


def _place(which: Original, delivery: Path, stored: Path | None) -> None:
    """Unpack or copy into a temporary folder, compare it with what was first verified, name it.

    ``stored`` is the archive whose digest is worth recording.
    """
    limits = Limits(which.spec.max_unpacked_bytes, which.spec.max_files)
    with scratch_folder(which.files) as part:
        if delivery.is_dir():
            _copy(delivery, part)
        else:
            unpack(delivery, part, limits)
        top = _find_top(part, which.spec.top)
        if top is None:
            raise UserError(
                f"this is not the original of '{which.dataset}'",
                file=delivery,
                found=", ".join(sorted(f.name for f in part.iterdir())[:5]) or "no file",
                expected=f"'{which.spec.top}' at the top, or one or two folders below it",
                remedy=which.context.by_hand,
            )
        _refuse_converted(which, delivery, top)
        check_pin(which.lock, which.dataset, measure(top, stored))
        publish_folder(top, which.files)


def _refuse_converted(which: Original, delivery: Path, top: Path) -> None:
    """A copy in another format would pass for the original, with other pixels.

    Raises:
        UserError: there is an image of another suffix than the original's.
    """
    right = which.spec.suffixes or ENDINGS
    other = [name for name in scan(top, ENDINGS, deep=True) if not name.lower().endswith(right)]
    if other:
        raise UserError(
            f"this is a converted copy of '{which.dataset}', not the original",
            file=delivery,
            found=f"{len(other)} images of another format, e.g. {other[0]}",
            expected=f"images in {', '.join(which.spec.suffixes)}",
            remedy=f"use it with 'source: local', or {which.context.by_hand}",
        )
