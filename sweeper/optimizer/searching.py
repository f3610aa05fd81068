"""The model's own suggestion: where it looks, and what it takes.

Candidates are drawn over the whole space and around the best points (few coordinates at a time, at
several distances, in the spirit of the trust regions of TuRBO, arXiv 1910.01739); the best of them
are refined by ever smaller steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sweeper.optimizer.drawing import Draws
from sweeper.optimizer.drawing import contained
from sweeper.optimizer.encoding import Array
from sweeper.optimizer.evidence import Evidence
from sweeper.optimizer.surrogate import Surrogate

_GLOBAL = 500
_CENTRES = 5
_EACH = 30
# Part of each axis that the first trials are drawn from.
_MIDDLE = 0.5
# A candidate that differs from a tried point by less than this along every axis tells nothing
# new: so much a parameter, up to so much in all.
_SAME_EACH, _SAME_MOST = 0.02, 0.1


@dataclass(frozen=True)
class Suggestion:
    """A point that somebody may try next.

    Attributes:
        point: The coded configuration.
        by: What chose it: "gp", "tpe" or "start".
        score: Log of the improvement to be expected, or None where no model speaks.
        expected: The value to be expected (less is better), or None.
        spread: Standard deviation of that, or None.
    """

    point: Array
    by: str
    score: float | None = None
    expected: float | None = None
    spread: float | None = None


def first_point(draws: Draws, evidence: Evidence, fixed: dict[str, Any]) -> Suggestion:
    """Return a point for the first trials: drawn from the middle half of each axis.

    People declare ranges around what they think plausible; in many dimensions nearly every
    uniform draw lies close to some implausible end.
    """
    central = draws.central(32, _MIDDLE)
    return Suggestion(_untried(_with(draws, fixed, central), evidence.tried)[0], "start")


def candidates(
    draws: Draws,
    evidence: Evidence,
    surrogate: Surrogate,
    fixed: dict[str, Any] | None = None,
) -> tuple[Array, Array]:
    """Return untried candidates with their scores, best first.

    Args:
        draws: Source of legal points.
        evidence: What was tried.
        surrogate: What scores them.
        fixed: Values that every candidate must have.
    """
    d = len(draws.coder.names)
    best = evidence.points[np.argsort(evidence.values)[:_CENTRES]]
    share = len(evidence.failed) / (len(evidence.tried) + 1.0)
    pools = [draws.uniform(max(1, round(_GLOBAL * (1.0 - 4.0 * share))))]
    for scale, share in ((0.05, 0.5), (0.15, 2 / d), (0.3, 2 / d)):
        pools.append(draws.near(best, scale, share, _EACH))
    left = draws.remaining(evidence.tried)
    if left is not None and len(left):
        pools.append(left[draws.rng.permutation(len(left))[:_GLOBAL]])
    pool = _untried(_with(draws, fixed, np.concatenate(pools)), evidence.tried)
    scores = surrogate.score(pool)
    for scale in (0.08, 0.03):
        centres = pool[np.argsort(scores)[-4:]]
        finer = _with(draws, fixed, draws.near(centres, scale, 0.5, 25))
        finer = _untried(finer, evidence.tried)
        pool, scores = np.concatenate([pool, finer]), np.append(scores, surrogate.score(finer))
    order = np.argsort(-scores)
    return pool[order], scores[order]


def quick_best(draws: Draws, evidence: Evidence, surrogate: Surrogate) -> Array:
    """Return about the point that the model's own search would find, in little time."""
    best = evidence.points[np.argsort(evidence.values)[:_CENTRES]]
    pools = [draws.uniform(100), draws.near(best, 0.1, 0.4, 20)]
    pool = _untried(np.concatenate(pools), evidence.tried)
    scores = surrogate.score(pool)
    finer = _untried(draws.near(pool[np.argsort(scores)[-2:]], 0.05, 0.5, 20), evidence.tried)
    pool, scores = np.concatenate([pool, finer]), np.append(scores, surrogate.score(finer))
    best_point: Array = pool[int(scores.argmax())]
    return best_point


def described(surrogate: Surrogate, point: Array, score: float) -> Suggestion:
    """Return a scored point with what the model expects of it."""
    mean, spread = surrogate.expect(point[None])
    return Suggestion(point, "gp", float(score), float(mean[0]), float(spread[0]))


def _with(draws: Draws, fixed: dict[str, Any] | None, points: Array) -> Array:
    if not fixed:
        return points
    met = draws.complete(fixed, points)
    return met if len(met) else points


def _untried(points: Array, tried: Array) -> Array:
    """Return the points that are new, where there are any; never one tried exactly so."""
    radius = min(_SAME_MOST, _SAME_EACH * points.shape[1])
    for tolerance in (radius, 1e-6):
        fresh = points[~contained(points, tried, tolerance)]
        if len(fresh):
            return fresh
    return points
