"""When a sweep is over although its budget is not: target, patience, gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.program import Goal


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial that has ended, as the stop rules see it.

    Attributes:
        number: Its number.
        state: complete, pruned or failed.
        value: The objective of a complete trial.
        improves: Whether it beat everything before it by more than the noise.
        repeat: Whether it repeats another; repeats count for nothing here.
    """

    number: int
    state: str
    value: float | None
    improves: bool
    repeat: bool = False


def reason(goal: Goal, trials: Sequence[Finished]) -> str | None:
    """Return why the sweep is over, in the order in which trials finished, or None."""
    own = [trial for trial in trials if not trial.repeat]
    best = _best(goal, own)
    if goal.target is not None and best is not None and _reached(goal, best):
        return f"target: {goal.metric} reached {best:.6g} (target {goal.target:g})"
    if goal.patience is not None:
        fruitless = 0
        for trial in own:
            if trial.improves:
                fruitless = 0
            elif trial.state in ("complete", "pruned"):
                fruitless += 1
        if fruitless >= goal.patience:
            return f"patience: {fruitless} trials without a real improvement"
    return None


def _best(goal: Goal, trials: Sequence[Finished]) -> float | None:
    values = [t.value for t in trials if t.state == "complete" and t.value is not None]
    if not values:
        return None
    return min(values) if goal.direction == "minimize" else max(values)


def _reached(goal: Goal, value: float) -> bool:
    if goal.target is None:
        return False
    return value <= goal.target if goal.direction == "minimize" else value >= goal.target
