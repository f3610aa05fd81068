"""How far the rest of the budget reaches, judged by the trials so far, and what will end it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from datetime import tzinfo
from typing import NamedTuple

from sweeper.summary.findings import improvements
from sweeper.summary.records import Budget
from sweeper.summary.records import Job
from sweeper.summary.records import Snapshot

DAY_S = 86400.0


class Forecast(NamedTuple):
    """What the rest of the budget buys.

    Attributes:
        trials: About how many jobs will still finish, those in flight included.
        done_at: About when the last one ends, UTC seconds.
        limit: The limit that ends it: jobs, walltime, cost or elapsed.
        job_s: Mean run time of the finished jobs it rests on, seconds.
    """

    trials: int
    done_at: float
    limit: str
    job_s: float

    def sentence(self, now: float, zone: tzinfo | None = None) -> str:
        """Say it: `about 9 trials, done by 03:40`.

        Args:
            now: UTC seconds; a day is named when it is not today.
            zone: Time zone to speak in; None is this machine's.
        """
        done = datetime.fromtimestamp(self.done_at, zone)
        today = datetime.fromtimestamp(now, zone).date() == done.date()
        moment = f"{done:%H:%M}" if today else f"{done:%Y-%m-%d %H:%M}"
        trials = "1 trial" if self.trials == 1 else f"{self.trials} trials"
        return f"about {trials}, done by {moment}"


def forecast(snapshot: Snapshot) -> Forecast | None:
    """Judge by the jobs that have ended how many more fit; None before the first has."""
    ended = [job for job in snapshot.jobs if job.state == "settled" and job.billed_s]
    if not ended:
        return None
    job_s = sum(job.billed_s or 0.0 for job in ended) / len(ended)
    room, limit = _room(snapshot.budget, ended, job_s)
    running = [job for job in snapshot.jobs if job.open]
    now = snapshot.taken_at
    done_at = now + _remaining_s(running, room, job_s, snapshot.budget.max_parallel, now)
    return _within_elapsed(
        Forecast(room + len(running), done_at, limit, job_s), snapshot.budget, now
    )


def _room(budget: Budget, ended: Sequence[Job], job_s: float) -> tuple[int, str]:
    """Return how many jobs still fit beside those in flight, and which limit says so.

    A reservation is larger than what a job will have taken, so those in flight are counted with
    the mean.
    """
    in_flight = budget.jobs.reserved
    cost = sum(job.cost_micro_usd or 0 for job in ended) / len(ended)
    rooms = [
        (_fits(budget.jobs.limit, budget.jobs.used, in_flight, 1.0), "jobs"),
        (_fits(budget.walltime_s.limit, budget.walltime_s.used, in_flight, job_s), "walltime"),
        (_fits(budget.micro_usd.limit, budget.micro_usd.used, in_flight, cost), "cost"),
    ]
    room, limit = min(rooms)
    return (0 if math.isinf(room) else int(room), limit)


def _fits(limit: float | None, used: float, in_flight: float, each: float) -> float:
    if limit is None or each <= 0:
        return math.inf
    return max(0.0, (limit - used) // each - in_flight)


def _remaining_s(
    running: Sequence[Job], room: int, job_s: float, parallel: int, now: float
) -> float:
    left = [max(0.0, job_s - (now - (job.started_at or now))) for job in running]
    return max([(sum(left) + room * job_s) / max(1, parallel), *left])


def _within_elapsed(whole: Forecast, budget: Budget, now: float) -> Forecast:
    left = budget.elapsed_s.left
    if left is None or whole.done_at <= now + left:
        return whole
    share = left / (whole.done_at - now)
    return Forecast(math.floor(whole.trials * share), now + left, "elapsed", whole.job_s)


class StopRule(NamedTuple):
    """A rule that may end the sweep.

    Attributes:
        name: As `stop_reason` names it: jobs, walltime, cost, elapsed or patience.
        fraction: How near it is, 0 to 1; what is in flight counts with what it reserved.
    """

    name: str
    fraction: float


def next_stop(snapshot: Snapshot) -> StopRule | None:
    """Return the rule that is nearest to ending the sweep; None where none has begun to count."""
    budget = snapshot.budget
    rules = [
        StopRule("jobs", budget.jobs.fraction),
        StopRule("walltime", budget.walltime_s.fraction),
        StopRule("cost", budget.micro_usd.fraction),
        StopRule("elapsed", budget.elapsed_s.fraction),
    ]
    patience = snapshot.study.goal.patience
    if patience:
        rules.append(StopRule("patience", min(1.0, without_improvement(snapshot) / patience)))
    nearest = max(rules, key=lambda rule: rule.fraction)
    return nearest if nearest.fraction else None


def without_improvement(snapshot: Snapshot) -> int:
    """Count the trials, complete or pruned, that were finished since the last real improvement."""
    real = [step.trial for step in improvements(snapshot) if step.real is not False]
    since = real[-1].finished_at if real else None
    return sum(
        trial.state in ("complete", "pruned")
        and trial.origin != "repeat"
        and (since is None or (trial.finished_at or 0.0) > since)
        for trial in snapshot.trials
    )
