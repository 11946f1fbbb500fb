"""What every service shares: which answers are worth another try, how long to wait, what to say."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from mednext.errors import UserError

# Passing states of a server (RFC 9110 section 15, RFC 6585 section 4).
PASSING = {408, 425, 429, 500, 502, 503, 504}
# What requests raises when a connection fails or ends early.
NETWORK = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


@dataclass(frozen=True)
class Policy:
    """When to give up; times in seconds."""

    attempts: int = 6
    """Failures in a row, without a byte gained between them."""
    first_wait: float = 1.0
    """Doubles with every failure in a row."""
    longest_wait: float = 60.0
    longest_pause: float = 600.0
    """The longest Retry-After that is waited for."""
    connect: float = 10.0
    read: float = 60.0
    """Silence of a server after which the connection is given up."""

    @property
    def timeout(self) -> tuple[float, float]:
        """As requests takes it."""
        return self.connect, self.read


@dataclass(frozen=True)
class DownloadContext:
    """What a message about one data set's download says."""

    what: str
    """For example ``ACDC from https://...``."""
    refused: str
    """Remedy if the server wants credentials or consent."""
    by_hand: str
    """The way around the download."""

    def error(self, problem: str, *, found: str, expected: str, remedy: str) -> UserError:
        """The message for ``problem``, with the way around at its end."""
        return UserError(
            f"the download of {self.what} {problem}",
            found=found,
            expected=expected,
            remedy=f"{remedy}; or {self.by_hand}",
        )


class RetryableError(Exception):
    """A failure that may pass; ``pause`` is what the server asks for, in seconds."""

    def __init__(self, why: str, pause: float | None = None) -> None:
        super().__init__(why)
        self.pause = pause


class RangeRefused(Exception):
    """The server has no such part of the file (416)."""


class Backoff:
    """Waits between attempts, longer each time; an attempt that gets further starts it anew."""

    def __init__(self, policy: Policy, context: DownloadContext) -> None:
        self._policy = policy
        self._context = context
        self._failures = 0
        self._furthest = 0

    def wait(self, failure: RetryableError, reached: int = 0) -> None:
        """Sleep before the next attempt; ``reached`` is the position of the transfer in bytes.

        Raises:
            UserError: too many failures in a row, or the server asks for too long a pause.
        """
        if reached > self._furthest:
            self._furthest, self._failures = reached, 0
        self._failures += 1
        if self._failures >= self._policy.attempts:
            raise self._context.error(
                f"failed {self._failures} times in a row",
                found=str(failure),
                expected="an answer",
                remedy="check the network and type the same command again, it continues",
            )
        pause = failure.pause
        if pause is not None and pause > self._policy.longest_pause:
            raise self._context.error(
                "is put off by the server",
                found=f"{failure}: wait {pause:.0f} seconds",
                expected=f"at most {self._policy.longest_pause:.0f} seconds",
                remedy="type the same command again after that time",
            )
        if pause is None:
            doubled = self._policy.first_wait * 2 ** (self._failures - 1)
            pause = min(doubled, self._policy.longest_wait)
        print(f"{failure}; trying again in {pause:.0f} s", file=sys.stderr)
        time.sleep(pause)


def check(response: requests.Response, context: DownloadContext) -> None:
    """Let good answers (below 400) pass.

    Raises:
        RetryableError: the server is busy or broken for now.
        RangeRefused: it has no such part of the file.
        UserError: it wants credentials, knows no such thing, or refuses otherwise.
    """
    status = response.status_code
    if status < 400:
        return
    if status == 416:
        raise RangeRefused
    said = _said(response)
    if status in PASSING:
        raise RetryableError(f"the server answers {said}", _retry_after(response))
    if status in (401, 403):
        raise context.error("is refused", found=said, expected="access", remedy=context.refused)
    if status in (404, 410):
        raise context.error(
            "leads nowhere",
            found=said,
            expected="the archive",
            remedy="check benchmarks/downloads.yaml against the data set's page",
        )
    raise context.error("is refused", found=said, expected="the archive", remedy="try again later")


def ask(
    method: str,
    url: str,
    *,
    context: DownloadContext,
    policy: Policy,
    headers: dict[str, str] | None = None,
    body: object = None,
) -> Any:
    """One call of a JSON API, repeated while failures may pass.

    Raises:
        UserError: as :func:`check`, or the answer is not JSON.
    """
    backoff = Backoff(policy, context)
    while True:
        try:
            response = send(
                method, url, context=context, headers=headers, json=body, timeout=policy.timeout
            )
            return response.json()
        except RetryableError as failure:
            backoff.wait(failure)
        except requests.JSONDecodeError:
            raise context.error(
                "got an answer that is not JSON",
                found=repr(response.text[:100]),
                expected="an answer of the service",
                remedy="check that no proxy or login page stands in between",
            ) from None


def send(method: str, url: str, *, context: DownloadContext, **options: Any) -> requests.Response:
    """``requests.request``; what the network does becomes :class:`RetryableError` or a message."""
    try:
        response = requests.request(method, url, **options)  # noqa: S113  callers give it
    except requests.exceptions.SSLError as error:
        raise context.error(
            "is not secure",
            found=str(error),
            expected="a valid certificate",
            remedy="check the clock, the proxy and REQUESTS_CA_BUNDLE",
        ) from None
    except NETWORK as error:
        raise RetryableError(str(error)) from None
    check(response, context)
    return response


def _said(response: requests.Response) -> str:
    """Status and, where the service explains itself in JSON, its words."""
    words = response.reason or ""
    if "json" in response.headers.get("Content-Type", ""):
        try:
            answer = response.json()
        except (requests.RequestException, ValueError):
            answer = None
        if isinstance(answer, dict):
            words = str(answer.get("message") or answer.get("reason") or words)
    return f"{response.status_code} {words[:300]}".strip()


def _retry_after(response: requests.Response) -> float | None:
    """Seconds asked for, which the header gives as a number or a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
