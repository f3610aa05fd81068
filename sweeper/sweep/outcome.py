"""What became of an attempt: the platform's last word, our own request and the readings, weighed.

Pure functions of plain values: whatever is decided here is stored by the settling transaction and
never decided again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sweeper.jobs.executor import JobReport
from sweeper.jobs.executor import Stage
from sweeper.jobs.failure import Failure
from sweeper.program import Goal

#: Reasons of ours for ending a job; a longer explanation may follow after ": ".
DIVERGED = "diverged"
PRUNER = "pruner"
PERSON = "person"
BUDGET = "budget"
DUPLICATE = "duplicate"
TOLD_ELSEWHERE = "told elsewhere"

Verdict = Literal["complete", "pruned", "failed", "lost"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended.

    Attributes:
        verdict: complete, pruned, failed, or lost (another attempt may follow).
        value: The objective; for a pruned trial its last reading, else None.
        ended_by: What ended it before its time, or None.
        failure: Why it failed, or None.
    """

    verdict: Verdict
    value: float | None
    ended_by: str | None
    failure: Failure | None


def objective(goal: Goal, curve: Mapping[int, float]) -> float | None:
    """Return the reading that counts: the last one, or the best; None where there is none."""
    finite = [curve[step] for step in sorted(curve) if math.isfinite(curve[step])]
    if not finite:
        return None
    if goal.value == "last":
        return finite[-1]
    return min(finite) if goal.direction == "minimize" else max(finite)


def last_reading(curve: Mapping[int, float]) -> float | None:
    """Return the reading at the highest step, or None."""
    finite = [step for step in curve if math.isfinite(curve[step])]
    return curve[max(finite)] if finite else None


def decide(
    report: JobReport,
    goal: Goal,
    curve: Mapping[int, float],
    asked: str | None,
    failure: Failure,
    *,
    clipped: bool,
) -> Outcome:
    """Weigh how an attempt ended.

    Args:
        report: The platform's last word.
        goal: Which reading counts.
        curve: Step -> value of this attempt, NaN where overwritten.
        asked: Our own reason for ending it, or None.
        failure: What the log and the report say, should it count as a failure.
        clipped: Whether the budget's tail had shortened its timeout.
    """
    value, last = objective(goal, curve), last_reading(curve)
    if asked == DIVERGED:
        return Outcome("failed", None, DIVERGED, failure)
    if report.stage is Stage.COMPLETED:
        # A job that completes although we wanted its end has completed.
        if value is not None:
            return Outcome("complete", value, None, None)
        return Outcome("failed", None, "no metric", failure)
    if asked is not None:
        return _cut(asked, last, failure)
    if report.cancel_reason is not None or (report.timed_out and clipped):
        return _cut(BUDGET, last, failure)
    if report.stage is Stage.CANCELED:
        return _cut(PERSON, last, failure)
    if failure.cause in ("lost", "killed"):
        return Outcome("lost", None, failure.cause, failure)
    return Outcome("failed", None, failure.cause, failure)


def _cut(reason: str, last: float | None, failure: Failure) -> Outcome:
    if last is None:
        return Outcome("failed", None, reason, failure)
    return Outcome("pruned", last, reason, None)
