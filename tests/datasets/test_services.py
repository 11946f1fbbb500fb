"""Girder, Synapse and Kaggle spoken to on loopback."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mednext.config import DownloadSpec, load_downloads
from mednext.datasets.download import girder, kaggle, synapse_org
from mednext.datasets.download.http import DownloadContext, Policy, RetryableError
from mednext.errors import UserError

from .servers import Files, Girder, Kaggle, Synapse, serve

CONTEXT = DownloadContext(
    "'toy'", "set the token and accept the terms", "put it into data/incoming/toy"
)
QUICK = Policy(attempts=3, first_wait=0.01, longest_pause=2, read=0.5)
CONTENT = b"an archive" * 100


@pytest.fixture(autouse=True)
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "SYNAPSE_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")


def spec(dataset: str, **changes: object) -> DownloadSpec:
    return load_downloads()[dataset].model_copy(update=changes)


def test_a_girder_folder_is_one_zip() -> None:
    with serve(Girder, CONTENT) as (url, _):
        found = girder.locate(spec("acdc", server=url, id="f1"), CONTEXT, QUICK)
        assert found.url == f"{url}/api/v1/folder/f1/download"
        assert found.size is None and found.md5 is None


def test_the_real_girder_address_is_the_challenges() -> None:
    acdc = load_downloads()["acdc"]
    assert f"{acdc.server}/api/v1/folder/{acdc.id}/download" == (
        "https://humanheart-project.creatis.insa-lyon.fr/database/api/v1/folder/"
        "637218e573e9f0047faa00fc/download"
    )


def test_an_unknown_girder_folder_says_what_the_server_says() -> None:
    with serve(Girder, CONTENT) as (url, _), pytest.raises(UserError) as caught:
        girder.locate(spec("acdc", server=url, id="f2"), CONTEXT, QUICK)
    assert "400 Invalid folder id (x)." in str(caught.value)


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[DownloadSpec, Files]]:
    monkeypatch.setenv("SYNAPSE_AUTH_TOKEN", "good")
    with serve(Synapse, CONTENT) as (url, files):
        yield spec("synapse", server=url, file_server=url, id="syn1"), files


def test_a_synapse_file_is_found_by_its_path(project: tuple[DownloadSpec, Files]) -> None:
    where, files = project
    found = synapse_org.locate(where, CONTEXT, QUICK)
    assert found.url == f"{where.server}/file/4"
    assert found.size == len(CONTENT)
    assert found.md5 == hashlib.md5(CONTENT).hexdigest()
    # The signed address carries its own authorisation; the token goes to Synapse only.
    assert found.headers == {}
    assert [call[3] for call in files.api_calls] == ["Bearer good"] * 4


def test_without_a_token_nothing_is_asked(
    project: tuple[DownloadSpec, Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, files = project
    monkeypatch.setenv("SYNAPSE_AUTH_TOKEN", " ")
    with pytest.raises(UserError, match=r"needs credentials(.|\n)*accept the terms"):
        synapse_org.locate(where, CONTEXT, QUICK)
    assert files.api_calls == []


def test_a_wrong_token(
    project: tuple[DownloadSpec, Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNAPSE_AUTH_TOKEN", "bad")
    with pytest.raises(UserError, match=r"401 The token is not valid(.|\n)*set the token"):
        synapse_org.locate(project[0], CONTEXT, QUICK)


def test_terms_that_were_not_accepted(project: tuple[DownloadSpec, Files]) -> None:
    where, files = project
    files.md5 = "no"
    with pytest.raises(UserError, match=r"UNAUTHORIZED(.|\n)*accept the terms"):
        synapse_org.locate(where, CONTEXT, QUICK)


def test_a_missing_synapse_file(project: tuple[DownloadSpec, Files]) -> None:
    where = project[0].model_copy(update={"path": ("Abdomen", "Other.zip")})
    with pytest.raises(UserError, match="leads nowhere"):
        synapse_org.locate(where, CONTEXT, QUICK)


@pytest.mark.parametrize(
    "fault", [("status", 429, {"Retry-After": "0"}), ("status", 502, {}), ("stall", 1.0)]
)
def test_passing_failures_of_an_api_pass(
    project: tuple[DownloadSpec, Files], fault: tuple[object, ...]
) -> None:
    where, files = project
    files.api_faults = [fault]
    assert synapse_org.locate(where, CONTEXT, QUICK).size == len(CONTENT)


def test_a_login_page_instead_of_an_answer(project: tuple[DownloadSpec, Files]) -> None:
    where, files = project
    files.api_faults = [("html",)]
    with pytest.raises(UserError, match=r"not JSON(.|\n)*<html>"):
        synapse_org.locate(where, CONTEXT, QUICK)


@pytest.fixture
def shelf() -> Iterator[tuple[DownloadSpec, Files]]:
    """Kaggle's client knows one test address, so these tests cannot run side by side."""
    pytest.importorskip("kagglesdk")
    with serve(Kaggle, CONTENT, port=7777) as (_, files):
        yield spec("sars_cov2_ct", id="owner/name"), files


