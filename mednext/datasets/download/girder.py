"""ACDC's server runs Girder: a folder is delivered as a zip that is made while it is sent.

https://girder.readthedocs.io, ``GET /folder/{id}/download``. Such a zip has neither a size nor a
digest nor parts, so an interrupted download starts again; the content is judged after unpacking.
"""

from __future__ import annotations

from mednext.config import DownloadSpec
from mednext.datasets.download.http import DownloadContext, Policy, ask
from mednext.datasets.download.transfer import Location


def locate(spec: DownloadSpec, context: DownloadContext, policy: Policy) -> Location:
    """The address of the folder's zip; the folder is asked for first, for a clear message.

    Raises:
        UserError: the server does not know the folder, or keeps it to itself.
    """
    folder = f"{spec.server}/api/v1/folder/{spec.id}"
    ask("GET", folder, context=context, policy=policy)
    return Location(f"{folder}/download")
