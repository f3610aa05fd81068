"""The search space as the page declares it: every refusal names the line and the fix."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from sweeper import constraints
from sweeper.constraints import Constraint
from sweeper.errors import ProgramError
from sweeper.faults import did_you_mean
from sweeper.faults import shown
from sweeper.page import Block
from sweeper.parameters import MAX_WHOLE
from sweeper.parameters import Parameter
from sweeper.parameters import can_be_named
from sweeper.parameters import divides
from sweeper.parameters import is_number
from sweeper.parameters import order
from sweeper.parameters import same
from sweeper.yaml12 import Node
from sweeper.yaml12 import Scalar

#: The heading whose block declares the parameters, and the name in it that declares none.
HEADING = "Search space"
CONSTRAINTS = "constraints"

_RANGE = ("low", "high", "log", "step", "default", "when")
_SET = ("choices", "default", "when")
#: What other tools call these keys.
_SYNONYMS = {
    "min": "low",
    "max": "high",
    "minimum": "low",
    "maximum": "high",
    "lower": "low",
    "upper": "high",
    "values": "choices",
    "categories": "choices",
    "options": "choices",
    "q": "step",
    "scale": "log",
    "if": "when",
    "condition": "when",
}


def read(block: Block) -> dict[str, Parameter]:
    """Return the parameters of the block, in the order of the page.

    Raises:
        ProgramError: With line, key, value and the fix.
    """
    declared = {
        name: _Declaration(name, node).parameter()
        for name, node in block.nodes.items()
        if name != CONSTRAINTS
    }
    if not declared:
        raise ProgramError(
            "The search space declares no parameter.",
            line=block.line,
            key=HEADING,
            hint="Add one, such as `learning_rate: {low: 1e-5, high: 1e-3, log: true}`.",
        )
    checked = {
        name: replace(parameter, when=_checked_when(block, parameter, declared))
        for name, parameter in declared.items()
    }
    _refuse_circle(block, checked)
    return checked


class _Declaration:
    """One entry of the block."""

    def __init__(self, name: str, node: Node) -> None:
        self._name, self._node = name, node
        self._keys = node.value if isinstance(node.value, dict) else {}

    def parameter(self) -> Parameter:
        if not can_be_named(self._name):
            raise self._error(
                f"{shown(self._name)} cannot be the name of a parameter.",
                "Use letters, digits and _, at most 64, a letter first; help, h and constraints"
                " are taken.",
            )
        if isinstance(self._node.value, list):
            return self._set(self._node)
        if not isinstance(self._node.value, dict):
            raise self._error(
                f"{self._name} is {shown(self._node.value)}, neither a range nor a set.",
                f"Write `{self._name}: {{low: 1, high: 8}}` or `{self._name}: [a, b]`; a fixed"
                " value belongs into args.",
            )
        self._refuse_unknown()
        return self._set(self._keys["choices"]) if "choices" in self._keys else self._range()

    def _error(self, sentence: str, hint: str, *path: str | int) -> ProgramError:
        return ProgramError(sentence, line=self._node.line_of(*path), key=self._name, hint=hint)

    def _refuse_unknown(self) -> None:
        allowed = _SET if "choices" in self._keys else _RANGE
        for key in self._keys:
            if key in allowed:
                continue
            if key in _RANGE:
                raise self._error(
                    f"{self._name} has both choices and {key}.",
                    "A parameter is either a range or a set: remove one of the two.",
                    key,
                )
            meant = _SYNONYMS.get(key.lower())
            guess = f"Did you mean {meant}?" if meant else did_you_mean(key, (*_RANGE, "choices"))
            known = "Known keys: low, high, log, step, choices, default, when."
            raise self._error(f"{self._name} has an unknown key `{key}`.", guess or known, key)

    def _set(self, node: Node) -> Parameter:
        if not isinstance(node.value, list) or not node.value:
            raise self._error(
                f"The choices of {self._name} are {shown(node.plain())}.",
                "Write a list of at least one value, such as [a, b].",
                "choices",
            )
        choices: list[Scalar] = []
        for entry in node.value:
            choices.append(self._choice(entry, choices))
        parameter = Parameter(self._name, choices=tuple(choices), when=self._when())
        return replace(parameter, default=self._chosen(choices))

    def _choice(self, node: Node, before: list[Scalar]) -> Scalar:
        value = node.value
        hint = None
        if isinstance(value, list | dict):
            what = f"a {'list' if isinstance(value, list) else 'map'}, {shown(node.plain())}"
            hint = "Give each combination a word, and let the script look it up."
        elif isinstance(value, float) and not math.isfinite(value):
            what, hint = f"not finite, {shown(value)}", "Write a finite number or a text."
        elif any(value == other for other in before):
            what = f"{node.text or 'null'} a second time"
            hint = "Keep one of them; 1, 1.0 and true are the same choice."
        if hint is not None:
            raise ProgramError(
                f"A choice of {self._name} is {what}.", line=node.line, key=self._name, hint=hint
            )
        assert not isinstance(value, list | dict)
        return value

    def _chosen(self, choices: list[Scalar]) -> Scalar:
        if "default" not in self._keys:
            return choices[0]
        default = self._keys["default"].plain()
        for choice in choices:
            if same(choice, default):
                return choice
        raise self._error(
            f"The default of {self._name}, {shown(default)}, is none of its choices.",
            f"Write one of {', '.join(shown(choice) for choice in choices[:8])}.",
            "default",
        )

    def _range(self) -> Parameter:
        low, high, log = self._number("low"), self._number("high"), self._log()
        step = self._number("step") if "step" in self._keys else None
        if isinstance(low, float) or isinstance(high, float):
            low, high = float(low), float(high)
            step = None if step is None else float(step)
        self._refuse_range(low, high, log)
        parameter = Parameter(self._name, low, high, step, log, when=self._when())
        if step is not None:
            self._refuse_step(parameter, low, high, step)
        return replace(parameter, default=self._default(parameter))

    def _number(self, key: str) -> int | float:
        if key not in self._keys:
            raise self._error(
                f"{self._name} has no {key}.",
                f"A range needs low and high, a set needs choices: add `{key}: …`.",
            )
        value = self._keys[key].plain()
        if not is_number(value):
            unquoted = isinstance(value, str) and "without quotes, "
            raise self._error(
                f"{key} of {self._name} is {shown(value)}, not a number.",
                f"Write a number {unquoted or ''}such as 1e-5 or 16.",
                key,
            )
        if not math.isfinite(value) or (isinstance(value, int) and abs(value) > MAX_WHOLE):
            raise self._error(
                f"{key} of {self._name} is {shown(value)}, beyond every use.",
                "Write a finite number; a whole one up to 2**53.",
                key,
            )
        return value

    def _log(self) -> bool:
        log = self._keys["log"].plain() if "log" in self._keys else False
        if not isinstance(log, bool):
            raise self._error(
                f"log of {self._name} is {shown(log)}.", "Write true or false.", "log"
            )
        return log

    def _refuse_range(self, low: float, high: float, log: bool) -> None:
        if low >= high:
            raise self._error(
                f"{self._name} has low {shown(low)} ≥ high {shown(high)}.",
                "Write the smaller one as low; a fixed value belongs into args.",
                "low",
            )
        if log and low <= 0:
            raise self._error(
                f"{self._name} has log: true, but low is {shown(low)}.",
                "Write a low above 0, or remove log.",
                "low",
            )
        if not math.isfinite(high - low):
            raise self._error(
                f"{self._name} has a range from {low} to {high}, beyond every use.",
                "Bring low and high closer together.",
                "low",
            )

    def _refuse_step(self, parameter: Parameter, low: float, high: float, step: float) -> None:
        name = self._name
        if parameter.log:
            raise self._error(
                f"{name} has both log: true and step {shown(step)}.", "Remove one of them.", "step"
            )
        if step <= 0:
            raise self._error(
                f"step of {name} is {shown(step)}.", "Write a number above 0.", "step"
            )
        if parameter.kind == "int" and not isinstance(step, int):
            raise self._error(
                f"step {shown(step)} of {name} leads off the whole numbers.",
                f"Write `low: {float(low)}, high: {float(high)}` for fractions.",
                "step",
            )
        if step > high - low or not divides(step, high - low):
            down = low + step * math.floor((high - low) / step)
            ends = [f"{end:.10g}" for end in (down, down + step) if end > low]
            raise self._error(
                f"step {shown(step)} of {name} does not divide its range, {low} to {high}.",
                f"Write high: {' or high: '.join(ends)}.",
                "step",
            )

    def _default(self, parameter: Parameter) -> Scalar:
        if "default" not in self._keys:
            return parameter.middle()
        default = self._keys["default"].plain()
        if parameter.kind == "float" and is_number(default):
            default = float(default) if abs(default) <= MAX_WHOLE else math.inf
        elif isinstance(default, float) and default.is_integer():
            default = int(default)
        if parameter.contains(default):
            return default  # type: ignore[return-value]  # a number, as it is contained
        whole = "a whole number" if parameter.kind == "int" else "a number"
        stepped = "" if parameter.step is None else f" in steps of {parameter.step}"
        raise self._error(
            f"The default of {self._name}, {shown(self._keys['default'].plain())}, is not in its"
            " range.",
            f"Write {whole} from {parameter.low} to {parameter.high}{stepped}.",
            "default",
        )

    def _when(self) -> dict[str, tuple[Scalar, ...]]:
        node = self._keys.get("when")
        if node is None:
            return {}
        if not isinstance(node.value, dict) or not node.value:
            raise self._error(
                f"when of {self._name} is {shown(node.plain())}.",
                "Write `when: {parent: value}` or `when: {parent: [value, value]}`.",
                "when",
            )
        return {parent: self._wanted(parent, wanted) for parent, wanted in node.value.items()}

    def _wanted(self, parent: str, node: Node) -> tuple[Scalar, ...]:
        entries = node.value if isinstance(node.value, list) else [node]
        values = [entry.value for entry in entries]
        if not values or any(isinstance(value, list | dict) for value in values):
            raise self._error(
                f"when of {self._name} asks {parent} for {shown(node.plain())}.",
                "Write one value, or a list of values.",
                "when",
                parent,
            )
        return tuple(value for value in values if not isinstance(value, list | dict))


def _checked_when(
    block: Block, parameter: Parameter, declared: Mapping[str, Parameter]
) -> dict[str, tuple[Scalar, ...]]:
    return {
        parent: tuple(_taken(block, parameter.name, parent, value, declared) for value in values)
        for parent, values in parameter.when.items()
    }


def _taken(
    block: Block, name: str, parent: str, value: Scalar, declared: Mapping[str, Parameter]
) -> Scalar:
    """Return the parent's own form of a value that it is to take."""
    line = block.line_of(name, "when", parent)
    if parent not in declared:
        raise ProgramError(
            f"when of {name} names {parent}, which is no parameter.",
            line=line,
            key=name,
            hint=did_you_mean(parent, declared) or f"Declare {parent}, or remove the condition.",
        )
    if not declared[parent].contains(value):
        raise ProgramError(
            f"when of {name} waits for {parent} to be {shown(value)}, which it never is.",
            line=line,
            key=name,
            hint=f"Write a value that {parent} can take.",
        )
    choices = declared[parent].choices or ()
    return next((choice for choice in choices if same(choice, value)), value)


