"""Carry finished runs over to changed code that gives the same numbers.

Some cells of a sweep are trained twice on one machine, with the code of its runs and with that of
today. Where weights and counts per case are equal to the last bit, the runs take today's
``code_hash``, and ``code.csv`` beside them says on whose word.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

from mednext.config import Profile, RunConfig, lookup
from mednext.errors import UserError
from mednext.files import exclusive, hash_json
from mednext.layout import CODE
from mednext.provenance import code_hash
from mednext.results import CodeRow, read_rows, write_rows, write_run
from mednext.runs.export import as_resolved
from mednext.runs.merge import RECORD, Found, check_wanted, runs_in

SAME = ("config_hash", "data_hash", "split_hash")
CHANGED = "older code: the network has changed since"
"""Status of a run that no equal cell can stand for, until it is trained again."""


def carry(
    old: Path, new: Path, reference: Path, profile: Profile, changed: Collection[str] = ()
) -> list[CodeRow]:
    """Compare the cells of two results folders and carry the runs of ``reference`` over.

    Args:
        old: ``results/<profile>`` with cells trained by the code of the runs in ``reference``.
        new: the same cells trained by the code of this checkout, on the same machine.
        reference: exported runs; their ``run.json`` and ``code.csv`` are written.
        profile: they are runs of.
        changed: methods whose networks were corrected in between: their runs stay of the older
            code, and are listed as such.

    Raises:
        UserError: a method is no run's, a cell ended with other numbers, the folders hold different
            cells, or were made with other code, data, settings or machines than they should.
    """
    stored = {run.name: run for run in runs_in(reference)}
    for run in stored.values():
        check_wanted(run, as_resolved(run, profile), profile.profile)
    before, after = ({run.name: run for run in runs_in(folder)} for folder in (old, new))
    if set(before) != set(after) or not set(before) <= set(stored):
        raise UserError(
            "the two folders must hold the same cells of the reference",
            file=new,
            found=", ".join(sorted(after)),
            expected=", ".join(sorted(before)),
        )
    methods = {run.record.config["method"]: run for run in stored.values()}
    for method in changed:
        lookup("method", method, methods)
    for name, run in after.items():
        _check_cell(stored[name], before[name], run)
    _check_tasks(stored, before)
    rows = _rows(stored, before, after, _listed(reference), changed)
    with exclusive(reference, f"the reference of profile '{profile.profile}'"):
        # The list goes first: a run that it does not name has been trained by the code it states.
        write_rows(reference / CODE, CodeRow, rows)
        for row in rows:
            record = stored[row.run].record
            if record.code_hash != row.code_hash_new and row.status != CHANGED:
                update = {"code_hash": row.code_hash_new}
                write_run(stored[row.run].folder / RECORD, record.model_copy(update=update))
    return rows


def _check_cell(stored: Found, before: Found, after: Found) -> None:
    """Refuse a pair of cells that is no evidence for the stored run, or evidence against it."""
    now = code_hash(RunConfig.model_validate(after.record.config))
    # A run that an earlier call has carried over no longer says what its code was.
    was = before.record.code_hash if stored.record.code_hash == now else stored.record.code_hash
    for run, code in ((before, was), (after, now)):
        expected = {"status": "ok", "code_hash": code, "uncommitted changes": False}
        expected |= {name: getattr(stored.record, name) for name in SAME}
        found = {name: getattr(run.record, name) for name in ("status", "code_hash", *SAME)}
        found["uncommitted changes"] = bool(run.record.git_dirty)
        for key, value in (expected | _machine(before)).items():
            here = (found | _machine(run))[key]
            if here != value:
                raise UserError(
                    f"{run.name} cannot stand for the stored run: another {key}",
                    file=run.folder,
                    found=str(here),
                    expected=str(value),
                )
    for what, digest in (("weights", _weights), ("counts per case", _cases)):
        if digest(before) != digest(after):
            raise UserError(
                f"{after.name} ends with other {what} than with the older code",
                file=after.folder,
                found=digest(after),
                expected=digest(before),
                remedy="find the change; if it is meant, export the new runs of all that it "
                "concerns in the place of the stored ones",
            )


def _check_tasks(stored: Mapping[str, Found], cells: Mapping[str, Found]) -> None:
    """Refuse to carry classifiers on the word of segmenters, or the other way round."""
    missing = {run.record.config["task"] for run in stored.values()} - {
        run.record.config["task"] for run in cells.values()
    }
    if missing:
        raise UserError(
            "no cell of this task was trained again",
            found=", ".join(sorted(run.record.config["method"] for run in cells.values())),
            expected=f"also a method of {', '.join(sorted(missing))}",
        )


def _rows(
    stored: Mapping[str, Found],
    before: Mapping[str, Found],
    after: Mapping[str, Found],
    listed: Mapping[str, CodeRow],
    changed: Collection[str],
) -> list[CodeRow]:
    known = {run.record.code_hash for run in before.values()}
    known |= {run.record.git_commit for run in before.values() if run.record.git_commit}
    commits = ", ".join(sorted({str(run.record.git_commit) for run in after.values()}))
    rows = []
    for name, run in sorted(stored.items()):
        record, now = run.record, code_hash(RunConfig.model_validate(run.record.config))
        if record.code_hash == now:
            # Carried before the list was complete, or trained by this very code.
            row = listed.get(name)
            if row is not None and row.code_hash_new == now and row.status != CHANGED:
                rows.append(row)
            continue
        cell, again = before.get(name, run), after.get(name)
        if record.code_hash not in known and record.git_commit not in known:
            raise UserError(
                f"no cell was trained by the code of {name}",
                file=run.folder,
                found=f"code_hash {record.code_hash}, commit {record.git_commit}",
                expected=f"one of {', '.join(sorted(known))}",
            )
        rows.append(
            CodeRow(
                run=name,
                old_commit=cell.record.git_commit,
                new_commit=commits,
                code_hash_old=record.code_hash,
                code_hash_new=now,
                weights_old=_weights(cell),
                weights_new=_weights(again) if again else None,
                cases_old=_cases(cell),
                cases_new=_cases(again) if again else None,
                cpu=str(cell.record.machine.get("cpu", "unknown")),
                status=_status(again, record.config["method"] in changed, len(after)),
            )
        )
    return rows


def _status(again: Found | None, changed: bool, cells: int) -> str:
    if again:
        return "rerun"
    return CHANGED if changed else f"verified by {cells} re-run cells"


def _listed(reference: Path) -> dict[str, CodeRow]:
    """What an earlier call wrote; it may have been killed before it had changed every record."""
    file = reference / CODE
    return {row.run: row for row in read_rows(file, CodeRow)} if file.is_file() else {}


def _machine(run: Found) -> dict[str, object]:
    """What sums depend on besides the code; the versions are those that 0.1 wrote down, too."""
    facts = {name: run.record.machine.get(name) for name in ("cpu", "isa", "gpu")}
    return facts | {name: run.record.versions.get(name) for name in ("python", "torch", "numpy")}


def _weights(run: Found) -> str:
    """Over the values of a cell's weights, by whatever name; of runs without the files, as in the
    reference, over the files' digests."""
    found = {}
    for selection, digest in run.record.weights.items():
        file = run.folder / f"weights.{selection}.safetensors"
        found[selection] = _values(file, digest) if file.is_file() else digest
    return hash_json(found)[:16]


def _values(file: Path, digest: str) -> str:
    """Over what stands behind the header of names, whose length is in the first eight bytes.

    Raises:
        UserError: the file is not the one that the training wrote.
    """
    content = file.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != digest:
        raise UserError(
            "the weights are not those that the training wrote",
            file=file,
            found=found,
            expected=digest,
            remedy="train the cell again",
        )
    return hashlib.sha256(content[8 + int.from_bytes(content[:8], "little") :]).hexdigest()


def _cases(run: Found) -> str:
    """Over the counts per case of every selection, packed or not."""
    digest = hashlib.sha256()
    for selection in run.record.config["selections"]:
        file = run.folder / f"cases.{selection}.csv"
        packed = file.with_name(f"{file.name}.gz")
        digest.update(file.read_bytes() if file.is_file() else gzip.decompress(packed.read_bytes()))
    return digest.hexdigest()[:16]
