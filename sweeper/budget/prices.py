"""What an hour costs, and text to numbers: durations in seconds, money in micro-dollars.

Standard library only and 3.9-clean: the spending guard imports this on shell commands.
"""

from __future__ import annotations

MICRO = 1_000_000

#: A limit above ten years or a billion dollars is a slip of the hand.
MAX_SECONDS = 3650 * 86400.0
MAX_USD = 1_000_000_000

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION_HINT = "write it like 2h30m, 1.5h, 90m, 1d, or plain seconds (units: d, h, m, s)"

#: Month of the snapshot below; no more is known of the page it was taken from.
SNAPSHOT_DATE = "2026-08"

#: Micro-dollars per hour of Hugging Face Jobs' flavors, from the Hub's documentation. Only an
#: estimate for when the Hub's own price list (GET /api/jobs/hardware) cannot be reached.
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

#: Flavors that run on this machine (or nowhere): counted in jobs and time, free of charge.
FREE = ("local", "dry")


class UnknownPrice(KeyError):
    """The price of a flavor cannot be determined, and unknown is not free.

    Attributes:
        flavor: The flavor asked for.
        known: Flavors whose price is known, sorted.
    """

    def __init__(self, flavor: str, known: list[str]) -> None:
        super().__init__(flavor)
        self.flavor = flavor
        self.known = known

    def __str__(self) -> str:
        return f"The price of {self.flavor} is unknown, and unknown is not free."


def micro_usd_per_minute(flavor: str, catalogue: dict[str, int] | None = None) -> int:
    """Return what a started minute of a flavor costs.

    Args:
        flavor: Name of the hardware; "local" and "dry" cost nothing.
        catalogue: The platform's own price list, micro-dollars per minute by flavor. With it the
            snapshot is not asked: a flavor that the platform no longer lists has no price.

    Returns:
        Micro-dollars per started minute, rounded up.

    Raises:
        UnknownPrice: Neither the catalogue nor the snapshot knows a price above zero.
    """
    if flavor in FREE:
        return 0
    prices = _per_minute(SNAPSHOT) if catalogue is None else catalogue
    price = prices.get(flavor)
    if isinstance(price, bool) or not isinstance(price, int) or price <= 0:
        raise UnknownPrice(flavor, sorted(prices))
    return price


def _per_minute(per_hour: dict[str, int]) -> dict[str, int]:
    return {flavor: -(-price // 60) for flavor, price in per_hour.items()}


def started_minutes(seconds: float) -> int:
    """Return how many minutes are billed for a running time in seconds: each one that began."""
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{seconds!r} is not a running time in seconds")
    whole = int(seconds // 60)
    return whole + (seconds > whole * 60)


def parse_duration(value: object) -> float:
    """Read a duration such as "2h30m", "1.5h", "90m", "1d", "5400" or 5400.

    Args:
        value: Text with units from large to small, each at most once, or a number of seconds.

    Returns:
        Seconds, above zero.

    Raises:
        ValueError: It is none; the message is a sentence that says how to write one.
    """
    if isinstance(value, str):
        seconds = _seconds_of_text(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = value
    else:
        raise ValueError(f"{value!r} is not a duration; {_DURATION_HINT}")
    if not seconds > 0:  # NaN too
        raise ValueError(f"a duration must be above zero, not {value!r}; {_DURATION_HINT}")
    if seconds > MAX_SECONDS:
        raise ValueError(f"{_shortened(value)} is longer than ten years; {_DURATION_HINT}")
    return float(seconds)


def _seconds_of_text(text: str) -> float:
    rest = text.strip()
    if is_decimal(rest):
        return float(rest)
    seconds, units = 0.0, list(_UNITS)
    while rest:
        number = rest[: _number_length(rest)]
        unit = rest[len(number) : len(number) + 1]
        if not is_decimal(number) or unit not in units:
            raise ValueError(_duration_fault(text, number, unit))
        seconds += float(number) * _UNITS[unit]
        units = units[units.index(unit) + 1 :]
        rest = rest[len(number) + 1 :].lstrip(" ")
    if not text.strip():
        raise ValueError(f"an empty duration; {_DURATION_HINT}")
    return seconds


def _duration_fault(text: str, number: str, unit: str) -> str:
    if is_decimal(number) and unit in _UNITS:
        return f"{_shortened(text)} is not a duration; each unit once, large before small"
    if is_decimal(number) and unit.isalpha():
        return f"{_shortened(text)} has the unknown unit {unit!r}; {_DURATION_HINT}"
    return f"{_shortened(text)} is not a duration; {_DURATION_HINT}"


def _number_length(text: str) -> int:
    length = 0
    while length < len(text) and text[length] in "0123456789.":
        length += 1
    return length


def is_decimal(text: str) -> bool:
    """Whether a text is ASCII digits with at most one point, and neither sign nor separators."""
    digits = text.replace(".", "", 1)
    return digits.isascii() and digits.isdigit()


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def format_duration(seconds: float) -> str:
    """Return seconds as people write them: "2h30m", "45s", "0.4s", "1d"; whole above ten."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f}s"
    rest, parts = int(seconds + 0.5), ""
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        parts += f"{count}{unit}" if count else ""
    return parts or "0s"


def parse_usd(value: object) -> int:
    """Read an amount of dollars such as 25, 2.5, "2.50" or "$25".

    Args:
        value: A number, or its decimal text with or without a leading dollar sign.

    Returns:
        Whole micro-dollars, zero or more; what is smaller than a micro-dollar is cut off, so that
        a limit never grows by reading it.

    Raises:
        ValueError: It is none; the message is a sentence that says how to write one.
    """
    text = _decimal_text(value)
    if not is_decimal(text):
        raise ValueError(f"{_shortened(value)} is not an amount in US dollars; write it like 25")
    whole, _, fraction = text.partition(".")
    if len(whole.lstrip("0")) > 10 or int(whole or "0") >= MAX_USD:
        raise ValueError(f"{_shortened(value)} is more than a billion dollars; write it like 25")
    return int(whole or "0") * MICRO + int((fraction + "000000")[:6])


def _decimal_text(value: object) -> str:
    if isinstance(value, str):
        text = value.strip()
        return text[1:] if text.startswith("$") else text
    if isinstance(value, float):
        # The shortest decimal that reads back as this float is what the person wrote: 2.675.
        return f"{value:.12f}" if 0 < value < 1e-3 else repr(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def format_usd(micro_usd: int) -> str:
    """Return micro-dollars as people write them: "$3.05", and "$0.0333" below a dollar."""
    sign, amount = ("-", -micro_usd) if micro_usd < 0 else ("", micro_usd)
    if 0 < amount < 100:
        return f"{sign}$0.{amount:06d}"
    if amount >= MICRO - 50:
        cents = (amount + 5_000) // 10_000
        return f"{sign}${cents // 100}.{cents % 100:02d}"
    text = f"{(amount + 50) // 100:04d}"
    return f"{sign}$0.{text[:2]}{text[2:].rstrip('0')}"
