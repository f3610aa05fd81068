"""When a sweep is over although its budget is not: target and patience."""

from __future__ import annotations

from sweeper.program import Goal


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
