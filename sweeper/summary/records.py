"""The records that a look at a sweep consists of.

Plain frozen data without behaviour beyond arithmetic on itself. Times are UTC seconds since 1970,
durations seconds, money whole micro-dollars. What is not known is None, never zero. Named tuples
rather than dataclasses: a look at 1,000 trials makes 2,000 of them, and `status` must be cheap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from typing import NamedTuple

Scalar = str | int | float | bool | None

#: Trial states in the words of `status --json`.
FINISHED = ("complete", "pruned", "failed")

#: States of a ledger row between its reservation and its settlement.
OPEN_JOB_STATES = ("reserved", "submitting", "submitted", "cancelling", "terminal")


class Failure(NamedTuple):
    """Why a job failed, as it was classified when it was settled.

    Attributes:
        cause: One word or two: oom, script, timeout, killed, lost, no metric, diverged, …
        sentence: The same for a person.
        excerpt: The last telling lines of its log.
        fix: One proposed fix, or "".
    """

    cause: str
    sentence: str
    excerpt: tuple[str, ...] = ()
    fix: str = ""


class Job(NamedTuple):
    """One row of the ledger: one attempt of one trial, or an evaluation."""

    purpose: str
    trial: int | None
    attempt: str
    state: str
    executor: str
    flavor: str
    job_id: str | None
    stage: str | None
    outcome: str | None
    value: float | None
    ended_by: str | None
    failure: Failure | None
    timeout_s: float
    billed_s: float | None
    charged_s: float | None
    cost_micro_usd: int | None
    reserved_micro_usd: int
    micro_usd_per_minute: int
    estimated: bool
    url: str | None
    seed: int
    reserved_at: float
    submitted_at: float | None
    started_at: float | None
    finished_at: float | None
    settled_at: float | None

    @property
    def open(self) -> bool:
        """Whether its reservation still stands."""
        return self.state in OPEN_JOB_STATES

    @property
    def evaluation(self) -> bool:
        """Whether it measured a finished trial instead of training one."""
        return self.attempt.startswith("e")


class Verdict(NamedTuple):
    """Keep or discard, as it stands now; all None while nothing is decided."""

    decision: str | None
    reason: str | None
    noise_floor: float | None
    confirmed: bool | None


class Trial(NamedTuple):
    """One configuration that was tried, is being tried or waits.

    Attributes:
        number: Optuna's number, from 0.
        state: waiting, running, paused, complete, pruned or failed.
        origin: baseline, proposal, model, queued or repeat.
        value: The objective; for a pruned trial its last reading.
        params: Active parameters in the order in which they were chosen.
        decision: keep, discard or None.
        reason: Why it was kept or discarded.
        noise_floor: Smallest difference that counts as real when the decision was made.
        confirmed: Whether repeats or an evaluation confirmed it; None while nobody tried.
        why: The reason given with the proposal.
        source: What the proposal cites.
        confidence: How sure the proposer was, 0 to 1.
        proposal: Id of the proposal it came from.
        repeat_of: Number of the trial that it repeats.
        ended_by: What ended it before its time, or None.
        job_url: Page of its last job.
        started_at: When it was created.
        finished_at: When its result was told.
        curve: Readings of the objective as (step, value), by step, without gaps marked NaN.
        jobs: Its ledger rows, oldest first.
    """

    number: int
    state: str
    origin: str
    value: float | None
    params: dict[str, Scalar]
    decision: str | None = None
    reason: str | None = None
    noise_floor: float | None = None
    confirmed: bool | None = None
    why: str | None = None
    source: tuple[str, ...] = ()
    confidence: float | None = None
    proposal: str | None = None
    repeat_of: int | None = None
    ended_by: str | None = None
    job_url: str | None = None
    seed: int | None = None
    cost_usd: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    curve: tuple[tuple[int, float], ...] = ()
    jobs: tuple[Job, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINISHED

    @property
    def counts(self) -> bool:
        """Whether it may be the best: complete, with a number, and no repeat of another."""
        known = self.value is not None and math.isfinite(self.value)
        return self.state == "complete" and known and self.origin != "repeat"

    @property
    def cost_micro_usd(self) -> int | None:
        """What its settled jobs cost; None while none of them is settled."""
        settled = [job.cost_micro_usd for job in self.jobs if job.cost_micro_usd is not None]
        if settled:
            return sum(settled)
        return None if self.cost_usd is None else round(self.cost_usd * 1e6)

    @property
    def running_s(self) -> float | None:
        """Seconds that its settled jobs ran; None while none of them is settled."""
        billed = [job.billed_s for job in self.jobs if job.billed_s is not None]
        return sum(billed) if billed else None

    @property
    def failure(self) -> Failure | None:
        """Why its last job failed, or None."""
        return next((job.failure for job in reversed(self.jobs) if job.failure), None)


class Limit(NamedTuple):
    """One limit of the envelope: what is gone, what is set aside, what there is."""

    used: float
    reserved: float
    limit: float | None

    @property
    def left(self) -> float | None:
        """What neither is used nor reserved; None where nothing limits it."""
        return None if self.limit is None else max(0.0, self.limit - self.used - self.reserved)

    @property
    def fraction(self) -> float:
        """Share that is used or reserved, 0 to 1; 0 where nothing limits it."""
        if not self.limit:
            return 0.0
        return min(1.0, (self.used + self.reserved) / self.limit)


class Budget(NamedTuple):
    """The envelope as it was approved, and how much of it is gone."""

    jobs: Limit
    walltime_s: Limit
    micro_usd: Limit
    elapsed_s: Limit
    max_timeout_s: float | None = None
    max_parallel: int = 1
    allowed_flavors: tuple[str, ...] = ()


class Best(NamedTuple):
    """The best complete trial, repeats apart; of equal ones the first.

    Attributes:
        trial: Its number.
        value: Its objective.
        params: Its configuration.
        confirmed: Whether it was confirmed; None while nobody tried.
        evaluated: What an evaluation job read, or None.
        noise_floor: Smallest difference that counts as real, or None.
        repeats: Values of finished repeats of it.
    """

    trial: int
    value: float
    params: dict[str, Scalar]
    confirmed: bool | None = None
    evaluated: float | None = None
    noise_floor: float | None = None
    repeats: tuple[float, ...] = ()


class Conductor(NamedTuple):
    """The process that holds, or last held, the lease."""

    alive: bool
    host: str
    pid: int
    heartbeat_at: float
    since: float


class Proposal(NamedTuple):
    """A configuration that somebody proposed; queued while no trial has claimed it."""

    id: str
    params: dict[str, Scalar]
    why: str | None
    source: tuple[str, ...]
    confidence: float | None
    trial: int | None

    @property
    def queued(self) -> bool:
        """Whether it still waits to be weighed."""
        return self.trial is None


class Event(NamedTuple):
    """One thing that happened."""

    kind: str
    trial: int | None
    detail: dict[str, Any]
    at: float = 0.0
    id: int = 0


class Goal(NamedTuple):
    """When to stop, as the conductor stored it with the study; all None where it did not."""

    target: float | None = None
    patience: int | None = None
    min_gain_per_usd: float | None = None


class Resource(NamedTuple):
    """The axis of the curves: its name and how far a whole trial goes."""

    name: str
    max: float | None


class Study(NamedTuple):
    """Which sweep this is and how it stands."""

    name: str
    uid: str | None
    state: str
    stop_reason: str | None
    metric: str
    direction: str
    executor: str | None = None
    created_at: float | None = None
    defaults: Mapping[str, Scalar] = MappingProxyType({})
    goal: Goal = Goal()
    resource: Resource | None = None

    @property
    def sign(self) -> int:
        """1 where less is better, -1 where more is."""
        return -1 if self.direction == "maximize" else 1

    def better(self, value: float, than: float) -> bool:
        """Tell whether one value of the objective beats another."""
        return self.sign * value < self.sign * than


class Snapshot(NamedTuple):
    """One consistent look at a sweep.

    Attributes:
        study: Which sweep, and how it stands.
        best: The best trial, or None before the first complete one.
        budget: Envelope and spending, all jobs of the sweep included.
        trials: All trials by number.
        conductor: Who holds the lease or last did; None when nobody ever did.
        proposals: Everything that was proposed to be weighed, oldest first.
        events: The latest events, oldest first.
        jobs: All ledger rows, oldest first.
        taken_at: When this look was taken.
        distributions: Each parameter's latest distribution, as Optuna's JSON.
    """

    study: Study
    best: Best | None
    budget: Budget
    trials: tuple[Trial, ...]
    conductor: Conductor | None
    proposals: tuple[Proposal, ...]
    events: tuple[Event, ...]
    jobs: tuple[Job, ...]
    taken_at: float
    distributions: Mapping[str, str] = MappingProxyType({})

    def trial(self, number: int) -> Trial | None:
        """Return a trial by its number, or None."""
        if 0 <= number < len(self.trials) and self.trials[number].number == number:
            return self.trials[number]
        return next((each for each in self.trials if each.number == number), None)

    @property
    def queued(self) -> tuple[Proposal, ...]:
        """Proposals that still wait to be weighed."""
        return tuple(each for each in self.proposals if each.queued)
