"""Plays a learning curve and spends nothing: to rehearse a sweep, and the tests' double.

A job is a row in one JSON file; all that it says and does follows from that row and the clock, so
jobs go on while nobody looks and another process finds them again. Faults are kept in the row too.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Literal

from sweeper.errors import NothingCreatedError
from sweeper.errors import OutcomeUnknownError
from sweeper.jobs import metrics
from sweeper.jobs.executor import FoundJob
from sweeper.jobs.executor import JobReport
from sweeper.jobs.executor import JobSpec
from sweeper.jobs.executor import Stage
from sweeper.jobs.executor import Tail
from sweeper.program import Scalar
from sweeper.state.ledger import Reservation

#: What can go wrong with a submission or with the job it makes.
Fault = Literal["refuse", "lose answer", "duplicate", "vanish", "stall", "crash", "oom", "diverge"]

#: Readings of a job; fewer where the program's axis has fewer steps.
READINGS = 20
#: Share of the curve after which a job with a fault shows it.
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class _Job:
    """One job as it lies in the file; times are UTC seconds."""

    job_id: str
    purpose: str
    reservation: str
    metric: str
    params: dict[str, Scalar]
    seed: int
    readings: int
    axis_end: int
    reading_s: float
    timeout_s: float
    created_at: float
    fault: Fault | None = None
    cancelled_at: float | None = None

    def end(self) -> tuple[float, Stage]:
        """Return when the job ends and how; a job that stalls ends by its timeout."""
        fates = {"vanish": Stage.DELETED, "crash": Stage.ERROR, "oom": Stage.ERROR}
        stage = fates.get(self.fault or "", Stage.COMPLETED)
        share = _HALF if self.fault in fates else math.inf if self.fault == "stall" else 1.0
        own = self.created_at + self.readings * self.reading_s * share
        cut = self.created_at + self.timeout_s
        asked = math.inf if self.cancelled_at is None else self.cancelled_at
        first = min(own, cut, asked)
        if first == own:
            return own, stage
        return first, Stage.CANCELED if first == asked else Stage.ERROR

    def report(self, now: float) -> JobReport:
        """Return how the job stands at `now`."""
        at, stage = self.end()
        if now < at:
            return JobReport(self.job_id, Stage.RUNNING, started_at=self.created_at)
        ran = at - self.created_at
        failed = stage is Stage.ERROR
        timed_out = failed and ran >= self.timeout_s
        exit_code = 0 if stage is Stage.COMPLETED else 1 if failed and not timed_out else None
        return JobReport(
            self.job_id,
            stage,
            started_at=self.created_at,
            finished_at=at,
            running_s=ran,
            charged_s=ran,
            exit_code=exit_code,
            timed_out=timed_out,
        )

    def lines(self, now: float) -> list[str]:
        """Return what the job has said until `now`."""
        at, _ = self.end()
        said = [self._line(n) for n in range(1, self._reached(min(now, at)) + 1)]
        return said + (self._last_words() if now >= at else [])

    def _reached(self, at: float) -> int:
        # the product of readings and seconds may fall a hair short of a whole one
        reached = math.floor((at - self.created_at) / self.reading_s + 1e-6)
        halfway = math.floor(self.readings * _HALF)
        return min(reached, halfway if self.fault == "stall" else self.readings)

    def _line(self, reading: int) -> str:
        share = reading / self.readings
        diverges = self.fault == "diverge" and share > _HALF
        value = math.nan if diverges else curve(self.params, self.seed, share)
        step = round(self.axis_end * share)
        return metrics.format_line(**{"step": step, self.metric: value})

    def _last_words(self) -> list[str]:
        if self.fault == "oom":
            return ["torch.OutOfMemoryError: CUDA out of memory. (played)"]
        if self.fault == "crash":
            frame = '  File "train.py", line 1, in <module>'
            return ["Traceback (most recent call last):", frame, "RuntimeError: played"]
        return []


def curve(params: Mapping[str, Scalar], seed: int, share: float) -> float:
    """Return the value at a share (0..1) of the training: a bowl over the parameters, with noise.

    The same parameters, seed and share always give the same value. Smaller is better.
    """
    distance = sum(_distance(name, value) for name, value in params.items())
    noise = random.Random(f"{seed} {share}").gauss(0.0, 0.005)
    return 0.5 + distance + (1.5 + distance) * math.exp(-4.0 * share) + noise


def _distance(name: str, value: Scalar) -> float:
    """Return how far a value is from the best one, which the parameter's name alone decides."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return random.Random(f"{name}={value}").uniform(0.0, 0.2)
    best = random.Random(name).uniform(-1.0, 1.0)
    size = math.log10(abs(value) + 1e-9) / 6.0
    return (math.copysign(size, value or 1.0) - best) ** 2 * 0.3


