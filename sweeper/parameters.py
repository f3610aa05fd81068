"""One parameter of the search space, and how program.md declares it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Literal
from typing import TypeGuard

from sweeper.yaml12 import Scalar as Scalar

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_TAKEN = frozenset({"help", "h", "constraints"})

#: Beyond this a float, which Optuna keeps every number in, no longer holds each whole number.
MAX_WHOLE = 2**53


@dataclass(frozen=True, slots=True)
class Parameter:
    """A range of numbers or a set of choices.

    Attributes:
        name: As the script knows it.
        low: Smallest value of a range, inclusive; None with choices.
        high: Largest value of a range, inclusive; None with choices.
        step: Distance between the values of a range, or None.
        log: Whether the range is searched by order of magnitude.
        choices: The values of a set, or None for a range.
        default: The value that the first trial uses.
        when: Parent -> values under which this parameter is active; empty: always.
    """

    name: str
    low: float | int | None = None
    high: float | int | None = None
    step: float | int | None = None
    log: bool = False
    choices: tuple[Scalar, ...] | None = None
    default: Scalar = None
    when: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)

    @property
    def kind(self) -> Literal["int", "float", "categorical"]:
        """What its values are: whole numbers where both bounds are."""
        if self.choices is not None:
            return "categorical"
        return "int" if isinstance(self.low, int) and isinstance(self.high, int) else "float"

    @property
    def numeric(self) -> bool:
        """Whether every value of it can be reckoned with."""
        return self.choices is None or all(isinstance(each, int | float) for each in self.choices)

    def contains(self, value: object) -> bool:
        """Whether `value` is one of its values (the rounding of a step aside)."""
        if self.choices is not None:
            return any(same(value, choice) for choice in self.choices)
        if not is_number(value) or self.low is None or self.high is None:
            return False
        if self.kind == "int" and not isinstance(value, int):
            return False
        return self.low <= value <= self.high and (
            self.step is None or divides(self.step, value - self.low)
        )

    def middle(self) -> float | int:
        """Return the middle of a range, by magnitude for a log range, on its grid.

        Raises:
            ValueError: It is a set of choices.
        """
        low, high = self.low, self.high
        if low is None or high is None:
            raise ValueError(f"{self.name} is no range")
        middle = math.sqrt(low) * math.sqrt(high) if self.log else low / 2 + high / 2
        if self.step is not None:
            middle = low + self.step * round((middle - low) / self.step)
        # Twelve digits: 1e-4, not 1.0000000000000002e-4.
        middle = min(max(float(f"{middle:.12g}"), low), high)
        return round(middle) if self.kind == "int" else float(middle)

    def as_document(self) -> dict[str, object]:
        """Return its declaration as plain data, the default filled in."""
        when = {parent: list(values) for parent, values in self.when.items()}
        if self.choices is not None:
            return {"choices": list(self.choices), "default": self.default, "when": when}
        return {
            "low": self.low,
            "high": self.high,
            "log": self.log,
            "step": self.step,
            "default": self.default,
            "when": when,
        }


def can_be_named(name: str) -> bool:
    """Whether a script can be given a parameter of this name."""
    return _NAME.fullmatch(name) is not None and name not in _TAKEN


def order(declared: Mapping[str, Parameter]) -> list[str]:
    """Return the names, every parent before its children, else in the order of the page.

    Raises:
        ValueError: The `when` conditions run in a circle; its text names who is in it.
    """
    placed: dict[str, None] = {}
    waiting = dict.fromkeys(declared)
    while waiting:
        ready = next((n for n in waiting if all(p in placed for p in declared[n].when)), None)
        if ready is None:
            raise ValueError(", ".join(_circle(declared, waiting)))
        placed[ready] = waiting.pop(ready)
    return list(placed)


def _circle(declared: Mapping[str, Parameter], waiting: Mapping[str, None]) -> list[str]:
    """Return a circle among parameters that all wait for each other."""
    walked: list[str] = []
    name = next(iter(waiting))
    while name not in walked:
        walked.append(name)
        name = next(parent for parent in declared[name].when if parent in waiting)
    return walked[walked.index(name) :]


def is_active(parameter: Parameter, params: Mapping[str, Scalar]) -> bool:
    """Whether `parameter` is active under the values of its parents that are active themselves."""
    return all(
        parent in params and any(same(params[parent], value) for value in values)
        for parent, values in parameter.when.items()
    )


def divides(step: float, span: float) -> bool:
    """Whether `span` is a whole number of steps, within the rounding of floats."""
    count = span / step
    return abs(count - round(count)) <= 1e-9 * max(1.0, abs(count))


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is an int or a float; a boolean is none here."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(one: object, other: object) -> bool:
    """Whether two values of a parameter are the same one; `true` is not `1`, `1` is `1.0`."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
