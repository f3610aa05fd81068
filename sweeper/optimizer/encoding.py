"""Configurations as points of the unit cube, and back.

A point has one coordinate a parameter: numbers lie in [0, 1] (on a log axis where the space says
so, whole numbers in the middle of their cell), categories carry their index, inactive parameters
are NaN. `features` turns points into what distances can be taken of.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution

from sweeper.optimizer.space import Space
from sweeper.optimizer.space import canonical
from sweeper.optimizer.space import same

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Axis:
    """One parameter's way into the unit interval and back."""

    def __init__(self, distribution: BaseDistribution) -> None:
        self.distribution = distribution
        self.choices: tuple[Any, ...] | None = None
        self.levels = 0  # 0: continuous
        self.log = False
        if isinstance(distribution, CategoricalDistribution):
            self._categorical(distribution)
        elif isinstance(distribution, FloatDistribution | IntDistribution):
            self._numeric(distribution)
        else:
            raise TypeError(f"{type(distribution).__name__} is not an Optuna distribution.")

    def _categorical(self, distribution: CategoricalDistribution) -> None:
        self.choices = distribution.choices
        self.levels = len(self.choices)
        numbers = [c for c in self.choices if isinstance(c, int | float)]
        plain = [c for c in numbers if not isinstance(c, bool) and math.isfinite(c)]
        # Choices that are all numbers have an order that neighbours share values along.
        self.ordered = len(plain) == self.levels >= 3
        values = [float(c) for c in plain] if self.ordered else []
        self.ranks = np.asarray(np.argsort(np.argsort(values)), float)

    def _numeric(self, distribution: FloatDistribution | IntDistribution) -> None:
        low, high, step = distribution.low, distribution.high, distribution.step
        self.ordered = True
        self.log = distribution.log
        self.step = None if step is None else float(step)
        half = self.step / 2 if self.step else 0.0
        self.low, self.high = self._scaled(low - half), self._scaled(high + half)
        if self.step:
            self.levels = math.floor((high - low) / self.step + 1e-9) + 1

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.log else value

    def code(self, value: Any) -> float:
        """Return the coordinate of a legal value."""
        if self.choices is not None:
            return float(next(i for i, c in enumerate(self.choices) if same(c, value)))
        span = self.high - self.low
        return (self._scaled(float(value)) - self.low) / span if span > 0 else 0.5

    def value(self, u: float) -> Any:
        """Return the legal value nearest to a coordinate."""
        if self.choices is not None:
            return self.choices[min(max(int(u), 0), self.levels - 1)]
        raw = self.low + min(max(u, 0.0), 1.0) * (self.high - self.low)
        return canonical(self.distribution, math.exp(raw) if self.log else raw)

    def snap(self, column: Array) -> Array:
        """Return coordinates moved to where legal values lie."""
        if self.choices is not None:
            return np.clip(np.floor(column), 0, self.levels - 1)
        column = np.clip(column, 0.0, 1.0)
        if not self.levels:
            return column
        raw = self.low + column * (self.high - self.low)
        low, high = self.distribution.low, self.distribution.high  # type: ignore[attr-defined]
        number = np.exp(raw) if self.log else raw
        number = np.clip(low + np.round((number - low) / self.step) * self.step, low, high)
        number = np.log(number) if self.log else number
        return np.asarray((number - self.low) / (self.high - self.low))

    def neighbour(self, column: Array, direction: Array) -> Array:
        """Return the coordinates of the next discrete value up or down."""
        raw = self.low + column * (self.high - self.low)
        number = (np.exp(raw) if self.log else raw) + np.sign(direction) * (self.step or 0.0)
        low, high = self.distribution.low, self.distribution.high  # type: ignore[attr-defined]
        number = np.clip(number, low, high)
        return ((np.log(number) if self.log else number) - self.low) / (self.high - self.low)

    def uniform(self, u: Array) -> Array:
        """Return coordinates from uniform numbers in [0, 1)."""
        return np.asarray(np.floor(u * self.levels)) if self.choices is not None else u

    def values(self) -> list[Any] | None:
        """Return every legal value, or None of a continuous parameter."""
        if self.choices is not None:
            return list(self.choices)
        if not self.levels:
            return None
        low = self.distribution.low  # type: ignore[attr-defined]
        return [
            canonical(self.distribution, low + k * (self.step or 0.0)) for k in range(self.levels)
        ]


