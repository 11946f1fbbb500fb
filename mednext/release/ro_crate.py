"""``provenance.json`` and ``ro-crate-metadata.json`` of a finished results folder.

The first says who made the numbers: code, configuration, data, machines, time. The second describes
the folder as an RO-Crate 1.1 (https://w3id.org/ro/crate/1.1): every file with its size and SHA-256,
the software that made it, the article it is about.
"""

from __future__ import annotations

import datetime
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mednext import __version__
from mednext.config import Profile, RunConfig, load_datasets, load_methods
from mednext.errors import UserError
from mednext.files import hash_json, sha256_file, write_json
from mednext.layout import results_root
from mednext.provenance import git_state, versions
from mednext.results import RunRecord, read_run
from mednext.runs.resolve import run_name, run_paths

PROVENANCE, CRATE = "provenance.json", "ro-crate-metadata.json"
OF_A_RUN = {
    *("status", "reason", "config_hash", "code_hash", "env_hash", "git_commit", "git_dirty"),
    *("device", "wall_seconds", "weights"),
}
LEFT_OUT = ("work", "logs")
ARTICLE = "https://doi.org/10.1371/journal.pone.0340108"
SOFTWARE = "#mednext-plos-benchmark"
MADE = "#run"


def write_crate(profile: Profile, runs: Sequence[RunConfig]) -> None:
    """Write both files into ``results/<profile>``.

    Raises:
        UserError: a run of the profile has not been made.
    """
    root = results_root(profile.profile)
    records = [(run, read_run(run_paths(run).run_json)) for run in runs]
    if not (root / "metrics.csv").is_file():
        raise UserError(
            "the results are not gathered",
            file=root / "metrics.csv",
            remedy="finish the workflow first",
        )
    write_json(root / PROVENANCE, provenance(profile, records))
    write_json(root / CRATE, crate(profile, root))


def provenance(profile: Profile, records: Sequence[tuple[RunConfig, RunRecord]]) -> dict[str, Any]:
    """Everything behind the numbers of a profile, as plain JSON."""
    commit, dirty = git_state()
    found = [record for _, record in records]
    methods = sorted({run.method for run, _ in records})
    return {
        "profile": profile.model_dump(mode="json"),
        "profile_hash": hash_json(profile.model_dump(mode="json"))[:16],
        "gathered_with": {
            "git_commit": commit,
            "git_dirty": dirty,
            "version": __version__,
            "versions": versions(),
        },
        "code_hashes": sorted({r.code_hash for r in found}),
        "machines": {r.env_hash: {"machine": r.machine, "versions": r.versions} for r in found},
        "data": {
            run.dataset: {
                "source": run.source,
                "source_id": run.source_id,
                "data_hash": record.data_hash,
                "licence": load_datasets()[run.dataset].licence,
                "reference": load_datasets()[run.dataset].reference,
            }
            for run, record in records
        },
        "splits": {f"{run.dataset}/{run.protocol}": record.split_hash for run, record in records},
        "methods": {method: load_methods()[method].source for method in methods},
        "device_seconds": round(sum(r.wall_seconds for r in found), 3),
        "runs": [
            {"run": run_name(run), **record.model_dump(include=OF_A_RUN)} for run, record in records
        ],
    }


def files_of(root: Path) -> list[Path]:
    """The files of a results folder that belong to the crate, relative and sorted."""
    found = (f.relative_to(root) for f in root.rglob("*") if f.is_file())
    return sorted(
        f
        for f in found
        if f.parts[0] not in LEFT_OUT and not f.name.startswith(".") and f.name != CRATE
    )


def crate(profile: Profile, root: Path) -> dict[str, Any]:
    """The RO-Crate's JSON-LD."""
    files = files_of(root)
    sources = sorted({run.source for run in profile.datasets.values()})
    phantom = "phantom" in sources
    # The newest result, not the present: the same folder gives the same crate.
    newest = max(int((root / f).stat().st_mtime) for f in files if f.name != PROVENANCE)
    date = datetime.datetime.fromtimestamp(newest, tz=datetime.UTC).date().isoformat()
    what = "Synthetic data: the numbers say nothing about the article. " if phantom else ""
    entities: list[dict[str, Any]] = [
        {
            "@id": CRATE,
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            "about": {"@id": "./"},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"Results of profile '{profile.profile}'",
            "description": f"{what}Benchmark of the 2D MedNeXt and MedUNeXt. Not for clinical use. "
            f"Source of the data: {', '.join(sources)}.",
            "datePublished": date,
            "license": {"@id": "https://spdx.org/licenses/MIT"},
            "hasPart": [{"@id": _identifier(f)} for f in files],
            "about": {"@id": ARTICLE},
            "mentions": [{"@id": MADE}],
        },
        {
            "@id": ARTICLE,
            "@type": "ScholarlyArticle",
            "name": "MedNeXt for accurate medical image classification and segmentation: A "
            "lightweight transformer-style convolutional neural network",
        },
        {"@id": "https://spdx.org/licenses/MIT", "@type": "CreativeWork", "name": "MIT License"},
        {
            "@id": SOFTWARE,
            "@type": "SoftwareApplication",
            "name": "mednext-plos-benchmark",
            "version": __version__,
        },
        {
            "@id": MADE,
            "@type": "CreateAction",
            "name": f"snakemake --configfile config/{profile.profile}.yaml",
            "instrument": {"@id": SOFTWARE},
            "object": [{"@id": f"#data-{slug}"} for slug in profile.datasets],
            "result": [{"@id": "./"}],
        },
        *(_data(slug) for slug in profile.datasets),
        *(_file(root, f) for f in files),
    ]
    return {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": entities}


def _identifier(file: Path) -> str:
    return quote(file.as_posix())


def _file(root: Path, file: Path) -> dict[str, Any]:
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return {
        "@id": _identifier(file),
        "@type": "File",
        "name": file.name,
        "contentSize": str((root / file).stat().st_size),
        "encodingFormat": kind,
        "sha256": sha256_file(root / file),
    }


def _data(slug: str) -> dict[str, Any]:
    spec = load_datasets()[slug]
    return {
        "@id": f"#data-{slug}",
        "@type": "Dataset",
        "name": spec.name,
        "url": spec.url,
        "citation": spec.reference,
        "usageInfo": f"licence: {spec.licence}",
    }
