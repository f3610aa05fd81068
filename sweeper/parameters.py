"""One parameter of the search space, as program.md declares it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sweeper.constraints import Scalar
from sweeper.errors import ProgramError
from sweeper.page import Block
from sweeper.page import Plain

#: The heading whose block declares the parameters.
HEADING = "Search space"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
_RESERVED = frozenset({"help", "h", "constraints"})
_RANGE_KEYS = ("low", "high", "step", "log", "default", "when")
_CHOICE_KEYS = ("choices", "default", "when")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A range of numbers or a set of choices.

    Attributes:
        name: As the script knows it.
        low: Smallest value of a range, inclusive.
        high: Largest value of a range, inclusive.
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
    when: Mapping[str, tuple[Scalar, ...]] = ()  # type: ignore[assignment]

    @property
    def kind(self) -> Literal["int", "float", "categorical"]:
        """What its values are: whole numbers where both bounds are."""
        if self.choices is not None:
            return "categorical"
        return "int" if isinstance(self.low, int) and isinstance(self.high, int) else "float"

    def contains(self, value: Scalar) -> bool:
        """Tell whether `value` is one of its values (a step's rounding aside)."""
        if self.choices is not None:
            return any(_same(value, choice) for choice in self.choices)
        if not _is_number(value) or self.low is None or self.high is None:
            return False
        if self.kind == "int" and not isinstance(value, int):
            return False
        if not self.low <= value <= self.high:  # type: ignore[operator]
            return False
        return self.step is None or _divides(self.step, value - self.low)  # type: ignore[operator]

    def as_document(self) -> dict[str, object]:
        """Return its declaration as plain data, defaults filled in."""
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


def read(block: Block) -> dict[str, Parameter]:
    """Return the parameters of a `## Search space` block, in the order of the page.

    Raises:
        ProgramError: With line, key, value and the fix.
    """
    declared = {
        name: _Reader(block, name).parameter(value)
        for name, value in block.values.items()
        if name != "constraints"
    }
    for name, parameter in declared.items():
        _check_when(block, name, parameter, declared)
    order(declared, block)
    return declared


def order(declared: Mapping[str, Parameter], block: Block | None = None) -> list[str]:
    """Return the names so that every parent stands before its children.

    Raises:
        ProgramError: The `when` conditions run in a circle.
    """
    placed: list[str] = []
    left = list(declared)
    while left:
        ready = [name for name in left if all(p in placed for p in declared[name].when)]
        if not ready:
            circle = ", ".join(left)
            raise ProgramError(
                f"The `when` conditions of {circle} run in a circle.",
                line=None if block is None else block.line_of((left[0], "when")),
                key=left[0],
                hint="A parameter can only depend on one that does not depend on it.",
            )
        placed.append(ready[0])
        left.remove(ready[0])
    return placed


def is_active(parameter: Parameter, params: Mapping[str, Scalar]) -> bool:
    """Tell whether `parameter` is active under the values chosen for its parents."""
    return all(
        parent in params and any(_same(params[parent], value) for value in values)
        for parent, values in parameter.when.items()
    )


class _Reader:
    """Reads one declaration; every refusal names its line."""

    def __init__(self, block: Block, name: str) -> None:
        self._block, self._name = block, name

    def _error(self, sentence: str, hint: str, key: str | None = None) -> ProgramError:
        path = (self._name,) if key is None else (self._name, key)
        return ProgramError(sentence, line=self._block.line_of(path), key=self._name, hint=hint)

    def parameter(self, value: Plain) -> Parameter:
        name = self._name
        if not _NAME.match(name) or name in _RESERVED:
            raise self._error(
                f"{name!r} cannot be the name of a parameter.",
                "Use letters, digits and _, at most 64, not beginning with a digit; help, h and"
                " constraints are taken.",
            )
        if isinstance(value, list):
            value = {"choices": value}
        if not isinstance(value, dict):
            raise self._error(
                f"{name} is {value!r}, which is neither a range nor a set of choices.",
                f"Write `{name}: {{low: …, high: …}}` or `{name}: [a, b]`; a fixed value belongs"
                " into `args`.",
            )
        self._refuse_unknown(value)
        if "choices" in value:
            return self._choices(value)
        return self._range(value)

    def _refuse_unknown(self, value: dict[str, Plain]) -> None:
        import difflib

        allowed = _CHOICE_KEYS if "choices" in value else _RANGE_KEYS
        for key in value:
            if key in allowed:
                continue
            if key in (*_CHOICE_KEYS, *_RANGE_KEYS):
                raise self._error(
                    f"{self._name} has both `choices` and `{key}`.",
                    "A parameter is either a range or a set of choices.",
                    key,
                )
            near = difflib.get_close_matches(key, (*_RANGE_KEYS, "choices"), 1, 0.5)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(_RANGE_KEYS)}."
            raise self._error(f"{self._name} has an unknown key `{key}`.", hint, key)

    def _choices(self, value: dict[str, Plain]) -> Parameter:
        choices = value["choices"]
        if not isinstance(choices, list) or not choices:
            raise self._error(
                f"{self._name} has no choices (`{choices}`).", "Write `[a, b]`.", "choices"
            )
        plain: list[Scalar] = []
        for choice in choices:
            if isinstance(choice, (list, dict)):
                raise self._error(
                    f"A choice of {self._name} is {choice!r}, a list or a map.",
                    "Choices are words, numbers, true, false or null; name each combination with"
                    " a word and let the script look it up.",
                    "choices",
                )
            if isinstance(choice, float) and not math.isfinite(choice):
                raise self._error(
                    f"A choice of {self._name} is {choice}.", "Choices are finite.", "choices"
                )
            if any(choice == before for before in plain):
                raise self._error(
                    f"{self._name} repeats the choice {choice!r}.", "Keep one of them.", "choices"
                )
            plain.append(choice)
        default = plain[0]
        if "default" in value:
            default = value["default"]  # type: ignore[assignment]
            if not any(_same(default, choice) for choice in plain):
                raise self._error(
                    f"The default of {self._name}, {default!r}, is none of its choices.",
                    f"Use one of {', '.join(map(repr, plain))}.",
                    "default",
                )
        return Parameter(self._name, choices=tuple(plain), default=default, when=self._when(value))

    def _range(self, value: dict[str, Plain]) -> Parameter:
        name = self._name
        log = value.get("log", False)
        if not isinstance(log, bool):
            raise self._error(f"`log` of {name} is {log!r}.", "Write true or false.", "log")
        low, high = self._bound(value, "low"), self._bound(value, "high")
        if isinstance(low, float) or isinstance(high, float):
            low, high = float(low), float(high)
        if low >= high:
            raise self._error(
                f"{name} has low {low} ≥ high {high}.",
                "Swap them; a fixed value belongs into `args`.",
                "low",
            )
        if log and low <= 0:
            raise self._error(
                f"{name} is searched by magnitude (`log: true`) but low is {low}.",
                "Use a low above 0, or drop `log`.",
                "low",
            )
        step = self._step(value, low, high, log)
        if isinstance(step, float):
            low, high = float(low), float(high)
        parameter = Parameter(name, low, high, step, log, when=self._when(value))
        default = self._default(value, parameter)
        return Parameter(name, low, high, step, log, default=default, when=parameter.when)

    def _bound(self, value: dict[str, Plain], key: str) -> int | float:
        if key not in value:
            raise self._error(
                f"{self._name} has no `{key}`.",
                "A range needs low and high; a set needs choices.",
            )
        bound = value[key]
        if not _is_number(bound):
            raise self._error(
                f"`{key}` of {self._name} is {bound!r}, which is no number.",
                "Write a number without quotes, such as 1e-5 or 16.",
                key,
            )
        if not math.isfinite(bound) or abs(bound) > 2**53 and isinstance(bound, int):  # type: ignore[arg-type, operator]
            raise self._error(
                f"`{key}` of {self._name} is {bound}.", "Bounds are finite numbers.", key
            )
        return bound  # type: ignore[return-value]

    def _step(
        self, value: dict[str, Plain], low: float, high: float, log: bool
    ) -> int | float | None:
        if value.get("step") is None:
            return None
        step = self._bound(value, "step")
        if step <= 0 or log:
            raise self._error(
                f"`step` of {self._name} is {step}" + (" beside `log: true`." if log else "."),
                "A step is above 0 and goes with an even range; with `log` drop it.",
                "step",
            )
        if not _divides(step, high - low):
            down = low + step * math.floor((high - low) / step)
            raise self._error(
                f"step {step} of {self._name} does not divide the range from {low} to {high}.",
                f"Use high: {_tidy(down)} or high: {_tidy(down + step)}.",
                "step",
            )
        return step

    def _default(self, value: dict[str, Plain], parameter: Parameter) -> Scalar:
        if "default" not in value:
            return _middle(parameter)
        default = value["default"]
        if parameter.kind == "float" and isinstance(default, int) and _is_number(default):
            default = float(default)
        if not parameter.contains(default):  # type: ignore[arg-type]
            stepped = "" if parameter.step is None else f" in steps of {parameter.step}"
            whole = "whole numbers " if parameter.kind == "int" else ""
            raise self._error(
                f"The default of {self._name}, {default!r}, is outside its range.",
                f"Use one of the {whole}{parameter.low} to {parameter.high}{stepped}.",
                "default",
            )
        return default  # type: ignore[return-value]

    def _when(self, value: dict[str, Plain]) -> dict[str, tuple[Scalar, ...]]:
        when = value.get("when")
        if when is None:
            return {}
        if not isinstance(when, dict) or not when:
            raise self._error(
                f"`when` of {self._name} is {when!r}.", "Write `when: {parent: value}`.", "when"
            )
        read: dict[str, tuple[Scalar, ...]] = {}
        for parent, wanted in when.items():
            values = wanted if isinstance(wanted, list) else [wanted]
            if not values or any(isinstance(each, (list, dict)) for each in values):
                raise self._error(
                    f"`when` of {self._name} asks {parent} for {wanted!r}.",
                    "Write one value, or a list of values.",
                    "when",
                )
            read[parent] = tuple(values)  # type: ignore[arg-type]
        return read


