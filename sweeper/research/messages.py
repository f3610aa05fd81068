"""What goes out and what comes back: one request, one answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from sweeper.research.services import Rate
from sweeper.research.services import Service

_ATTEMPTS = 5
_MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a service.

    Attributes:
        service: Who is asked.
        path: Path behind the service's base URL, or an absolute URL of the same origin.
        params: Query parameters; None values are left out.
        method: HTTP method.
        body: JSON body, or None.
        headers: Further headers.
        age_s: Seconds that an answer from disk may be old; 0 asks always.
        write: Whether it changes something: then it is never sent twice when in doubt.
        account: Whether the service's own credential goes along.
        secret: A credential to send instead of the service's own.
        resource: Name of a rate-limit bucket of its own within the service.
        rate: The rate of that bucket.
        content: Whether it may be redirected to a storage host of the service.
        max_bytes: Where reading stops.
        cut: Whether a longer answer is cut there rather than refused.
        attempts: How often it is tried.
        patience_s: Longest pause before a further try.
    """

    service: Service
    path: str
    params: Mapping[str, str | int | float | None] = field(default_factory=dict)
    method: str = "GET"
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    age_s: float = 0.0
    write: bool = False
    account: bool = True
    secret: str | None = None
    resource: str = ""
    rate: Rate | None = None
    content: bool = False
    max_bytes: int = _MAX_BYTES
    cut: bool = False
    attempts: int = _ATTEMPTS
    patience_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Response:
    """What a service answered, after redirects; its status was a success.

    Attributes:
        url: Where the answer came from in the end.
        headers: The few headers that matter, names in lower case.
        body: The bytes.
        read_at: When they were read, UTC seconds.
        cut: Whether there was more than `max_bytes`.
    """

    url: str
    headers: dict[str, str]
    body: bytes
    read_at: float
    cut: bool = False

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")


def pack(answer: Response) -> bytes:
    """Return an answer as the body of a cache entry."""
    kept = replace(answer, body=b"")
    head = {"url": kept.url, "headers": kept.headers, "cut": kept.cut}
    return json.dumps(head).encode() + b"\n" + answer.body


def unpack(blob: bytes, read_at: float) -> Response:
    """Return the answer in a cache entry that was kept at `read_at`.

    Raises:
        ValueError: It is damaged.
    """
    head, _, body = blob.partition(b"\n")
    values = json.loads(head)
    return Response(values["url"], values["headers"], body, read_at, values["cut"])
