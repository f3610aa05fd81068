"""What the Hub or the network answered, as an error of ours that says what became of a request.

The one question that matters for money is whether a job may exist now: an answer of 4xx means no
(but for 408), 5xx and a lost answer mean perhaps, and a connection that never stood means no.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager

from sweeper.errors import AccountError
from sweeper.errors import ExecutorError
from sweeper.errors import NothingCreatedError
from sweeper.errors import OutcomeUnknownError
from sweeper.errors import UnavailableError

_RESET = re.compile(r"\bt=(\d+)")


@contextmanager
def translated(doing: str, endpoint: str, *, creating: bool = False) -> Iterator[None]:
    """Raise what the client raises as an `ExecutorError`.

    Args:
        doing: What was being done, for the sentence: "submitting the job".
        endpoint: Address of the Hub, for the page to visit.
        creating: Whether the request creates something that costs money.
    """
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.errors import OfflineModeIsEnabled

    try:
        yield
    except ExecutorError:
        raise
    except HfHubHTTPError as error:
        raise from_answer(error, doing, endpoint, creating=creating) from error
    except OfflineModeIsEnabled as error:
        raise UnavailableError(
            f"While {doing}: offline mode is on.", hint="unset HF_HUB_OFFLINE"
        ) from error
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise UnavailableError(f"While {doing}: {endpoint} cannot be reached.") from error
    except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
        sentence = f"While {doing}: the answer was lost ({type(error).__name__})."
        raise (OutcomeUnknownError if creating else UnavailableError)(sentence) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # A 2xx that is not what it should be, a proxy's page for instance.
        sentence = f"While {doing}: the answer is not one of the Hub's ({type(error).__name__})."
        raise (OutcomeUnknownError if creating else UnavailableError)(sentence) from error


def from_answer(
    error: object, doing: str, endpoint: str, *, creating: bool = False
) -> ExecutorError:
    """Return the error that an HTTP answer means.

    Args:
        error: An `HfHubHTTPError`.
        doing: What was being done.
        endpoint: Address of the Hub.
        creating: Whether the request creates something that costs money.
    """
    response = getattr(error, "response")  # noqa: B009 - typed loosely: the client is imported late
    status = int(response.status_code)
    said = getattr(error, "server_message", None) or response.reason_phrase or ""
    sentence = f"While {doing}: the Hub answered {status} ({said})."
    if status in (401, 402, 403):
        return AccountError(sentence, hint=_page(status, endpoint))
    if status == 429:
        return UnavailableError(sentence, retry_after_s=retry_after_s(response.headers))
    if status == 408 or status >= 500:
        if creating:
            return OutcomeUnknownError(sentence)
        return UnavailableError(sentence, retry_after_s=retry_after_s(response.headers))
    return NothingCreatedError(sentence) if creating else ExecutorError(sentence)


def _page(status: int, endpoint: str) -> str:
    if status == 402:
        return f"add credits: {endpoint}/settings/billing"
    return f"check the token and its permissions: {endpoint}/settings/tokens"


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the Hub asks to be left alone, or None.

    A date is taken against the answer's own Date, because our clock may be minutes off.
    """
    after = (headers.get("retry-after") or "").strip()
    if after.isdigit():
        return float(after)
    then, now = _moment(after), _moment(headers.get("date") or "")
    if then is not None and now is not None:
        return max(0.0, then - now)
    reset = _RESET.search(headers.get("ratelimit") or "")
    return float(reset.group(1)) if reset else None


def _moment(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
