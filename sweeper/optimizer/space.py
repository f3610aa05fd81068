"""The declared search space and Optuna's distributions, one made from the other.

A `Space` is what the optimiser knows of a program: distributions in `when` order (parents first),
defaults, conditions and constraints. It is kept with the study as the user attribute
`search_space`, so that any process, and any Optuna program, can rebuild it without program.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
from optuna.distributions import distribution_to_json
from optuna.distributions import json_to_distribution

from sweeper.errors import ProgramError
from sweeper.errors import SweeperError

if TYPE_CHECKING:
    from optuna.trial import Trial

    from sweeper.constraints import Constraint
    from sweeper.parameters import Parameter
    from sweeper.parameters import Scalar
    from sweeper.program import Program

#: User attribute of the study that holds `to_document`.
SEARCH_SPACE = "search_space"

#: Attempts at a legal configuration before the space counts as exhausted.
MOST_DRAWS = 256

_CONSTRAINTS = "constraints"


class SpaceExhausted(SweeperError):
    """No configuration is left that may be tried."""

    code = "space_exhausted"


@dataclass(frozen=True)
class Space:
    """What may be tried.

    Attributes:
        distributions: One distribution a parameter, parents before what depends on them.
        defaults: Default value of each parameter, inactive ones included; may be empty.
        when: Parameter -> parent -> the parent's values under which the parameter is active.
        constraints: Comparisons that every configuration must meet.
    """

    distributions: dict[str, BaseDistribution]
    defaults: dict[str, Any] = field(default_factory=dict)
    when: dict[str, dict[str, tuple[Any, ...]]] = field(default_factory=dict)
    constraints: tuple[Constraint, ...] = ()

    def is_active(self, name: str, params: Mapping[str, Any]) -> bool:
        """Whether a parameter is active under its parents' values in `params`."""
        return all(
            parent in params and any(same(params[parent], value) for value in values)
            for parent, values in self.when.get(name, {}).items()
        )

    def ancestors(self, name: str) -> dict[str, tuple[Any, ...]]:
        """Return every parameter that `name` hangs on, with the values that keep it active."""
        found: dict[str, tuple[Any, ...]] = {}
        for parent, values in self.when.get(name, {}).items():
            found |= {**self.ancestors(parent), parent: values}
        return found

    def active_part(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return `params` in order, without unknown names and inactive parameters."""
        kept: dict[str, Any] = {}
        for name in self.distributions:
            if name in params and self.is_active(name, kept):
                kept[name] = params[name]
        return kept

    def default_configuration(self) -> dict[str, Any]:
        """Return the active defaults."""
        return self.active_part(self.defaults)

    def holds(self, params: Mapping[str, Any]) -> bool:
        """Whether a configuration meets every constraint."""
        return not self.violated(params)

    def violated(self, params: Mapping[str, Any]) -> list[str]:
        """Return the texts of the constraints that a configuration breaks."""
        known = dict(params)
        return [c.text for c in self.constraints if not c.evaluate(known)]


def same(left: Any, right: Any) -> bool:
    """Whether two values of a parameter are the same one; `True` is not `1`, `1` is `1.0`."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def of_program(program: Program) -> Space:
    """Return the space that a program declares."""
    ordered = [program.search_space[name] for name in program.order()]
    return Space(
        distributions={p.name: _distribution(p) for p in ordered},
        defaults={p.name: p.default for p in ordered},
        when={p.name: {k: tuple(v) for k, v in p.when.items()} for p in ordered if p.when},
        constraints=tuple(program.constraints),
    )


def distributions(program: Program) -> dict[str, BaseDistribution]:
    """Return one Optuna distribution a parameter, in `when` order."""
    return of_program(program).distributions


def to_document(space: Program | Space) -> dict[str, Any]:
    """Return a space as plain JSON.

    Each parameter has `distribution` (Optuna's own JSON), `default` and `when`.

    The reserved name `constraints` holds the constraints' texts where there are any.
    """
    space = space if isinstance(space, Space) else of_program(space)
    document: dict[str, Any] = {}
    for name, distribution in space.distributions.items():
        entry: dict[str, Any] = {"distribution": distribution_to_json(distribution)}
        if name in space.defaults:
            entry["default"] = space.defaults[name]
        entry["when"] = {k: list(v) for k, v in space.when.get(name, {}).items()}
        document[name] = entry
    if space.constraints:
        document[_CONSTRAINTS] = [c.text for c in space.constraints]
    return document


def from_document(document: Mapping[str, Any]) -> Space:
    """Return the space that `to_document` wrote."""
    entries = {k: v for k, v in document.items() if k != _CONSTRAINTS}
    return Space(
        distributions={k: json_to_distribution(v["distribution"]) for k, v in entries.items()},
        defaults={k: v["default"] for k, v in entries.items() if "default" in v},
        when={
            k: {p: tuple(values) for p, values in v["when"].items()}
            for k, v in entries.items()
            if v.get("when")
        },
        constraints=_parsed(document.get(_CONSTRAINTS, ()), entries),
    )


def suggest(trial: Trial, space: Program | Space) -> dict[str, Scalar]:
    """Ask a trial for every active parameter, one by one in `when` order.

    Returns:
        The values by name; inactive parameters are absent.
    """
    space = space if isinstance(space, Space) else of_program(space)
    params: dict[str, Any] = {}
    for name, distribution in space.distributions.items():
        if space.is_active(name, params):
            params[name] = trial._suggest(name, distribution)
    return params


def legal(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a value is of the distribution's type and inside it."""
    if isinstance(distribution, CategoricalDistribution):
        return any(same(value, choice) for choice in distribution.choices)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    distribution = _numeric(distribution)
    if not math.isfinite(value) or not distribution.low <= value <= distribution.high:
        return False
    on_grid = nearest(distribution, value)
    return on_grid is not None and math.isclose(on_grid, value, rel_tol=1e-9, abs_tol=1e-12)


def nearest(distribution: BaseDistribution, value: Any) -> Any | None:
    """Return the legal value nearest to `value`, or None where none is meant by it.

    Numbers are clipped and rounded to the step; a text that spells a number or a choice counts as
    what it spells; a misspelt choice finds the closest spelling.
    """
    if isinstance(distribution, CategoricalDistribution):
        return _nearest_choice(distribution.choices, value)
    number = _as_number(value)
    if number is None:
        return None
    distribution = _numeric(distribution)
    low, high, step = distribution.low, distribution.high, distribution.step
    number = min(max(number, low), high)
    if step is not None and not (isinstance(distribution, IntDistribution) and step == 1):
        number = min(low + round((number - low) / step) * step, high)
    return round(number) if isinstance(distribution, IntDistribution) else float(number)


def _numeric(distribution: BaseDistribution) -> FloatDistribution | IntDistribution:
    if isinstance(distribution, FloatDistribution | IntDistribution):
        return distribution
    raise TypeError(f"{distribution} has neither choices nor bounds")


def canonical(distribution: BaseDistribution, value: Any) -> Any:
    """Return a legal value in the distribution's own type: `12.0` as `12` for whole numbers."""
    if isinstance(distribution, CategoricalDistribution):
        return next(c for c in distribution.choices if same(c, value))
    return nearest(distribution, value)


def _as_number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _nearest_choice(choices: Iterable[Any], value: Any) -> Any | None:
    import difflib

    options = list(choices)
    for choice in options:
        if same(choice, value):
            return choice
    numbers = [c for c in options if isinstance(c, int | float) and not isinstance(c, bool)]
    number = _as_number(value)
    if number is not None and numbers:
        return min(numbers, key=lambda c: abs(c - number))
    spelled = {str(c).lower(): c for c in options}
    close = difflib.get_close_matches(str(value).lower(), list(spelled), n=1, cutoff=0.6)
    return spelled[close[0]] if close else None


def _distribution(parameter: Parameter) -> BaseDistribution:
    p = parameter
    try:
        if p.kind == "categorical":
            return CategoricalDistribution(p.choices or ())
        if p.low is None or p.high is None:
            raise ValueError("a range needs `low` and `high`")
        if p.kind == "int":
            step = 1 if p.step is None else int(p.step)
            return IntDistribution(int(p.low), int(p.high), log=p.log, step=step)
        return FloatDistribution(p.low, p.high, log=p.log, step=p.step)
    except ValueError as reason:
        raise ProgramError(f"Parameter `{p.name}`: {reason}.", key=p.name) from reason


def _parsed(texts: Iterable[str], names: Iterable[str]) -> tuple[Constraint, ...]:
    from sweeper import constraints

    known = set(names)
    return tuple(constraints.parse(text, known) for text in texts)
