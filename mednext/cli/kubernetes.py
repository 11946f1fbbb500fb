"""Jobs of the workflow as Kubernetes jobs, for ``profiles/kubernetes``; it calls ``kubectl``.

``python -m mednext.cli.kubernetes submit|status|cancel`` are the commands of Snakemake's generic
cluster executor. A job runs its script in the working folder, on a volume that all jobs mount.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mednext.errors import UserError


def manifest(script: Path, cpus: int, memory_mb: int, minutes: int, gpus: int) -> dict[str, Any]:
    """The job that runs ``script``.

    Raises:
        UserError: ``MEDNEXT_IMAGE`` is not set.
    """
    image = os.environ.get("MEDNEXT_IMAGE")
    if not image:
        raise UserError(
            "no container image is named",
            found="MEDNEXT_IMAGE is not set",
            expected="an image made from containers/Containerfile",
            remedy="export MEDNEXT_IMAGE=REGISTRY/mednext-plos:TAG",
        )
    amounts: dict[str, str] = {"cpu": str(cpus), "memory": f"{memory_mb}M"}
    if gpus:
        amounts["nvidia.com/gpu"] = str(gpus)
    container = {
        "name": "mednext",
        "image": image,
        "command": ["sh", str(script.resolve())],
        "workingDir": str(Path.cwd()),
        "resources": {"requests": amounts, "limits": amounts},
        "volumeMounts": [
            {"name": "shared", "mountPath": os.environ.get("MEDNEXT_MOUNT", "/mnt/mednext")}
        ],
    }
    claim = os.environ.get("MEDNEXT_CLAIM", "mednext")
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"mednext-{uuid.uuid4().hex[:12]}", "labels": {"app": "mednext"}},
        "spec": {
            "backoffLimit": 0,  # Snakemake tries again, with more memory
            "activeDeadlineSeconds": 60 * minutes,
            "template": {
                "metadata": {"labels": {"app": "mednext"}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [container],
                    "volumes": [{"name": "shared", "persistentVolumeClaim": {"claimName": claim}}],
                },
            },
        },
    }


def state(job: dict[str, Any]) -> str:
    """``running``, ``success`` or ``failed``, as Snakemake wants to hear it."""
    status = job.get("status", {})
    if status.get("succeeded"):
        return "success"
    return "failed" if status.get("failed") else "running"


def kubectl(*words: str, content: str | None = None) -> str:
    """What kubectl prints.

    Raises:
        UserError: kubectl is missing or refuses.
    """
    try:
        done = subprocess.run(  # noqa: S603  a list of words, no shell
            ["kubectl", *words],  # noqa: S607
            input=content,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise UserError(
            "kubectl could not do it",
            found=said.strip()[:300],
            expected=f"an answer to 'kubectl {' '.join(words)}'",
            remedy="check `kubectl auth can-i create jobs`",
        ) from None
    return done.stdout


def main(argv: Sequence[str] | None = None) -> int:
    """One command of the executor."""
    top = argparse.ArgumentParser(prog="python -m mednext.cli.kubernetes")
    verbs = top.add_subparsers(required=True, dest="verb")
    submit = verbs.add_parser("submit")
    for name in ("--cpus", "--memory-mb", "--minutes", "--gpus"):
        submit.add_argument(name, type=int, required=True)
    submit.add_argument("script", type=Path)
    verbs.add_parser("status").add_argument("name")
    verbs.add_parser("cancel").add_argument("names", nargs="+")
    given = top.parse_args(argv)
    try:
        if given.verb == "submit":
            job = manifest(given.script, given.cpus, given.memory_mb, given.minutes, given.gpus)
            kubectl("create", "-f", "-", content=json.dumps(job))
            print(job["metadata"]["name"])
        elif given.verb == "status":
            print(state(json.loads(kubectl("get", "job", given.name, "-o", "json"))))
        else:
            kubectl("delete", "job", "--ignore-not-found", *given.names)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
