"""When a sweep is over although its budget is not: target, patience, gain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from sweeper.program import Goal

#: Suggestions in a row that must promise too little before money is left unspent.
_SUGGESTIONS = 3


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the model promised of a trial when it suggested it.

    Attributes:
        expected: The value that it expected.
        sd: How unsure it was, as a standard deviation.
        best: The best value before it.
        cost_usd: What it cost.
    """

    expected: float
    sd: float
    best: float
    cost_usd: float


def reason(goal: Goal, best: float | None, without_improvement: int) -> str | None:
    """Return why the sweep is over, or None.

    Args:
        goal: What the program asks for.
        best: The best value of a complete trial, or None.
        without_improvement: Trials, complete or pruned, since the last real improvement.
    """
    if (
        goal.target is not None
        and best is not None
        and _reached(goal.direction, best, goal.target)
    ):
        return f"target: {goal.metric} reached {best:.6g} (target {goal.target:g})"
    if goal.patience is not None and without_improvement >= goal.patience:
        return f"patience: {without_improvement} trials without a real improvement"
    return None


def _reached(direction: str, value: float, target: float) -> bool:
    return value <= target if direction == "minimize" else value >= target


def gain_reason(goal: Goal, suggestions: Sequence[Suggestion]) -> str | None:
    """Return why the money left is not worth spending, or None.

    Args:
        goal: What the program asks for; without `min_gain_per_usd` the answer is None.
        suggestions: What the model promised, oldest first.
    """
    if goal.min_gain_per_usd is None or len(suggestions) < _SUGGESTIONS:
        return None
    latest = suggestions[-_SUGGESTIONS:]
    if any(each.cost_usd <= 0 for each in latest):
        return None
    promised = max(expected_gain(goal, each) / each.cost_usd for each in latest)
    if promised >= goal.min_gain_per_usd:
        return None
    return (
        f"gain: a dollar is expected to buy {promised:.3g} of {goal.metric}, less than"
        f" min_gain_per_usd {goal.min_gain_per_usd:g}"
    )


def expected_gain(goal: Goal, promised: Suggestion) -> float:
    """Return the expected improvement upon the best, for a normal belief.

    Jones, Schonlau & Welch, "Efficient Global Optimization of Expensive Black-Box Functions",
    1998, equation 15.
    """
    sign = 1.0 if goal.direction == "minimize" else -1.0
    ahead = sign * (promised.best - promised.expected)
    if promised.sd <= 0 or not math.isfinite(promised.sd):
        return max(0.0, ahead)
    z = ahead / promised.sd
    normal = NormalDist()
    return ahead * normal.cdf(z) + promised.sd * normal.pdf(z)
