"""The Hub's job record, read raw, as our own records."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sweeper.jobs.executor import FoundJob
from sweeper.jobs.executor import JobReport
from sweeper.jobs.executor import Stage

RESERVATION = "SWEEPER_RESERVATION"
TIMEOUT_SLACK_S = 1.0  # durations are whole seconds


def report(job: dict[str, Any], endpoint: str) -> JobReport:
    """Return what a record says."""
    status, stage = job.get("status") or {}, _stage(job)
    started, finished = moment(job.get("startedAt")), moment(job.get("finishedAt"))
    running = (job.get("durations") or {}).get("runningSecs")
    return JobReport(
        job_id=str(job["id"]),
        stage=stage,
        started_at=started,
        finished_at=finished,
        running_s=None if running is None else float(running),
        charged_s=_charged_s(stage, started, finished, running),
        exit_code=0 if stage is Stage.COMPLETED else None,
        timed_out=_timed_out(job, stage, running),
        message=status.get("message"),
        cancel_reason=status.get("cancelReason"),
        url=f"{endpoint}/jobs/{(job.get('owner') or {}).get('name')}/{job['id']}",
        platform_attempts=max(1, int(status.get("failureCount") or 0)),
    )


def found(job: dict[str, Any]) -> FoundJob:
    """Return a record as a job that was looked for."""
    reservation = (job.get("environment") or {}).get(RESERVATION)
    return FoundJob(str(job["id"]), reservation, moment(job.get("createdAt")) or 0.0)


def moment(text: str | None) -> float | None:
    """Return an ISO 8601 time as UTC seconds."""
    if not text:
        return None
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _stage(job: dict[str, Any]) -> Stage:
    word = str((job.get("status") or {}).get("stage"))
    # A word that we do not know is no end: the job goes on costing money until the Hub says so.
    return Stage(word) if word in Stage.__members__ else Stage.RUNNING


def _charged_s(
    stage: Stage, started: float | None, finished: float | None, running: float | None
) -> float | None:
    """Return the seconds that count for money: the longer of duration and start to end.

    Durations are whole seconds, so a job of 60.4 s would else be paid as one minute.
    """
    if started is None:  # what DELETED did is no longer known
        return 0.0 if stage in (Stage.CANCELED, Stage.ERROR, Stage.COMPLETED) else None
    if finished is None:
        return None if running is None else float(running)
    return max(float(running or 0.0), finished - started)


def _timed_out(job: dict[str, Any], stage: Stage, running: float | None) -> bool:
    message = (job.get("status") or {}).get("message") or ""
    if message.lower().startswith("job timeout"):
        return True
    limit = job.get("timeout")
    if stage not in (Stage.ERROR, Stage.CANCELED) or running is None or not limit:
        return False
    return stage is Stage.ERROR and running >= float(limit) - TIMEOUT_SLACK_S
