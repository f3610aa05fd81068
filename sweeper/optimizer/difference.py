"""The winner as the smallest difference from the default that keeps its value.

Of all that the winner changed, most usually did not matter. Changes are taken back one by one, the
one that the model misses least first, for as long as all that was taken back costs less than the
noise floor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sweeper.optimizer.situation import Situation
from sweeper.optimizer.space import Space
from sweeper.optimizer.space import same
from sweeper.optimizer.surrogate import Surrogate

if TYPE_CHECKING:
    from optuna.study import Study


@dataclass(frozen=True, slots=True)
class Change:
    """One parameter that the winner has otherwise than the default.

    Attributes:
        name: The parameter.
        default: Its default value; None where it is inactive there.
        value: The winner's value.
        worth: What taking it back alone costs by the model, in the metric's unit (positive: the
            value becomes worse).
        matters: Whether the smallest difference needs it.
    """

    name: str
    default: Any
    value: Any
    worth: float
    matters: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """The winner against the default.

    Attributes:
        changes: Every changed parameter, what matters most first.
        params: The default with only what matters changed: the configuration a revert run tries.
        cost: What leaving the rest out costs by the model, in the metric's unit.
    """

    changes: list[Change]
    params: dict[str, Any]
    cost: float


def smallest_difference(
    study: Study,
    space: Space,
    winner: Mapping[str, Any],
    default: Mapping[str, Any],
    noise_floor: float | None,
) -> Difference | None:
    """Return which of the winner's changes matter, or None while no model can tell.

    Args:
        study: The sweep.
        space: Its space.
        winner: Active parameters of the winner.
        default: Active parameters of the default configuration.
        noise_floor: Smallest difference that means something; None: the model's own noise.
    """
    now = Situation(study, space, np.random.default_rng(0), default)
    if now.crowded or len(now.evidence.values) < 3:
        return None
    surrogate = Surrogate(now.coder, now.evidence, now.rng)
    return _Reverting(now, surrogate, winner, default).difference(
        surrogate.noise if noise_floor is None else noise_floor
    )


class _Reverting:
    """Takes changes back and asks the model what that costs."""

    def __init__(
        self,
        now: Situation,
        surrogate: Surrogate,
        winner: Mapping[str, Any],
        default: Mapping[str, Any],
    ) -> None:
        self._now, self._surrogate = now, surrogate
        self._winner, self._default = dict(winner), dict(default)
        self._reached = self._expected(self._winner)
        self._changed = [n for n, v in winner.items() if not same(default.get(n), v)]

    def difference(self, allowed: float) -> Difference:
        """Return the smallest difference that costs at most `allowed`."""
        alone = {n: self._cost(self._without({n})) for n in self._changed}
        back: set[str] = set()
        for name in sorted(self._changed, key=alone.__getitem__):
            if self._cost(self._without(back | {name})) <= allowed:
                back.add(name)
        changes = [
            Change(n, self._default.get(n), self._winner[n], alone[n], n not in back)
            for n in sorted(self._changed, key=lambda n: (n in back, -alone[n]))
        ]
        params = self._without(back)
        return Difference(changes, params, self._cost(params))

    def _without(self, names: set[str]) -> dict[str, Any]:
        kept = {n: v for n, v in self._winner.items() if n not in names}
        return self._now.space.active_part({**self._default, **kept})

    def _cost(self, params: dict[str, Any]) -> float:
        if not self._now.space.holds(params):
            return float("inf")
        return self._expected(params) - self._reached

    def _expected(self, params: dict[str, Any]) -> float:
        point = self._now.coder.settle(self._now.coder.encode(params)[None])
        return float(self._surrogate.expect(point)[0][0])
