"""Time as the Hub tells it: faster than ours by a factor, and wrong by an offset if asked."""

from __future__ import annotations

import time
from datetime import UTC
from datetime import datetime


class Clock:
    """UTC seconds that run `factor` times as fast as the wall clock, `skew_s` away from it."""

    def __init__(self, factor: float = 1.0, skew_s: float = 0.0) -> None:
        self.factor = factor
        self.skew_s = skew_s
        self._origin = time.time()
        self._started = time.monotonic()

    def now(self) -> float:
        """Return the Hub's time in UTC seconds."""
        passed = time.monotonic() - self._started
        return self._origin + passed * self.factor + self.skew_s

    def real_s(self, hub_s: float) -> float:
        """Return how many seconds of ours `hub_s` seconds of the Hub take."""
        return hub_s / self.factor


def iso(seconds: float | None) -> str | None:
    """Return a moment as the Hub writes it: ISO 8601, milliseconds, Z."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
