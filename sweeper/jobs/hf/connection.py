"""One way to the Hub: the client with timeouts, a namespace, and raw reads of job records.

The real client parses jobs into a record that leaves out `status.cancelReason` and
`failureCount`, so listings are read raw, with the client's own session and headers.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from sweeper.errors import AccountError
from sweeper.jobs.hf import credentials
from sweeper.jobs.hf.credentials import Credentials
from sweeper.jobs.hf.refusals import translated

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CONNECT_S = 5.0
READ_S = 15.0  # connect and read together stay under a lease's 20 s for a POST (LOOP.md 2)
SLOW_READ_S = 45.0  # for what is asked aside, where nobody waits
MAX_CONNECTIONS = 40


@dataclass(frozen=True, slots=True)
class Connection:
    """The Hub, as one token sees it, in one namespace.

    Attributes:
        api: The real client.
        who: Endpoint, token and secrets.
        namespace: User or organisation that runs and pays the jobs.
    """

    api: HfApi
    who: Credentials
    namespace: str

    @property
    def endpoint(self) -> str:
        """Address of the Hub."""
        return self.who.endpoint

    @property
    def jobs(self) -> str:
        """Address of the namespace's jobs."""
        return f"{self.endpoint}/api/jobs/{self.namespace}"

    def headers(self) -> dict[str, str]:
        """Return the headers of every request, the token among them."""
        return dict(self.api._build_hf_headers())

    def read(
        self,
        address: str,
        doing: str,
        query: Sequence[tuple[str, str]] = (),
        *,
        timeout_s: float = READ_S,
    ) -> Any:
        """Return the JSON behind an address.

        Raises:
            UnavailableError: There is no answer at the moment.
            AccountError: The token may not read it.
            ExecutorError: Any other refusal, 404 among them.
        """
        return self._get(address, doing, query, timeout_s)[0]

    def pages(
        self,
        address: str,
        doing: str,
        query: Sequence[tuple[str, str]] = (),
        *,
        timeout_s: float = READ_S,
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a listing, following `Link: rel="next"`; raises as `read`."""
        body, following = self._get(address, doing, query, timeout_s)
        yield body
        while following:
            body, following = self._get(following, doing, (), timeout_s)
            yield body

    def _get(
        self, address: str, doing: str, query: Sequence[tuple[str, str]], timeout_s: float
    ) -> tuple[Any, str | None]:
        import httpx2
        from huggingface_hub import get_session
        from huggingface_hub.utils._http import hf_raise_for_status

        with translated(doing, self.endpoint):
            answer = get_session().get(
                address,
                params=list(query) or None,
                headers=self.headers(),
                timeout=httpx2.Timeout(timeout_s, connect=CONNECT_S),
            )
            hf_raise_for_status(answer)
            return answer.json(), answer.links.get("next", {}).get("url")


def connect(folder: Path | None = None, namespace: str | None = None) -> Connection:
    """Open the way to the Hub.

    Args:
        folder: Folder of program.md, where a `.env` may lie.
        namespace: Fixed by the program; None asks the Hub once for the token's own user.

    Raises:
        AccountError: There is no token, or the Hub refuses it.
        UnavailableError: The Hub is away, or asks to be left alone.
    """
    from huggingface_hub import HfApi

    who = credentials.find(folder)
    token = who.require()
    set_timeouts()
    api = HfApi(endpoint=who.endpoint, token=token, library_name="ml-research-sweeper")
    return Connection(api, who, namespace or own_namespace(api, who))


def own_namespace(api: HfApi, who: Credentials) -> str:
    """Return the name of the token's user.

    The Hub limits this question harshly, so the answer is remembered: in the cache folder, under
    a hash of the token.
    """
    endpoint = who.endpoint
    mark = hashlib.sha256(f"{endpoint} {who.require()}".encode()).hexdigest()[:32]
    place = _cache() / f"namespace-{mark}"
    if known := _read(place):
        return known
    with translated("asking who the token belongs to", endpoint):
        name = api.whoami().get("name")
    if not name:
        raise AccountError(
            "The Hub does not say whose token this is, so no namespace is known.",
            hint="name one under Training: `namespace: …`",
            key="namespace",
        )
    with contextlib.suppress(OSError):  # without a cache the question is asked again
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(str(name))
    return str(name)


def _cache() -> Path:
    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "sweeper"


def _read(place: Path) -> str | None:
    try:
        return place.read_text().strip() or None
    except OSError:
        return None


def set_timeouts() -> None:
    """Give the client's shared session timeouts; by default it waits for ever."""
    from huggingface_hub import set_client_factory

    global _timeouts_set
    if not _timeouts_set:
        set_client_factory(session)
        _timeouts_set = True


_timeouts_set = False


def session() -> Any:
    """Return an HTTP client as `huggingface_hub` makes it, with timeouts."""
    import httpx2
    from huggingface_hub.utils._http import hf_request_event_hook

    return httpx2.Client(
        event_hooks={"request": [hf_request_event_hook]},
        follow_redirects=True,
        timeout=httpx2.Timeout(READ_S, connect=CONNECT_S),
        limits=httpx2.Limits(max_connections=MAX_CONNECTIONS),
    )
