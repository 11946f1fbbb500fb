"""What a profile lacks on this machine, how to get it, and why which of its runs would repeat.

Nothing is downloaded, prepared or trained here, and no network is asked.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from mednext.config import DatasetRun, Device, Profile, RunConfig, load_datasets, load_methods
from mednext.config.gpus import LEAST_CAPABILITY, LEAST_DRIVER
from mednext.cost.gpu_state import gpu_states
from mednext.datasets.needs import Need, need_of
from mednext.datasets.official import original
from mednext.datasets.prepare import prepared_key
from mednext.datasets.subsets import split_hash
from mednext.errors import UserError
from mednext.files import sha256_file
from mednext.layout import DataPaths, data_root, results_root
from mednext.provenance import code_hash, env_hash
from mednext.results import RunRecord, read_run
from mednext.runs.resolve import resolve_run, run_name, run_paths

Verdict = Literal["ok", "missing", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    verdict: Verdict
    about: str
    text: str
    remedy: str | None = None

    def __str__(self) -> str:
        line = f"{self.verdict.upper():8}{self.about}: {self.text}"
        return line if self.remedy is None else f"{line}\n        remedy: {self.remedy}"


def examine(profile: Profile) -> list[Finding]:
    """Data, credentials, terms and disk of every data set, folders that are written, GPUs, custom
    networks, then every unfinished run.
    """
    needs = {slug: need_of(slug, run) for slug, run in profile.datasets.items()}
    found = [finding for need in needs.values() for finding in _data(need)]
    found.append(_disk(list(needs.values())))
    found += _folders(profile)
    found += _gpus(profile.device)
    bad = set()
    for slug, run in profile.datasets.items():
        for method in profile.custom_methods.keys() & set(run.methods):
            found.append(_network(slug, run, method))
            bad |= {method} if found[-1].verdict == "missing" else set()
    for slug, run in profile.datasets.items():
        if needs[slug].problem:
            continue  # where the data are is not known, so neither is what a run would read
        for protocol, method, seed in run.cells(profile.seeds):
            if method not in bad:
                found.append(_run(resolve_run(profile, slug, protocol, method, seed)))
    return found


def _data(need: Need) -> Iterator[Finding]:
    if need.problem:
        yield Finding("missing", need.dataset, need.problem)
        return
    if need.source == "phantom":
        yield Finding("ok", need.dataset, "a phantom, made here")
        return
    if need.here:
        yield Finding("ok", need.dataset, f"{need.source} data are on this machine")
        return
    which = original(need.dataset)
    if need.download_bytes == 0:
        yield Finding("ok", need.dataset, f"downloaded, not unpacked yet ({which.archive})")
        return
    if which.spec.service == "kaggle" and find_spec("kagglesdk") is None:
        text = "the package kagglesdk is not installed"
        remedy = "pip install 'mednext-plos-benchmark[kaggle]', or download by hand"
        yield Finding("missing", f"{need.dataset}, client", text, remedy)
    about = "" if need.exact else "about "
    size = f"{about}{need.download_bytes / 1e9:.2f} GB from {need.page}"
    fetch = f"'mednext datasets fetch --dataset {need.dataset}' (the workflow does it, too); or put"
    hand = f"{fetch} the archive or the unpacked folder into {which.incoming}"
    yield Finding("missing", need.dataset, f"not downloaded yet: {size}", hand)
    yield Finding("note", f"{need.dataset}, terms", need.terms, f"read them at {need.page}")
    if need.credentials == "none" or need.credentials_found:
        yield Finding("ok", f"{need.dataset}, credentials", _words(need))
    else:
        verdict: Verdict = "missing" if need.credentials == "required" else "note"
        text = f"none found ({need.credentials})"
        yield Finding(verdict, f"{need.dataset}, credentials", text, need.credentials_how)


def _words(need: Need) -> str:
    return "none needed" if need.credentials == "none" else "found (whether valid, fetching tells)"


def _disk(needs: list[Need]) -> Finding:
    """Downloads that are still to come against the space that is left below MEDNEXT_DATA."""
    wanted = sum(
        n.download_bytes + n.unpacked_bytes for n in needs if n.source == "official" and not n.here
    )
    place = next(p for p in (data_root(), *data_root().absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    text = f"{free / 1e9:.1f} GB free at {place}, {wanted / 1e9:.1f} GB wanted for downloads"
    if free >= wanted:
        return Finding("ok", "disk", text)
    remedy = "make room, or set MEDNEXT_DATA to a folder on a larger disk"
    return Finding("missing", "disk", text, remedy)


def _folders(profile: Profile) -> Iterator[Finding]:
    """May the folders be written: the working folder (Snakemake's notes), results and data?"""
    places = dict.fromkeys((Path.cwd(), results_root(profile.profile), data_root()))
    for place in places:
        there = next(p for p in (place, *place.absolute().parents) if p.exists())
        if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
            text = f"nothing can be written into {there}"
            remedy = "make it writable, copy the checkout to another disk, or set MEDNEXT_DATA and "
            remedy += "MEDNEXT_RESULTS to folders that are"
            yield Finding("missing", f"folder {place}", text, remedy)


def _network(slug: str, run: DatasetRun, method: str) -> Finding:
    """Does a custom network take an image of the data set, and give what its task needs?"""
    import torch

    from mednext.models.registry import create_model

    spec = load_datasets()[slug]
    shape = (2, run.in_chans, run.img_size, run.img_size)
    wanted = (2, spec.num_classes, *(shape[2:] if spec.task == "segmentation" else ()))
    try:
        model = create_model(
            method,
            num_classes=spec.num_classes,
            in_chans=run.in_chans,
            img_size=run.img_size,
        ).eval()
        with torch.no_grad():
            found = getattr(model(torch.zeros(shape)), "shape", "no tensor")
    except Exception as error:  # whatever the code of a user raises
        text = str(error.found if isinstance(error, UserError) else error)
        found = f"{type(error).__name__}: {' '.join(text.split())}"[:300]
    if isinstance(found, torch.Size) and tuple(found) == wanted:
        return Finding("ok", method, f"gives {tuple(found)} for {shape} of '{slug}'")
    found = tuple(found) if isinstance(found, torch.Size) else found
    text = f"the network does not give logits {wanted} for {shape} of '{slug}': {found}"
    remedy = f"correct {load_methods()[method].constructor}, in the folder of the command"
    return Finding("missing", method, text, remedy)


def _gpus(device: Device) -> Iterator[Finding]:
    """Driver, compute capability and division (MIG) of each GPU, where runs may use one."""
    if device == "cpu":
        return
    states = gpu_states()
    if not states:
        verdict: Verdict = "missing" if device == "cuda" else "note"
        remedy = "run on a machine with an NVIDIA GPU and its driver, or write 'device: cpu'"
        yield Finding(verdict, "GPU", "nvidia-smi is not there or shows none", remedy)
    for number, state in enumerate(states):
        about = f"GPU {number}"
        driver = state.driver.partition(".")[0]
        if driver.isdigit() and int(driver) < LEAST_DRIVER:
            text = f"driver {state.driver}; CUDA 13 of the lock needs {LEAST_DRIVER} or later"
            yield Finding("missing", f"{about}, driver", text, "update the driver")
        if state.capability is not None and float(state.capability) < LEAST_CAPABILITY:
            text = f"{state.name}, compute capability {state.capability}"
            remedy = f"the locked wheels need {LEAST_CAPABILITY} or more: use a newer GPU"
            yield Finding("missing", f"{about}, capability", text, remedy)
        capability = state.capability or "unknown"
        text = f"{state.name}, driver {state.driver}, compute capability {capability}"
        yield Finding("ok", about, text)
        if state.mig:
            text = "divided into instances (MIG): a run sees one instance, not the whole GPU"
            yield Finding("note", f"{about}, MIG", text)
        if state.other_processes:
            text = f"{state.other_processes} other processes use it: timings will be disturbed"
            yield Finding("note", f"{about}, use", text)


def _run(run: RunConfig) -> Finding:
    """Is the run finished, or why would it be made (again)?"""
    about = run_name(run)
    paths = run_paths(run)
    if not paths.run_json.exists():
        return Finding("note", about, "would run: it has not been made")
    try:
        record = read_run(paths.run_json)
    except (UserError, ValueError) as error:  # a ValueError for bytes that are no text
        why = str(error).splitlines()[0]
        return Finding("note", about, f"would repeat: its record cannot be read ({why})")
    reasons = list(_reasons(run, record))
    for selection, digest in record.weights.items():
        file = paths.weights(selection)
        if not file.is_file():
            reasons.append(f"its weights '{selection}' are gone")
        elif sha256_file(file) != digest:
            reasons.append(f"its weights '{selection}' are not those that were written")
    if reasons:
        return Finding("note", about, "would repeat: " + "; ".join(reasons))
    if record.status != "ok":
        text = f"{record.status}: {record.reason}; it runs again when the code changes"
        return Finding("note", about, text)
    if record.env_hash != env_hash():
        # No reason to repeat, but one not to expect the same bits.
        return Finding(
            "ok", about, f"finished, on another machine or other versions ({_on(record)})"
        )
    return Finding("ok", about, "finished")


def _on(record: RunRecord) -> str:
    return str(record.machine.get("cpu", "unknown CPU"))


def _reasons(run: RunConfig, record: RunRecord) -> Iterator[str]:
    """What differs between the record and what a run would be now."""
    if record.config_hash != run.config_hash:
        names = ", ".join(_changed(run, record)) or "it was written by another version"
        yield f"the configuration changed ({names})"
    if record.code_hash != code_hash(run):
        yield f"the code changed ({record.code_hash} is now {code_hash(run)})"
    for what, was, now in (
        ("data", record.data_hash, _data_hash(run)),
        ("split", record.split_hash, _split_hash(run)),
    ):
        if now is None:
            yield f"the {what} would be made anew"
        elif was != now:
            yield f"the {what} changed ({was} is now {now})"


def _changed(run: RunConfig, record: RunRecord) -> Iterator[str]:
    """The settings whose values differ: ``epochs 10 -> 20``."""
    now = run.model_dump(mode="json")
    for name in sorted(set(now) | set(record.config)):
        was, value = record.config.get(name), now.get(name)
        if was != value and name != "profile":
            yield f"{name} {was} -> {value}"


def _data_hash(run: RunConfig) -> str | None:
    paths = DataPaths(run.source_id, run.dataset)
    meta = paths.prepared_meta(prepared_key(run.dataset, run.img_size))
    return str(json.loads(meta.read_text())["data_hash"]) if meta.is_file() else None


def _split_hash(run: RunConfig) -> str | None:
    file = DataPaths(run.source_id, run.dataset).split(run.protocol)
    return split_hash(file) if file.is_file() else None


def exit_code(found: list[Finding]) -> int:
    """1 if something is missing without which the profile cannot run."""
    return int(any(finding.verdict == "missing" for finding in found))
