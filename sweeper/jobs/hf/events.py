"""Server-sent events, read raw: the client's own reader drops timestamps and splits at U+2028."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a log, with the platform's timestamp ("" if it gave none)."""

    at: str
    text: str


def parse(chunks: Iterable[bytes]) -> Iterator[Event | None]:
    """Yield the events of a stream; None for a comment (keep-alive), which shows that it lives.

    Args:
        chunks: The bytes as they arrive, cut anywhere.
    """
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b":"):
                yield None
            elif line.startswith(b"data:"):
                yield from _events(line[len(b"data:") :])


def _events(data: bytes) -> Iterator[Event]:
    try:
        document = json.loads(data)
        text = str(document["data"])
    except (ValueError, KeyError, TypeError):
        return  # not a line of the log; the next event may be one again
    yield Event(str(document.get("timestamp") or ""), text)