class Coder:
    """The axes of a space, and points coded along them.

    Attributes:
        space: The space that is coded.
        names: Parameter of each coordinate.
        axes: Axis of each coordinate.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.names = list(space.distributions)
        self.axes = [Axis(d) for d in space.distributions.values()]
        self._rules = [self._rule(k, name) for k, name in enumerate(self.names)]
        self.conditional = any(self._rules)

    def _rule(self, k: int, name: str) -> list[tuple[int, list[float]]]:
        """Return (coordinate of a parent, its coordinates under which `name` is active)."""
        rule = []
        for parent, values in self.space.when.get(name, {}).items():
            at = self.names.index(parent)
            rule.append((at, [self.axes[at].code(v) for v in values]))
        return rule

    def encode(self, params: Mapping[str, Any]) -> Array:
        """Return the point of a configuration; what it lacks is NaN."""
        return np.array(
            [
                axis.code(params[name]) if name in params else math.nan
                for name, axis in zip(self.names, self.axes, strict=True)
            ]
        )

    def encode_all(self, configurations: Sequence[Mapping[str, Any]]) -> Array:
        """Return one row a configuration."""
        if not configurations:
            return np.empty((0, len(self.names)))
        return np.stack([self.encode(c) for c in configurations])

    def decode(self, point: Array) -> dict[str, Any]:
        """Return the active configuration at a point."""
        params: dict[str, Any] = {}
        for name, axis, u in zip(self.names, self.axes, point.tolist(), strict=True):
            if not math.isnan(u) and self.space.is_active(name, params):
                params[name] = axis.value(u)
        return params

    def settle(self, points: Array) -> Array:
        """Return points moved to legal values, with inactive coordinates blanked.

        A coordinate that has become active without a value gets its default, or the middle.
        """
        settled = np.empty_like(points)
        for k, axis in enumerate(self.axes):
            column = points[:, k]
            column = np.where(np.isnan(column), self._fallback(k), column)
            settled[:, k] = axis.snap(column)
        for k, rule in enumerate(self._rules):
            for parent, allowed in rule:
                met = np.isclose(settled[:, parent, None], allowed, atol=1e-9).any(axis=1)
                settled[~met, k] = math.nan
        return settled

    def _fallback(self, k: int) -> float:
        axis, name = self.axes[k], self.names[k]
        if name in self.space.defaults:
            return axis.code(self.space.defaults[name])
        return 0.0 if axis.choices is not None else 0.5

    def uniform(self, numbers: Array) -> Array:
        """Return legal points from uniform numbers in [0, 1), one row each."""
        columns = [axis.uniform(numbers[:, k]) for k, axis in enumerate(self.axes)]
        return self.settle(np.stack(columns, axis=1) if columns else numbers)

    def features(self, points: Array) -> tuple[Array, NDArray[np.int64]]:
        """Return coordinates for distances, and which parameter each belongs to.

        Unordered categories are spread so that two different ones are one unit apart; an inactive
        parameter stands in the middle, its parent tells the branches apart.
        """
        blocks, owner = [], []
        for k, axis in enumerate(self.axes):
            column = points[:, k]
            missing = np.isnan(column)
            if axis.choices is None:
                block = np.where(missing, 0.5, column)[:, None]
            elif axis.ordered:
                rank = axis.ranks[np.where(missing, 0, column).astype(int)] / (axis.levels - 1)
                block = np.where(missing, 0.5, rank)[:, None]
            else:
                index = np.where(missing, -1, column).astype(int)
                block = (index[:, None] == np.arange(axis.levels)) / math.sqrt(2)
            blocks.append(block.astype(float))
            owner += [k] * block.shape[1]
        if not blocks:
            return np.empty((len(points), 0)), np.empty(0, dtype=np.int64)
        return np.concatenate(blocks, axis=1), np.asarray(owner, dtype=np.int64)
