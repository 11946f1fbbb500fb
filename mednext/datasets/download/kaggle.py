"""Kaggle: its own client (kagglesdk) signs the request and finds the archive, no more.

The client's answer is a redirection to a storage server, whose address, size and MD5 are taken; the
bytes come through :mod:`mednext.datasets.download.transfer`. kagglehub, built on kagglesdk, would
unpack the archive unchecked and delete it. Public data sets need no credentials; those there are,
are found by kagglesdk (``KAGGLE_API_TOKEN``, ``~/.kaggle``), and ``KAGGLE_USERNAME`` with
``KAGGLE_KEY`` is passed on.
"""

from __future__ import annotations

import base64
import os
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from mednext.config import DownloadSpec
from mednext.datasets.download.http import NETWORK, DownloadContext, Policy, RetryableError, check
from mednext.datasets.download.transfer import Location
from mednext.errors import UserError


class _Timed(HTTPAdapter):
    """kagglesdk sends its requests without a time limit."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self._policy = policy

    def send(self, *args: Any, **options: Any) -> requests.Response:
        options["timeout"] = self._policy.timeout
        return super().send(*args, **options)


def locate(spec: DownloadSpec, context: DownloadContext, policy: Policy) -> Location:
    """The storage address of the data set's archive.

    Raises:
        RetryableError: the network or the service failed for now.
        UserError: kagglesdk is missing, or Kaggle refuses.
    """
    try:
        from kagglesdk import KaggleClient
        from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest
    except ImportError:
        raise UserError(
            "the client of Kaggle is not installed",
            expected="the package kagglesdk",
            remedy="pip install 'mednext-plos-benchmark[kaggle]'",
        ) from None
    request = ApiDownloadDatasetRequest()
    request.owner_slug, _, request.dataset_slug = spec.id.partition("/")
    user, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
    with KaggleClient(username=user, password=key) as client:
        session = client.http_client()._session  # no public way to its time limits
        session.mount("https://", _Timed(policy))
        session.mount("http://", _Timed(policy))
        try:
            response = client.datasets.dataset_api_client.download_dataset(request)
        except requests.HTTPError as error:
            if error.response is not None:
                check(error.response, context)
            raise RetryableError(str(error)) from None  # an error told with a good status
        except NETWORK as error:
            raise RetryableError(str(error)) from None
        with response:
            length = response.headers.get("Content-Length", "")
            return Location(
                response.url,
                size=int(length) if length.isdigit() else None,
                md5=stated_md5(response.headers.get("x-goog-hash", "")),
            )


def stated_md5(header: str) -> str | None:
    """Hex MD5 from Google's ``x-goog-hash: crc32c=...,md5=<base64>``, if it is there."""
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "md5":
            return base64.b64decode(value).hex()
    return None