def _refuse_circle(block: Block, declared: Mapping[str, Parameter]) -> None:
    try:
        order(declared)
    except ValueError as error:
        first = str(error).split(", ")[0]
        raise ProgramError(
            f"The conditions (`when`) of {error} run in a circle.",
            line=block.line_of(first, "when"),
            key=first,
            hint="Remove one of them: a parameter cannot wait for itself.",
        ) from None


def read_constraints(
    block: Block, declared: Mapping[str, Parameter]
) -> tuple[tuple[Constraint, ...], tuple[str, ...]]:
    """Return the constraints of the block, and a warning for each that is about nothing in it.

    A constraint over names of which the space declares none, and none alike, always holds.

    Raises:
        ProgramError: With line, key, value and the fix.
    """
    node = block.nodes.get(CONSTRAINTS)
    if node is None or node.value is None:
        return (), ()
    if not isinstance(node.value, list):
        raise ProgramError(
            f"constraints is {shown(node.plain())}, not a list.",
            line=node.line,
            key=CONSTRAINTS,
            hint='Write a list of quoted comparisons: ["batch * steps == 64"].',
        )
    read = [(entry, _constraint(entry, declared)) for entry in node.value]
    idle = tuple(
        f"The constraint `{entry.text}` in line {entry.line} is about no parameter of the search"
        " space, so it always holds."
        for entry, constraint in read
        if constraint is None
    )
    return tuple(constraint for _, constraint in read if constraint is not None), idle


def _is_idle(text: str, declared: Mapping[str, Parameter]) -> bool:
    names = constraints.mentioned(text)
    near = any(name in declared or did_you_mean(name, declared) for name in names)
    return bool(names) and not near


def _constraint(node: Node, declared: Mapping[str, Parameter]) -> Constraint | None:
    try:
        if not isinstance(node.value, str):
            raise ValueError(f"{shown(node.plain())} is not a text; put it into quotes")
        if _is_idle(node.value, declared):
            return None
        constraint = constraints.parse(node.value, list(declared))
        for name in sorted(constraint.names):
            if not declared[name].numeric:
                raise ValueError(f"{name} in `{node.value}` is not a number; use `when` for words")
    except ValueError as error:
        fault, _, fix = str(error).rpartition("; ")
        raise ProgramError(
            f"A constraint cannot be read: {fault}.",
            line=node.line,
            key=CONSTRAINTS,
            hint=f"{fix[:1].upper()}{fix[1:]}.",
        ) from None
    return constraint
