"""What the conductor says while it works: kept in the study, shown by the views."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

#: Kinds that are worth a row in the study; the others are only shown.
KEPT = frozenset(
    {
        "sweep_started",
        "trial_started",
        "job_submitted",
        "job_adopted",
        "first_metric",
        "pruned",
        "trial_finished",
        "trial_failed",
        "attempt_lost",
        "new_best",
        "foreign_tell",
        "request",
        "warning",
        "waiting",
        "sweep_finished",
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: A word of `KEPT`, or `reading`.
        trial: Number of the trial concerned, or None.
        detail: Plain data, ready for JSON.
    """

    kind: str
    trial: int | None = None
    detail: dict[str, object] = field(default_factory=dict)
