"""Fits a range of the table to an option: its default inside, its kind of numbers, its choices."""

from __future__ import annotations

import math
from dataclasses import replace

from sweeper.draft import ranges
from sweeper.draft.options import Kind
from sweeper.draft.options import Option
from sweeper.draft.ranges import Number
from sweeper.draft.ranges import Range
from sweeper.draft.ranges import Setting
from sweeper.program import Scalar

#: Significant digits of a bound; an order of magnitude needs fewer.
_DIGITS, _LOG_DIGITS = 4, 2
_SMALLEST, _LARGEST = 1e-30, 1e12
#: How far beyond a default at its edge a range by magnitude goes.
_REACH = 3


def suggest(option: Option, setting: Setting) -> Range | None:
    """Return where to search a parameter, with the script's default inside; None if not known."""
    name = option.name.lower()
    if not ranges.knows(name):
        return None
    if option.choices is not None:
        return _chosen(option.choices, option.default, "the choices that the script accepts")
    if name in ranges.CATEGORIES:
        return _category(option, ranges.CATEGORIES[name])
    number = as_number(option.default)
    if number is None and option.default is not None:
        return None
    found = ranges.TABLE[name](number, setting)
    if found is None or not _fits(found, number):
        return None
    return fitted(found, number, option.kind)


def _fits(found: Range, number: Number | None) -> bool:
    """Tell whether choices hold the script's default: a size of -1 or 0.5 means something else."""
    if found.choices is None:
        return True
    return len(found.choices) > 1 and (number is None or number in found.choices)


def unknown_number(option: Option) -> Range | None:
    """Return a third to the triple of a default whose meaning is not known."""
    number = as_number(option.default)
    if number is None or number <= 0 or option.choices is not None:
        return None
    reason = "not known here: a third to the triple of the default"
    # what lies between 0 and 1 is mostly a share
    high = min(number * 3, 1.0) if 0 < number < 1 else number * 3
    return fitted(Range(reason, number / 3, high, log=True), number, option.kind)


def fitted(found: Range, default: Number | None, kind: Kind) -> Range:
    """Widen a range until it holds the default, in the numbers that the script takes.

    Args:
        found: A range; one of choices stays as it is.
        default: The script's own value, or None: then the range's default, or its middle.
        kind: "int" makes whole numbers of it.
    """
    if found.low is None or found.high is None:
        return found
    middle = default if default is not None else _middle(found)
    log = found.log and middle > 0
    low, high = _reaching(found.low, found.high, middle, log=log)
    if kind == "int" or (kind == "unknown" and isinstance(middle, int)):
        return _whole(replace(found, log=log), low, high, round(middle))
    digits = _LOG_DIGITS if log else _DIGITS
    low = min(float(f"{low:.{digits}g}"), float(middle))
    high = max(float(f"{high:.{digits}g}"), float(middle))
    return replace(found, low=low, high=high, log=log, default=float(middle))


def _middle(found: Range) -> Number:
    """Return the default of a range for which the script has none."""
    number = as_number(found.default)
    if number is None:
        number = ((found.low or 0) + (found.high or 0)) / 2
    return number if isinstance(number, int) else float(f"{number:.{_LOG_DIGITS}g}")


def _reaching(low: Number, high: Number, middle: Number, *, log: bool) -> tuple[Number, Number]:
    """Return bounds that hold a default, an order of magnitude's half around it if need be."""
    if log:
        return (
            low if low < middle else middle / _REACH,
            high if high > middle else middle * _REACH,
        )
    return min(low, middle), max(high, middle)


def as_number(value: Scalar) -> Number | None:
    """Return a number, None for anything else (true and false are no numbers here).

    Numbers beyond all hyperparameters count as texts do: their multiples are no bounds.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if value == 0 or _SMALLEST <= abs(value) <= _LARGEST else None


def _whole(found: Range, low: Number, high: Number, middle: int) -> Range:
    bottom = min(max(1, math.floor(low)) if found.log else math.floor(low), middle)
    top = max(math.ceil(high), middle, bottom + 1)
    return replace(found, low=bottom, high=top, log=found.log and bottom > 0, default=middle)


def _category(option: Option, usual: tuple[str, ...]) -> Range | None:
    if option.kind == "bool":
        return _chosen((True, False), option.default, "on or off")
    if usual and isinstance(option.default, str):
        return _chosen((*usual,), option.default, "the usual ones")
    return None


def _chosen(choices: tuple[Scalar, ...], default: Scalar, reason: str) -> Range | None:
    values = tuple(dict.fromkeys(choices))
    if default is not None and default not in values:
        values = (default, *values)
    if len(values) < 2:
        return None
    return Range(reason, choices=values, default=values[0] if default is None else default)
