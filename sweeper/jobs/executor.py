"""The socket between the conductor and whatever runs a job, and the records that pass through it.

An executor submits, polls, cancels and finds; it never decides, never counts money and never
retries a submission: what became of a request is said by the error it raises (`errors.py`).
`local.py`, `hf.py` and `dry.py` are the plugs; one contract suite runs over all of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from sweeper.program import Scalar
from sweeper.program import Training
from sweeper.state.ledger import Reservation


class Stage(StrEnum):
    """Where a job stands, in the platform's own words."""

    #: Accepted, not yet running; nothing is billed.
    SCHEDULING = "SCHEDULING"
    #: Its process runs (or its container starts).
    RUNNING = "RUNNING"
    #: Ended by itself with exit code 0.
    COMPLETED = "COMPLETED"
    #: Ended by itself in any other way, or cut by its timeout.
    ERROR = "ERROR"
    #: Ended because somebody asked for it.
    CANCELED = "CANCELED"
    #: Removed; what it did is no longer known.
    DELETED = "DELETED"
    #: The machine or its runner is gone; the job cannot have ended well.
    LOST = "LOST"

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self not in (Stage.SCHEDULING, Stage.RUNNING)


@dataclass(frozen=True, slots=True)
class JobSpec:
    """Everything that an executor must know to run one attempt of one trial.

    Attributes:
        study: Name of the study.
        uid: The study's uid, 8 hexadecimal digits.
        trial: Number of the trial; None outside a sweep.
        attempt: "1", "2", … for attempts, "e1", … for evaluations.
        folder: Folder of program.md; the script's paths are relative to it.
        job_folder: This attempt's own folder on this machine (log, claim, spec, exit, output).
        training: The program's Training block.
        params: Active parameters with their values; inactive conditional ones are absent.
        metric: Name of the objective, as the script reports it.
        seed: Seed of this attempt.
        output_repo: Hub repository this trial may push to, or None.
        resume_from: Checkpoint to resume from, or None.
        env: Further environment variables, on top of the program's.
    """

    study: str
    uid: str
    trial: int | None
    attempt: str
    folder: Path
    job_folder: Path
    training: Training
    params: dict[str, Scalar]
    metric: str
    seed: int
    output_repo: str | None = None
    resume_from: str | None = None
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobReport:
    """What is known of one job at one moment.

    Attributes:
        job_id: The executor's name of the job.
        stage: Where it stands.
        started_at: When its process began, UTC seconds; None before.
        finished_at: When it ended, UTC seconds; None before.
        running_s: Seconds it ran as the platform reports them; None while unknown.
        charged_s: Seconds that money counts for (starting and running); None while unknown.
        exit_code: The script's exit code; None where the platform does not say.
        signal: Number of the signal that ended it, or None.
        timed_out: Whether its own timeout ended it.
        message: The platform's own words, or None.
        cancel_reason: Why the platform cancelled it (NO_CREDITS, …), or None.
        url: Page of the job, or None.
        platform_attempts: How often the platform itself started the command.
    """

    job_id: str
    stage: Stage
    started_at: float | None = None
    finished_at: float | None = None
    running_s: float | None = None
    charged_s: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    timed_out: bool = False
    message: str | None = None
    cancel_reason: str | None = None
    url: str | None = None
    platform_attempts: int = 1


@dataclass(frozen=True, slots=True)
class FoundJob:
    """A job that carries our purpose, found by looking rather than by remembering."""

    job_id: str
    reservation: str | None
    created_at: float


@dataclass(frozen=True, slots=True)
class Tail:
    """New log lines of a job, each once, and the cursor that stands behind them.

    Attributes:
        lines: Complete lines without their ends, oldest first.
        cursor: Opaque text; handing it back yields what follows.
        complete: Whether the job has ended and this is all it will ever have said.
    """

    lines: list[str]
    cursor: str
    complete: bool


class Executor(Protocol):
    """Runs jobs. Every method may raise `UnavailableError` and `AccountError`.

    Args of the constructors are each executor's own; the conductor only knows this protocol.
    """

    #: "local", "hf" or "dry"; recorded with every job.
    name: str
    #: Seconds between two looks of the conductor; looking that often must cost next to nothing.
    tick_s: float

    def submit(self, spec: JobSpec, paid: Reservation) -> str:
        """Start one job and return its id.

        Sends the request once. `paid` carries flavor, timeout and the reservation that the job
        must bear in its environment as `SWEEPER_RESERVATION`.

        Raises:
            NothingCreatedError: It was refused; no job exists.
            OutcomeUnknownError: The answer was lost; a job may exist.
        """

    def poll(self, job_ids: Collection[str]) -> dict[str, JobReport]:
        """Report on jobs, in as few requests as the platform allows. Unknown ids are absent."""

    def tail(self, job_id: str, cursor: str) -> Tail:
        """Return the log lines behind `cursor` ("" is the beginning); never blocks for long."""

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job; of one that has ended, do nothing."""

    def find(self, purpose: str) -> str | None:
        """Return the id of the oldest job that bears `purpose`, or None."""

    def matches(self, purpose: str) -> list[FoundJob]:
        """Return every job that bears `purpose`, oldest first, with the reservation it carries."""

    def close(self) -> None:
        """Let go of connections and threads; jobs go on."""