def _check_when(
    block: Block, name: str, parameter: Parameter, declared: Mapping[str, Parameter]
) -> None:
    import difflib

    for parent, values in parameter.when.items():
        line = block.line_of((name, "when", parent))
        if parent not in declared:
            near = difflib.get_close_matches(parent, declared, 1, 0.5)
            raise ProgramError(
                f"`when` of {name} names {parent}, which is no parameter.",
                line=line,
                key=name,
                hint=f"Did you mean {near[0]}?" if near else "Declare it, or drop the condition.",
            )
        for value in values:
            if not declared[parent].contains(value):
                raise ProgramError(
                    f"`when` of {name} waits for {parent} = {value!r}, which it never is.",
                    line=line,
                    key=name,
                    hint=f"Use a value that {parent} can take.",
                )


def _middle(parameter: Parameter) -> float | int:
    low, high = parameter.low, parameter.high
    if low is None or high is None:
        raise ValueError(f"{parameter.name} is no range")
    middle = math.sqrt(low * high) if parameter.log else (low + high) / 2
    if parameter.step is not None:
        middle = low + parameter.step * round((middle - low) / parameter.step)
    return round(middle) if parameter.kind == "int" else min(max(middle, low), high)


def _divides(step: float, span: float) -> bool:
    ratio = span / step
    return abs(ratio - round(ratio)) < 1e-6


def _tidy(value: float) -> float | int:
    return int(value) if float(value).is_integer() else float(f"{value:.10g}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _same(one: Scalar, other: Scalar) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)
