"""What an hour costs, and text to seconds and back. An unknown price is not free.

Standard library only, and light: the spending guard imports this on every shell command.
"""

from __future__ import annotations

MICRO = 1_000_000

_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

#: Day of the price list below (Hugging Face's documentation of Jobs).
SNAPSHOT_DATE = "2026-08-15"

#: Flavor -> micro-dollars an hour, on that day. The live list is asked first.
SNAPSHOT = {
    "cpu-basic": 10_000,
    "cpu-upgrade": 30_000,
    "cpu-xl": 1_000_000,
    "cpu-performance": 1_900_000,
    "t4-small": 400_000,
    "t4-medium": 600_000,
    "l4x1": 800_000,
    "l4x4": 3_800_000,
    "l40sx1": 1_800_000,
    "l40sx4": 8_300_000,
    "l40sx8": 23_500_000,
    "a10g-small": 1_000_000,
    "a10g-large": 1_500_000,
    "a10g-largex2": 3_000_000,
    "a10g-largex4": 5_000_000,
    "a100-large": 2_500_000,
    "a100x4": 10_000_000,
    "a100x8": 20_000_000,
    "h200": 5_000_000,
    "h200x2": 10_000_000,
    "h200x4": 20_000_000,
    "h200x8": 40_000_000,
    "rtx-pro-6000": 2_750_000,
    "rtx-pro-6000x2": 5_500_000,
    "rtx-pro-6000x4": 11_000_000,
    "rtx-pro-6000x8": 22_000_000,
}


class UnknownPriceError(KeyError):
    """Nobody knows what this flavor costs, so nothing may be spent on it."""

    def __init__(self, flavor: str) -> None:
        super().__init__(flavor)
        self.flavor = flavor

    def __str__(self) -> str:
        """Return the sentence that a person reads."""
        return f"The price of {self.flavor!r} is unknown, and unknown is not free."


def parse_duration(value: object) -> float:
    """Return the seconds that a duration means.

    Args:
        value: A number of seconds, or text: `2h30m`, `1.5h`, `90m`, `5400`, `1d`. Units go from
            large to small and each at most once.

    Raises:
        ValueError: With a sentence that names the value and the fix.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{value!r} is not a duration; write for example 2h30m, 90m or 5400.")
    seconds = _seconds_of_text(value) if isinstance(value, str) else float(value)
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{value!r} is not a positive, finite duration.")
    return seconds


def _seconds_of_text(text: str) -> float:
    rest = text.strip()
    if _is_number(rest):
        return float(rest)
    total, allowed = 0.0, "dhms"
    while rest:
        digits = 0
        while digits < len(rest) and (rest[digits].isascii() and rest[digits] in "0123456789."):
            digits += 1
        unit = rest[digits : digits + 1]
        if not _is_number(rest[:digits]) or unit not in _UNIT_S:
            raise ValueError(
                f"{text!r} is not a duration: write it with d, h, m and s, for example 2h30m,"
                " 1.5h, 90m or 1d."
            )
        if unit not in allowed:
            raise ValueError(f"{text!r} repeats or reorders units; write for example 1d2h30m.")
        allowed = allowed[allowed.index(unit) + 1 :]
        total += float(rest[:digits]) * _UNIT_S[unit]
        rest = rest[digits + 1 :]
    return total


def _is_number(text: str) -> bool:
    whole, dot, part = text.partition(".")
    digits = whole + part
    return bool(digits) and digits.isascii() and digits.isdigit() and bool(part or not dot)


def format_duration(seconds: float) -> str:
    """Return seconds as people write them: `2h30m`, `45s`, `1d`."""
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f}s"
    left, parts = round(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


def format_usd(micro_usd: int) -> str:
    """Return micro-dollars as dollars, with as many decimals as tell something."""
    dollars = micro_usd / MICRO
    return f"${dollars:.2f}" if micro_usd == 0 or abs(dollars) >= 0.1 else f"${dollars:.4f}"


def micro_usd_per_minute(flavor: str, catalogue: dict[str, int] | None = None) -> int:
    """Return what a started minute of `flavor` costs, in micro-dollars, rounded up.

    Args:
        flavor: A flavor of Hugging Face Jobs, or `local`, which costs nothing.
        catalogue: Flavor -> micro-dollars a minute as the live list says; None: the snapshot.

    Raises:
        UnknownPriceError: No list knows the flavor.
    """
    if flavor == "local":
        return 0
    if catalogue is not None:
        if flavor not in catalogue:
            raise UnknownPriceError(flavor)
        return catalogue[flavor]
    if flavor not in SNAPSHOT:
        raise UnknownPriceError(flavor)
    return -(-SNAPSHOT[flavor] // 60)


def started_minutes(seconds: float) -> int:
    """Return how many minutes were begun: 0 for nothing, 1 for one second, 2 for 61."""
    return -int(-seconds // 60) if seconds > 0 else 0
