"""How values, durations, money, moments and foreign texts are written, alike in every view."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC
from datetime import datetime

from sweeper.summary.records import Scalar


def value(number: float | None) -> str:
    """Write a value of the objective with six significant digits; an unknown one as a hyphen."""
    return "-" if number is None else f"{number:.6g}"


def gain(number: float) -> str:
    """Write a difference of two values with its sign and three significant digits."""
    return f"{number:+.3g}"


def scalar(setting: Scalar) -> str:
    """Write one setting of a parameter as program.md would."""
    if setting is None or isinstance(setting, bool):
        return {None: "null", True: "true", False: "false"}[setting]
    return f"{setting:.4g}" if isinstance(setting, float) else plain(str(setting))


def settings(params: Mapping[str, Scalar]) -> str:
    """Write a configuration as `name=setting` pairs."""
    return " ".join(f"{name}={scalar(setting)}" for name, setting in params.items())


def duration(seconds: float | None) -> str:
    """Write a duration in its two largest units: `2h05m`, `4m31s`, `12.3s`."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if seconds < 59.95:
        return f"{seconds:.0f}s" if seconds >= 10 or seconds == 0 else f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h{minutes:02d}m"
    return f"{hours // 24}d{hours % 24:02d}h"


def usd(micro_usd: float | None) -> str:
    """Write micro-dollars; what is not nothing never reads as nothing."""
    if micro_usd is None:
        return "-"
    return "<$0.01" if 0 < micro_usd < 5_000 else f"${micro_usd / 1e6:,.2f}"


def plain(text: str) -> str:
    """Return a foreign text on one line without control characters, which a terminal obeys."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(printable.split())


def clock(seconds: float | None) -> str:
    """Write a moment in UTC to the minute: `2026-01-01 00:00Z`."""
    return "-" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%MZ}"


def count(number: int, noun: str) -> str:
    """Write a count with its noun: `1 trial`, `3 trials`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