class DryExecutor:
    """Jobs that are played instead of run.

    Args:
        run_folder: The `runs/` folder; the jobs lie in `dry.json` there.
        uid: The study's uid; jobs of others are ignored.
        study: The study's name.
        clock: UTC seconds; a test moves its own.
        reading_s: Seconds between two readings.
        faults: How many of the next submissions meet which fault, in this order.
    """

    name = "dry"
    tick_s = 0.05

    def __init__(
        self,
        run_folder: Path,
        uid: str,
        study: str,
        *,
        clock: Callable[[], float] = time.time,
        reading_s: float = 0.25,
        faults: Mapping[Fault, int] | None = None,
    ) -> None:
        self.study = study
        self.faults: dict[Fault, int] = dict(faults or {})
        self._file = run_folder.absolute() / "dry.json"
        self._uid = uid
        self._clock = clock
        self._reading_s = reading_s
        self._jobs: dict[str, _Job] = self._load()

    def submit(self, spec: JobSpec, paid: Reservation) -> str:
        """Note a job down; handing in the same reservation again makes no second one.

        Raises:
            NothingCreatedError: The fault `refuse` is on.
            OutcomeUnknownError: The fault `lose answer` is on; the job exists.
        """
        known = [job for job in self.matches(paid.purpose) if job.reservation == paid.nonce]
        if known:
            return known[0].job_id
        fault = self._next_fault()
        if fault == "refuse":
            raise NothingCreatedError("the played platform refuses this job")
        job = self._job(spec, paid, fault)
        self._put(job)
        if fault == "duplicate":
            self._put(replace(job, job_id=f"{job.job_id}-again", created_at=self._clock()))
        if fault == "lose answer":
            raise OutcomeUnknownError("the played answer was lost")
        return job.job_id

    def _next_fault(self) -> Fault | None:
        for fault, left in self.faults.items():
            if left > 0:
                self.faults[fault] = left - 1
                return fault
        return None

    def _job(self, spec: JobSpec, paid: Reservation, fault: Fault | None) -> _Job:
        axis = spec.training.resource
        axis_end = (axis.scaled_max if axis else None) or READINGS
        return _Job(
            job_id=f"dry-{paid.nonce[:12]}",
            purpose=paid.purpose,
            reservation=paid.nonce,
            metric=spec.metric,
            params=dict(spec.params),
            seed=spec.seed,
            readings=min(READINGS, axis_end),
            axis_end=axis_end,
            reading_s=self._reading_s,
            timeout_s=paid.timeout_s,
            created_at=self._clock(),
            fault=fault,
        )

    def poll(self, job_ids: Collection[str]) -> dict[str, JobReport]:
        """Report on jobs as the clock has it; one that has vanished is absent."""
        now = self._clock()
        known = (self._jobs[job_id] for job_id in job_ids if job_id in self._jobs)
        reports = {job.job_id: job.report(now) for job in known}
        return {k: report for k, report in reports.items() if report.stage is not Stage.DELETED}

    def tail(self, job_id: str, cursor: str) -> Tail:
        """Return the lines behind `cursor`, a count of lines."""
        job, now = self._jobs.get(job_id), self._clock()
        if job is None:
            return Tail([], cursor, complete=False)
        lines, read = job.lines(now), int(cursor or 0)
        return Tail(lines[read:], str(len(lines)), complete=job.report(now).stage.terminal)

    def cancel(self, job_id: str) -> None:
        """End a job now, unless it has ended."""
        job, now = self._jobs.get(job_id), self._clock()
        if job is not None and job.cancelled_at is None and not job.report(now).stage.terminal:
            self._put(replace(job, cancelled_at=now))

    def find(self, purpose: str) -> str | None:
        """Return the id of the oldest job that bears `purpose`, or None."""
        return next((found.job_id for found in self.matches(purpose)), None)

    def matches(self, purpose: str) -> list[FoundJob]:
        """Return every job that bears `purpose`, oldest first."""
        jobs = [job for job in self._jobs.values() if job.purpose == purpose]
        found = [FoundJob(job.job_id, job.reservation, job.created_at) for job in jobs]
        return sorted(found, key=lambda job: job.created_at)

    def close(self) -> None:
        """Do nothing: the file holds everything."""

    def _load(self) -> dict[str, _Job]:
        if not self._file.exists():
            return {}
        document = json.loads(self._file.read_text(encoding="utf-8"))
        jobs = [_Job(**row) for row in document["jobs"]] if document["uid"] == self._uid else []
        return {job.job_id: job for job in jobs}

    def _put(self, job: _Job) -> None:
        """Keep a job; whoever reads the file sees it as before or as after."""
        self._jobs[job.job_id] = job
        rows = [asdict(each) for each in self._jobs.values()]
        document = json.dumps({"uid": self._uid, "jobs": rows})
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_suffix(".new")
        temporary.write_text(document, encoding="utf-8")
        temporary.replace(self._file)
