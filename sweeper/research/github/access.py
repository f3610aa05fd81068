"""Asks GitHub anonymously, then with a token, then with the one `gh` holds.

Public repositories need no account; the anonymous limit of 60 requests an hour does not last, and
private repositories and code search need one. Each step is taken only when the one before was
refused or is used up.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from sweeper.research.faults import BusyError
from sweeper.research.faults import ForbiddenError
from sweeper.research.faults import NotFoundError
from sweeper.research.faults import ResearchError
from sweeper.research.fields import decode
from sweeper.research.http import Client
from sweeper.research.messages import Request
from sweeper.research.messages import Response
from sweeper.research.services import GITHUB
from sweeper.research.services import Rate

T = TypeVar("T")

HOUR_S = 3600.0
JSON = "application/vnd.github+json"
RAW = "application/vnd.github.raw"
# https://docs.github.com/rest/search: 10 searches a minute, 30 with a token, 10 of code.
_RATES = {
    ("", False): Rate(60.0, 60),
    ("", True): Rate(0.8, 500),
    ("search", False): Rate(6.5, 8),
    ("search", True): Rate(2.1, 20),
    ("code", False): Rate(7.0, 8),
    ("code", True): Rate(7.0, 8),
}


def json(
    client: Client,
    path: str,
    parse: Callable[[object], T],
    params: dict[str, str | int | float | None] | None = None,
    *,
    accept: str = JSON,
    resource: str = "",
) -> T:
    """Ask for JSON and return what `parse` makes of it."""
    return fetch(
        client,
        path,
        lambda answer: parse(decode(answer.body, GITHUB.title)),
        params,
        accept=accept,
        resource=resource,
    )


def fetch(
    client: Client,
    path: str,
    parse: Callable[[Response], T],
    params: dict[str, str | int | float | None] | None = None,
    *,
    accept: str,
    resource: str = "",
    age_s: float = HOUR_S,
) -> T:
    """Ask, with as little of an account as suffices.

    Raises:
        ResearchError: What the last step met, or what the first did if there is no other.
    """
    request = Request(
        GITHUB,
        path,
        params or {},
        headers={"Accept": accept, "X-GitHub-Api-Version": "2022-11-28"},
        age_s=age_s,
        account=False,
        resource=resource,
        attempts=3,
        patience_s=20,
    )
    refused: ResearchError | None = None
    for secret in _steps(client):
        rate = _RATES[resource, secret is not None]
        try:
            return client.fetch(replace(request, secret=secret, rate=rate), parse)
        except (BusyError, ForbiddenError, NotFoundError) as exc:
            refused = _weightier(refused, exc)
    assert refused is not None
    raise refused


def _weightier(first: ResearchError | None, second: ResearchError) -> ResearchError:
    """A limit that an account lifts hides nothing; the answer of the account counts."""
    if first is None or not isinstance(second, ForbiddenError):
        return second
    return first


def _steps(client: Client) -> Iterator[str | None]:
    yield None
    token = client.accounts.secret(GITHUB)
    if token:
        yield token
    other = _token_of_gh(client)
    if other and other != token:
        yield other


def _token_of_gh(client: Client) -> str | None:
    program = shutil.which("gh")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "auth", "token"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    token = done.stdout.strip()
    if done.returncode or not re.fullmatch(r"[\w.-]{8,300}", token):
        return None
    client.accounts.learn(token)
    return token
