"""Synapse (synapse.org) through its REST API, https://rest-docs.synapse.org.

Three calls: ``POST /repo/v1/entity/child`` from name to name below the project, ``GET
/repo/v1/entity/{id}`` for the file's handle, ``POST /file/v1/fileHandle/batch`` for size, MD5 and a
signed address that lasts minutes. The official client, synapseclient, is not used: its requirements
(OpenTelemetry's instrumentation among them) cannot be installed beside the pinned packages.
"""

from __future__ import annotations

import os
from typing import Any

from mednext.config import DownloadSpec
from mednext.datasets.download.http import DownloadContext, Policy, ask
from mednext.datasets.download.transfer import Location

TOKEN = "SYNAPSE_AUTH_TOKEN"  # noqa: S105  the name of a variable


def token() -> str | None:
    """The personal access token, if one is set."""
    return os.environ.get(TOKEN, "").strip() or None


def locate(spec: DownloadSpec, context: DownloadContext, policy: Policy) -> Location:
    """The signed address of the file at ``spec.path`` below the project, with size and MD5.

    Raises:
        UserError: no token, a wrong one, terms not accepted, or no such file.
    """
    secret = token()
    if secret is None:
        raise context.error(
            "needs credentials", found=f"no {TOKEN}", expected="a token", remedy=context.refused
        )
    headers = {"Authorization": f"Bearer {secret}"}

    def call(method: str, url: str, body: object = None) -> Any:
        return ask(method, url, context=context, policy=policy, headers=headers, body=body)

    repository = f"{spec.server}/repo/v1"
    try:
        entity = spec.id
        for name in spec.path:
            wanted = {"parentId": entity, "entityName": name}
            entity = call("POST", f"{repository}/entity/child", wanted)["id"]
        handle = call("GET", f"{repository}/entity/{entity}")["dataFileHandleId"]
        batch = {
            "requestedFiles": [
                {
                    "fileHandleId": handle,
                    "associateObjectId": entity,
                    "associateObjectType": "FileEntity",
                }
            ],
            "includePreSignedURLs": True,
            "includeFileHandles": True,
        }
        answer = call("POST", f"{spec.file_server}/file/v1/fileHandle/batch", batch)
        file = answer["requestedFiles"][0]
        if "failureCode" not in file:
            known = file["fileHandle"]
            return Location(
                file["preSignedURL"], size=known["contentSize"], md5=known["contentMd5"]
            )
    except (KeyError, IndexError, TypeError) as error:
        raise context.error(
            "got an answer of another form",
            found=f"{type(error).__name__}: {error}",
            expected="what Synapse's REST documentation describes",
            remedy="see whether Synapse has changed its API",
        ) from None
    # UNAUTHORIZED is what a valid token gets before the terms are accepted.
    raise context.error(
        "is refused", found=file["failureCode"], expected="access", remedy=context.refused
    )