def test_a_kaggle_archive_needs_no_credentials(shelf: tuple[DownloadSpec, Files]) -> None:
    where, files = shelf
    found = kaggle.locate(where, CONTEXT, QUICK)
    assert found.url == "http://localhost:7777/file/signed"
    assert found.size == len(CONTENT)
    assert found.md5 == hashlib.md5(CONTENT).hexdigest()
    method, path, body, authorization = files.api_calls[0]
    assert (method, path) == ("POST", "/api/v1/datasets.DatasetApiService/DownloadDataset")
    assert body["ownerSlug"] == "owner" and body["datasetSlug"] == "name"
    assert authorization == ""


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({"KAGGLE_API_TOKEN": "secret"}, "Bearer secret"),
        (
            {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "k"},
            "Basic " + base64.b64encode(b"me:k").decode(),
        ),
    ],
)
def test_kaggle_credentials_from_the_environment(
    shelf: tuple[DownloadSpec, Files],
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    header: str,
) -> None:
    where, files = shelf
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    kaggle.locate(where, CONTEXT, QUICK)
    assert files.api_calls[0][3] == header


def test_kaggle_credentials_from_the_home_folder(
    shelf: tuple[DownloadSpec, Files], tmp_path: Path
) -> None:
    where, files = shelf
    folder = tmp_path / "home" / ".kaggle"
    folder.mkdir(parents=True)
    (folder / "access_token").write_text("kept\n")
    kaggle.locate(where, CONTEXT, QUICK)
    assert files.api_calls[0][3] == "Bearer kept"


@pytest.mark.parametrize("status", [401, 403])
def test_kaggle_refuses(shelf: tuple[DownloadSpec, Files], status: int) -> None:
    where, files = shelf
    files.api_faults = [("status", status, {})]
    with pytest.raises(UserError, match=rf"{status} said so(.|\n)*accept the terms"):
        kaggle.locate(where, CONTEXT, QUICK)


def test_kaggle_knows_no_such_data_set(shelf: tuple[DownloadSpec, Files]) -> None:
    with pytest.raises(UserError, match="leads nowhere"):
        kaggle.locate(shelf[0].model_copy(update={"id": "owner/other"}), CONTEXT, QUICK)


def test_kaggle_asks_to_wait(shelf: tuple[DownloadSpec, Files]) -> None:
    where, files = shelf
    files.api_faults = [("status", 429, {"Retry-After": "7"})]
    with pytest.raises(RetryableError) as caught:
        kaggle.locate(where, CONTEXT, QUICK)
    assert caught.value.pause == 7


def test_a_silent_kaggle_is_not_waited_for_for_ever(shelf: tuple[DownloadSpec, Files]) -> None:
    where, files = shelf
    files.api_faults = [("stall", 2.0)]
    with pytest.raises(RetryableError, match="timed out"):
        kaggle.locate(where, CONTEXT, QUICK)
