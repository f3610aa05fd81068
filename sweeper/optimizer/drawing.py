"""Legal points drawn from a space: uniform, space-filling, and in the neighbourhood of others.

Whatever is drawn obeys `when` and the constraints. Discrete parameters that stand together under
an `==` are enumerated together, because independent draws would hardly ever meet one.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweeper.optimizer.encoding import Array
from sweeper.optimizer.encoding import Coder
from sweeper.optimizer.space import MOST_DRAWS
from sweeper.optimizer.space import SpaceExhausted

# More combinations than this are drawn rather than listed.
_MOST_COMBINATIONS = 100_000
# Configurations of a finite space that are listed whole.
_MOST_LISTED = 4096
# Combinations that a point is compared with when it is moved to the nearest one.
_MOST_COMPARED = 512


class Draws:
    """Draws legal points; the random numbers are the caller's."""

    def __init__(self, coder: Coder, rng: np.random.Generator) -> None:
        self.coder = coder
        self.rng = rng
        self._blocks = [_Block(coder, names) for names in _joined(coder)]

    def uniform(self, n: int) -> Array:
        """Return n legal points, uniform along each axis.

        Raises:
            SpaceExhausted: None was legal.
        """
        return self._legal(self.rng.random((n, len(self.coder.names))))

    def central(self, n: int, part: float) -> Array:
        """Return n legal points from the middle part of each numeric axis."""
        numbers = self.rng.random((n, len(self.coder.names)))
        for k, axis in enumerate(self.coder.axes):
            if axis.choices is None:
                numbers[:, k] = 0.5 + (numbers[:, k] - 0.5) * part
        return self._legal(numbers)

    def spread(self, n: int, skip: int = 0) -> Array:
        """Return n legal points that cover the space evenly (a scrambled Sobol sequence)."""
        from scipy.stats import qmc

        d = len(self.coder.names)
        if not 0 < d <= qmc.Sobol.MAXDIM:
            return self.uniform(n)
        engine = qmc.Sobol(d, scramble=True, rng=self.rng)
        size = 1 << max(skip + n - 1, 1).bit_length()
        return self._legal(engine.random(size)[skip : skip + n])

    def near(self, centres: Array, scale: float | Array, share: float, each: int) -> Array:
        """Return legal points near given ones.

        Args:
            centres: Points to start from, one a row.
            scale: Standard deviation of a step, as a part of an axis.
            share: Chance of a coordinate to move; at least one always does.
            each: Points a centre.
        """
        points = np.repeat(centres, each, axis=0)
        n, d = points.shape
        moves = self.rng.random((n, d)) < share
        moves[np.arange(n), self.rng.integers(d, size=n)] = True
        steps = self.rng.standard_normal((n, d)) * scale
        moved = points + steps
        moved = np.where(moved < 0, -moved, np.where(moved > 1, 2 - moved, moved))
        for k, axis in enumerate(self.coder.axes):
            if axis.choices is not None:
                moved[:, k] = self.rng.integers(axis.levels, size=n)
            elif axis.levels:
                column = axis.snap(moved[:, k])
                stuck = np.isclose(column, points[:, k], atol=1e-9)
                moved[:, k] = np.where(stuck, axis.neighbour(points[:, k], steps[:, k]), column)
        return self._repaired(np.where(moves, moved, points))

    def complete(self, fixed: dict[str, Any], points: Array) -> Array:
        """Return the points with given values put in, those that are then illegal left out."""
        for name, value in fixed.items():
            if name in self.coder.names:
                k = self.coder.names.index(name)
                points[:, k] = self.coder.axes[k].code(value)
        settled = self.coder.settle(points)
        return settled[self.legal(settled)]

    def legal(self, points: Array) -> NDArray[np.bool_]:
        """Return which of the settled points meet every constraint."""
        if not self.coder.space.constraints:
            return np.ones(len(points), dtype=bool)
        holds = self.coder.space.holds
        return np.array([holds(self.coder.decode(p)) for p in points], dtype=bool)

    def _legal(self, numbers: Array) -> Array:
        points = self._repaired(self.coder.uniform(numbers))
        tries = len(numbers)
        while not len(points) and tries < MOST_DRAWS:
            numbers = self.rng.random((64, len(self.coder.names)))
            points = self._repaired(self.coder.uniform(numbers))[:1]
            tries += 64
        if not len(points):
            raise SpaceExhausted(
                f"None of {MOST_DRAWS} configurations met the constraints "
                f"{', '.join(c.text for c in self.coder.space.constraints)}.",
                hint="Loosen the constraints, or widen the ranges they speak of.",
            )
        return points

    def _repaired(self, points: Array) -> Array:
        """Return the legal ones, after joint parameters have been moved to a combination."""
        settled = self.coder.settle(points)
        if not self.coder.space.constraints:
            return settled
        for block in self._blocks:
            settled = block.repair(settled, self.rng)
        settled = self.coder.settle(settled)
        return settled[self.legal(settled)]

    def remaining(self, tried: Array) -> Array | None:
        """Return the legal points of a finite space that are not among `tried`.

        Returns None for a space that is not finite or too big to list.
        """
        if math.prod(axis.levels or _MOST_LISTED + 1 for axis in self.coder.axes) > _MOST_LISTED:
            return None
        codes = [[axis.code(v) for v in axis.values() or []] for axis in self.coder.axes]
        points = self.coder.settle(np.array(list(itertools.product(*codes)), dtype=float))
        points = np.unique(points[self.legal(points)], axis=0, equal_nan=True)
        return points[~contained(points, tried)]


