"""What an HTTP status of a service means, as one error with a way on."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from sweeper.research.faults import BusyError
from sweeper.research.faults import ConflictError
from sweeper.research.faults import DownError
from sweeper.research.faults import ForbiddenError
from sweeper.research.faults import NotFoundError
from sweeper.research.faults import ResearchError
from sweeper.research.faults import WriteUnknownError
from sweeper.research.services import Service

_WORDS = 300


def of_status(
    service: Service,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: float,
    write: bool,
) -> ResearchError:
    """Return the error that a failed answer stands for.

    Args:
        service: Who answered.
        status: HTTP status, 400 or above (or an unknown one).
        headers: Answer headers.
        body: Answer body; a short reason in it is quoted.
        now: UTC seconds.
        write: Whether the request changed something.
    """
    said = reason(body)
    quote = f": “{said}”" if said else ""
    title = service.title
    if _is_rate_limit(status, headers, said):
        wait_s = wait_of(headers, now)
        until = f" for another {wait_s:.0f} s" if wait_s else ""
        return BusyError(
            f"{title} asks to be left alone{until} (HTTP {status}).",
            wait_s=wait_s,
            hint=_busy_hint(service, wait_s),
        )
    if status in (401, 402, 403):
        return ForbiddenError(
            f"{title} refused (HTTP {status}){quote}.", hint=_credential_hint(service, status)
        )
    if status in (404, 410):
        return NotFoundError(f"{title} does not have it (HTTP {status}){quote}.")
    if status >= 500 or status in (408, 425):
        if write:
            return WriteUnknownError(
                f"{title} failed while it was changing something (HTTP {status}){quote}.",
                hint="It may have happened: look before asking again.",
            )
        return DownError(f"{title} is in trouble (HTTP {status}){quote}.", hint="Ask again later.")
    if status == 409:
        return ConflictError(f"{title} says it clashes with what is there{quote} (HTTP 409).")
    return ResearchError(f"{title} did not accept the request (HTTP {status}){quote}.")


def reason(body: bytes) -> str:
    """Return the short reason inside an error body, or nothing."""
    try:
        value = json.loads(body[:20_000])
    except (ValueError, RecursionError):
        text = body[: 4 * _WORDS].decode("utf-8", "replace")
        return "" if "<" in text else " ".join(text.split())[:_WORDS]
    if isinstance(value, dict):
        for name in ("error", "message", "detail", "cause"):
            if isinstance(value.get(name), str):
                return " ".join(value[name].split())[:_WORDS].rstrip(".")
    return ""


def wait_of(headers: Mapping[str, str], now: float) -> float:
    """Return the seconds that a service asks to wait; 0 when it does not say."""
    given = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", given):
        return min(float(given), 86_400.0)
    if given:
        return _seconds_to_date(given, now)
    # GitHub: epoch seconds. IETF draft on the Hub: `"api";r=0;t=120`.
    reset = headers.get("x-ratelimit-reset", "").strip()
    if reset.isdigit() and headers.get("x-ratelimit-remaining", "0").strip() == "0":
        return min(max(0.0, float(reset) - now), 86_400.0)
    left = re.search(r"\bt=(\d+)", headers.get("ratelimit", ""))
    return min(float(left[1]), 86_400.0) if left else 0.0


def _seconds_to_date(text: str, now: float) -> float:
    from email.utils import parsedate_to_datetime

    try:
        return min(max(0.0, parsedate_to_datetime(text).timestamp() - now), 86_400.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _is_rate_limit(status: int, headers: Mapping[str, str], said: str) -> bool:
    if status == 429:
        return True
    if status == 503 and "retry-after" in headers:
        return True
    if status != 403:
        return False
    return headers.get("x-ratelimit-remaining") == "0" or "rate limit" in said.lower()


def _busy_hint(service: Service, wait_s: float) -> str:
    keys = {
        "s2": " A key of your own (S2_API_KEY) is limited less than the shared pool.",
        "github": " With GH_TOKEN or `gh auth login` the limit is 5,000 an hour.",
        "hf": " With HF_TOKEN the limit is higher.",
    }
    when = f"Ask again in {round(wait_s) + 1} s." if wait_s else "Ask again in a minute."
    return when + keys.get(service.credential, "")


def _credential_hint(service: Service, status: int) -> str | None:
    if status == 402:
        return "The account needs credits or another plan: https://huggingface.co/settings/billing"
    return {
        "hf": "Set HF_TOKEN or run `hf auth login`; gated repositories must be accepted on "
        "their page first.",
        "s2": "Check S2_API_KEY, or unset it to use the shared pool.",
        "github": "Set GH_TOKEN, or run `gh auth login`.",
    }.get(service.credential)
