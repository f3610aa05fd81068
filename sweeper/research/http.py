"""One careful HTTP client for all services.

It answers from disk while it may, waits for its turn, retries what can be retried within the
time of this call, follows redirects only to hosts of the same service, and sends a credential
to the origin it belongs to and nowhere else. `httpx` is imported when the first request leaves.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING
from typing import TypeVar
from urllib.parse import urlencode
from urllib.parse import urljoin

from sweeper.research import fields
from sweeper.research import verdicts
from sweeper.research.cache import Cache
from sweeper.research.cache import identity
from sweeper.research.cache import key_of
from sweeper.research.faults import BusyError
from sweeper.research.faults import DownError
from sweeper.research.faults import ForbiddenError
from sweeper.research.faults import NotSentError
from sweeper.research.faults import ResearchError
from sweeper.research.faults import SilentError
from sweeper.research.faults import StrangeAnswerError
from sweeper.research.faults import UsageError
from sweeper.research.faults import WriteUnknownError
from sweeper.research.messages import Request
from sweeper.research.messages import Response
from sweeper.research.messages import pack
from sweeper.research.messages import unpack
from sweeper.research.pace import Clock
from sweeper.research.pace import Pace
from sweeper.research.redaction import redact
from sweeper.research.services import ALL
from sweeper.research.services import LOOPBACK
from sweeper.research.services import Accounts
from sweeper.research.services import host_matches
from sweeper.research.services import knob
from sweeper.research.services import origin

if TYPE_CHECKING:
    import ssl

    import httpx

T = TypeVar("T")

DEFAULT_TIMEOUT_S = 100.0
_ATTEMPTS = 5
_ATTEMPTS_AT_SILENCE = 2
_ATTEMPTS_AT_NONSENSE = 2
_REDIRECTS = 5
_KEPT_HEADERS = (
    "content-type",
    "content-length",
    "content-encoding",
    "content-range",
    "link",
    "x-linked-size",
    "x-repo-commit",
)


class Client:
    """Asks services on behalf of one call of a script.

    Args:
        timeout_s: Seconds that the whole call may take; default from the environment, else 100.
        fresh: Whether answers from disk are passed over (they are still kept).
        quiet: Whether progress is kept from stderr.
        clock: Tells the time and waits.
    """

    def __init__(
        self,
        *,
        timeout_s: float | None = None,
        fresh: bool = False,
        quiet: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.accounts = Accounts()
        self.cache = Cache()
        self.fresh = fresh
        self.quiet = quiet
        self.pace = Pace(clock=self.clock)
        self.deadline = self.clock.now() + (
            timeout_s or knob("SWEEPER_RESEARCH_TIMEOUT_S", DEFAULT_TIMEOUT_S)
        )
        #: When the oldest part of what was read here was read, UTC seconds.
        self.oldest_at: float | None = None
        self._backoff_s = knob("SWEEPER_RESEARCH_BACKOFF_S", 1.0)
        self._http: httpx.Client | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        if self._http is not None:
            self._http.close()

    def say(self, text: str) -> None:
        """Report progress on stderr."""
        if not self.quiet:
            print(redact(text, self.accounts.secrets()), file=sys.stderr, flush=True)

    def json(self, request: Request, parse: Callable[[object], T]) -> T:
        """Ask, decode JSON and return what `parse` makes of it; only then it is kept."""
        where = request.service.title
        return self.fetch(request, lambda answer: parse(fields.decode(answer.body, where)))

    def derived(
        self, parts: tuple[object, ...], age_s: float, build: Callable[[], dict[str, object]]
    ) -> dict[str, object]:
        """Return what `build` makes, from disk while that is younger than `age_s`.

        For what is dear to compute from an answer, such as the sections of a paper.
        """
        bases = [self.accounts.base(service) for service in ALL]
        key = key_of("derived", *parts, bases)
        entry = None if self.fresh else self.cache.load(key, age_s)
        if entry is not None:
            self._note(entry[0])
            known: dict[str, object] = json.loads(entry[1])
            return known
        value = build()
        self.cache.keep(key, json.dumps(value).encode())
        return value

    def fetch(self, request: Request, parse: Callable[[Response], T]) -> T:
        """Ask and return what `parse` makes of the answer; only then it is kept on disk.

        Args:
            request: What is asked.
            parse: Turns the answer into a value, or raises `StrangeAnswerError`.

        Raises:
            ResearchError: With the reason and what to do.
        """
        key = self._key(request)
        known = self._from_disk(key, request, parse)
        if known is not None:
            return known[0]
        return self._tries(request, key, parse)

    def _tries(self, request: Request, key: str, parse: Callable[[Response], T]) -> T:
        tried: dict[type[ResearchError], int] = {}
        while True:
            try:
                self._take_turn(request)
                known = self._from_disk(key, request, parse)  # another process may have asked
                if known is not None:
                    return known[0]
                answer = self._send(request)
                value = parse(answer)
            except (BusyError, DownError, StrangeAnswerError) as exc:
                self._pause(request, exc, tried)
                continue
            self._note(answer.read_at)
            if request.age_s > 0 and not request.write:
                self.cache.keep(key, pack(answer))
            return value

    def _pause(
        self, request: Request, exc: ResearchError, tried: dict[type[ResearchError], int]
    ) -> None:
        """Wait before the next try, or give up by raising `exc`."""
        tried[type(exc)] = tried.get(type(exc), 0) + 1
        limits = {DownError: _ATTEMPTS, StrangeAnswerError: _ATTEMPTS_AT_NONSENSE}
        limit = min(request.attempts, limits.get(type(exc), _ATTEMPTS))
        if isinstance(exc, SilentError):
            limit = min(limit, _ATTEMPTS_AT_SILENCE)
        if request.write and not isinstance(exc, BusyError | NotSentError):
            raise exc
        count = sum(tried.values())
        pause_s = self._backoff_s * 2 ** (count - 1)
        pause_s *= 1 + os.urandom(1)[0] / 1024  # up to a quarter more, so that callers part
        if isinstance(exc, BusyError):
            pause_s = max(pause_s, exc.wait_s)
        too_long = pause_s > request.patience_s or self.clock.now() + pause_s > self.deadline
        if count >= limit or too_long:
            raise exc
        self.say(f"{exc.message} Trying again in {pause_s:.0f} s.")
        self.clock.sleep(pause_s)

    def _take_turn(self, request: Request) -> None:
        self._connect()
        rate = request.rate or request.service.rate
        deadline = min(self.deadline, self.clock.now() + request.patience_s)
        self.pace.take(self._bucket(request), rate, deadline)

    def _bucket(self, request: Request) -> str:
        who = identity(request.secret) if request.secret else ""
        base = self.accounts.base(request.service)
        return "|".join([request.service.title, request.resource, who, base])

    def _key(self, request: Request) -> str:
        return key_of(
            self._url(request),
            request.method,
            request.body,
            sorted(request.headers.items()),
            identity(self._secret_for(request)),
            request.max_bytes,
        )

    def _url(self, request: Request) -> str:
        base = self.accounts.base(request.service)
        url = request.path if "://" in request.path else base + request.path
        if origin(url) != origin(base):
            raise StrangeAnswerError(
                f"{request.service.title} pointed to {url}, which is not its own address.",
                hint="Nothing was sent there.",
            )
        query = urlencode({k: v for k, v in request.params.items() if v is not None})
        return f"{url}{'&' if '?' in url else '?'}{query}" if query else url

    def _secret_for(self, request: Request) -> str | None:
        if request.secret is not None:
            return request.secret
        return self.accounts.secret(request.service) if request.account else None

    def _from_disk(
        self, key: str, request: Request, parse: Callable[[Response], T]
    ) -> tuple[T] | None:
        if self.fresh or request.age_s <= 0 or request.write:
            return None
        entry = self.cache.load(key, request.age_s)
        if entry is None:
            return None
        try:
            value = parse(unpack(entry[1], entry[0]))
        except (ValueError, ResearchError):
            return None
        self._note(entry[0])
        return (value,)

    def _note(self, read_at: float) -> None:
        with self._lock:
            self.oldest_at = min(read_at, self.oldest_at or read_at)

    def _connect(self) -> httpx.Client:
        with self._lock:
            if self._http is None:
                import httpx

                self._http = httpx.Client(
                    follow_redirects=False,
                    headers={"User-Agent": "ml-research-sweeper"},
                    limits=httpx.Limits(max_connections=8),
                    verify=_tls(),
                )
            return self._http

    def _send(self, request: Request) -> Response:
        url = self._url(request)
        for _ in range(_REDIRECTS + 1):
            answer, status = self._exchange(request, url)
            if status not in (301, 302, 303, 307, 308):
                return answer
            url = self._next_hop(request, url, status, answer.headers.get("location", ""))
        raise StrangeAnswerError(f"{request.service.title} redirects in a circle.")

    def _next_hop(self, request: Request, url: str, status: int, location: str) -> str:
        target = urljoin(url, location)
        if not location or (request.method != "GET" and status not in (307, 308)):
            raise StrangeAnswerError(f"{request.service.title} redirects to nowhere.")
        if not self._may_follow(request, target):
            raise ForbiddenError(
                f"{request.service.title} redirects to {target}, which is not one of its hosts.",
                hint="Nothing was sent there. If you trust that address, open it yourself.",
            )
        return target

    def _may_follow(self, request: Request, target: str) -> bool:
        base = origin(self.accounts.base(request.service))
        scheme, host, _ = origin(target)
        if origin(target) == base:
            return True
        if request.write:
            return False
        if base[1] in LOOPBACK:  # a double stands for the service; its storage is another port
            return request.content and host in LOOPBACK
        return scheme == "https" and host_matches(host, request.service.hosts)

    def _headers(self, request: Request, url: str) -> dict[str, str]:
        headers = {"Accept": "application/json", **request.headers}
        secret = self._secret_for(request)
        if secret and origin(url) == origin(self.accounts.base(request.service)):
            if request.service.credential == "s2":
                headers["x-api-key"] = secret
            else:
                headers["Authorization"] = f"Bearer {secret}"
        return headers

    def _exchange(self, request: Request, url: str) -> tuple[Response, int]:
        import httpx

        left_s = max(0.5, self.deadline - self.clock.now())
        timeout = httpx.Timeout(min(request.service.timeout_s, left_s))
        content = None if request.body is None else json.dumps(request.body).encode()
        headers = self._headers(request, url)
        if content is not None:
            headers["Content-Type"] = "application/json"
        title = request.service.title
        try:
            with self._connect().stream(
                request.method, url, headers=headers, content=content, timeout=timeout
            ) as raw:
                if (request.rate or request.service.rate).burst == 1:
                    self.pace.arrived(self._bucket(request))
                answer = self._read(request, raw)
                self._judge(request, raw, answer)
                return answer, raw.status_code
        except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
            raise NotSentError(
                f"{title} cannot be reached ({_cause(exc)}).",
                hint=f"Check the connection; {request.service.variable} names its address.",
            ) from exc
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as exc:
            raise UsageError(f"This is no address that can be asked: {url}.") from exc
        except httpx.HTTPError as exc:
            if request.write:
                raise WriteUnknownError(
                    f"{title} was asked, but its answer was lost ({_cause(exc)}).",
                    hint="It may have happened: look before asking again.",
                ) from exc
            kind = SilentError if isinstance(exc, httpx.TimeoutException) else DownError
            raise kind(f"{title} did not answer completely ({_cause(exc)}).") from exc

    def _read(self, request: Request, raw: httpx.Response) -> Response:
        body = bytearray()
        more = False
        for chunk in raw.iter_bytes():
            body += chunk
            if len(body) > request.max_bytes:
                more = True
                break
            if self.clock.now() > self.deadline:
                raise SilentError(f"{request.service.title} answers too slowly.")
        if more and not request.cut and raw.is_success:
            raise ResearchError(
                f"The answer of {request.service.title} is larger than "
                f"{request.max_bytes // 1_000_000} MB.",
                hint="Ask for less of it.",
            )
        names = (*_KEPT_HEADERS, "location")
        headers = {name: raw.headers[name] for name in names if name in raw.headers}
        kept = bytes(body[: request.max_bytes])
        return Response(str(raw.url), headers, kept, self.clock.now(), more)

    def _judge(self, request: Request, raw: httpx.Response, answer: Response) -> None:
        if raw.is_success or raw.status_code in (301, 302, 303, 307, 308):
            return
        exc = verdicts.of_status(
            request.service,
            raw.status_code,
            raw.headers,
            answer.body,
            now=self.clock.now(),
            write=request.write,
        )
        if isinstance(exc, BusyError) and exc.wait_s > 0:
            self.pace.shut(self._bucket(request), self.clock.now() + exc.wait_s)
        raise exc


@cache
def _tls() -> ssl.SSLContext:
    """Return the context of every connection; reading the certificates takes its time."""
    import httpx

    return httpx.create_ssl_context()


def _cause(exc: Exception) -> str:
    return str(exc) or type(exc).__name__