class _Block:
    """Discrete parameters that must be chosen together."""

    def __init__(self, coder: Coder, names: tuple[str, ...]) -> None:
        self.at = [coder.names.index(n) for n in names]
        axes = [coder.axes[k] for k in self.at]
        mine = [c for c in coder.space.constraints if set(c.names) <= set(names)]
        rows = [
            combination
            for combination in itertools.product(*(axis.values() or [] for axis in axes))
            if all(c.evaluate(dict(zip(names, combination, strict=True))) for c in mine)
        ]
        self.combinations = np.array(
            [[a.code(v) for a, v in zip(axes, row, strict=True)] for row in rows], dtype=float
        ).reshape(len(rows), len(axes))

    def repair(self, points: Array, rng: np.random.Generator) -> Array:
        """Return points whose joint coordinates are the nearest of the combinations."""
        if not len(self.combinations) or not len(points):
            return points
        block = points[:, self.at]
        whole = ~np.isnan(block).any(axis=1)
        few = min(len(self.combinations), _MOST_COMPARED)
        offered = self.combinations[rng.permutation(len(self.combinations))[:few]]
        gap = np.abs(block[whole, None, :] - offered[None, :, :]).sum(axis=2)
        repaired = points.copy()
        rows = np.flatnonzero(whole)[:, None]
        repaired[rows, self.at] = offered[gap.argmin(axis=1)]
        return repaired


def contained(points: Array, others: Array, tolerance: float = 1e-6) -> NDArray[np.bool_]:
    """Return which points lie, within a tolerance, among others."""
    if not len(others) or not len(points):
        return np.zeros(len(points), dtype=bool)
    gap = np.abs(np.nan_to_num(points, nan=-9.0)[:, None] - np.nan_to_num(others, nan=-9.0)[None])
    return np.asarray((gap.max(axis=2) <= tolerance).any(axis=1))


def _joined(coder: Coder) -> list[tuple[str, ...]]:
    """Return the groups of discrete parameters that equalities tie together."""
    groups: list[set[str]] = []
    for constraint in coder.space.constraints:
        names = set(constraint.names)
        if "==" not in constraint.text or not names <= set(coder.names):
            continue
        if any(not coder.axes[coder.names.index(n)].levels for n in names):
            continue
        for group in [g for g in groups if g & names]:
            groups.remove(group)
            names |= group
        groups.append(names)
    ordered = [tuple(n for n in coder.names if n in group) for group in groups]
    return [names for names in ordered if _combinations(coder, names) <= _MOST_COMBINATIONS]


def _combinations(coder: Coder, names: tuple[str, ...]) -> int:
    return math.prod(coder.axes[coder.names.index(n)].levels for n in names)
