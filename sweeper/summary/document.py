"""The JSON that `status --json` prints (DESIGN.md, section 5: keys and words are pinned)."""

from __future__ import annotations

import math
from datetime import UTC
from datetime import datetime
from typing import Any

from sweeper.summary.records import Best
from sweeper.summary.records import Conductor
from sweeper.summary.records import Job
from sweeper.summary.records import Limit
from sweeper.summary.records import Snapshot
from sweeper.summary.records import Trial

Document = dict[str, Any]


def status(snapshot: Snapshot) -> Document:
    """Return the sweep's state as a JSON-able document. Money is in USD, durations in seconds."""
    study = snapshot.study
    return {
        "study": study.name,
        "uid": study.uid,
        "state": study.state,
        "stop_reason": study.stop_reason,
        "metric": study.metric,
        "direction": study.direction,
        "executor": study.executor,
        "conductor": _conductor(snapshot.conductor),
        "best": _best(snapshot.best),
        "budget": _budget(snapshot),
        "trials": [_trial(trial) for trial in snapshot.trials],
        "proposals": {"queued": len(snapshot.queued)},
    }


def moment(seconds: float | None) -> str | None:
    """Return UTC seconds as ISO 8601 with `Z`."""
    if seconds is None:
        return None
    return f"{datetime.fromtimestamp(seconds // 1, UTC).isoformat()[:19]}Z"


def finite(value: float | None) -> float | None:
    """Return a number that JSON knows; NaN and infinities become null."""
    return value if value is not None and math.isfinite(value) else None


def _conductor(conductor: Conductor | None) -> Document | None:
    if conductor is None:
        return None
    return {
        "alive": conductor.alive,
        "host": conductor.host,
        "pid": conductor.pid,
        "heartbeat_at": moment(conductor.heartbeat_at),
    }


def _best(best: Best | None) -> Document | None:
    if best is None:
        return None
    return {
        "trial": best.trial,
        "value": best.value,
        "params": best.params,
        "confirmed": best.confirmed,
        "evaluated": best.evaluated,
        "noise_floor": best.noise_floor,
    }


def _budget(snapshot: Snapshot) -> Document:
    budget = snapshot.budget
    return {
        "jobs": _limit(budget.jobs),
        "walltime_s": _limit(budget.walltime_s),
        "cost_usd": _limit(budget.micro_usd, per=1e6),
        "elapsed_s": _limit(budget.elapsed_s),
    }


def _limit(limit: Limit, per: float = 1) -> Document:
    if per == 1:
        return {"used": limit.used, "reserved": limit.reserved, "limit": limit.limit}
    return {
        "used": limit.used / per,
        "reserved": limit.reserved / per,
        "limit": None if limit.limit is None else limit.limit / per,
    }


def _trial(trial: Trial) -> Document:
    return {
        "number": trial.number,
        "state": trial.state,
        "origin": trial.origin,
        "value": finite(trial.value),
        "params": trial.params,
        "decision": trial.decision,
        "reason": trial.reason,
        "why": trial.why,
        "source": list(trial.source),
        "ended_by": trial.ended_by,
        "repeat_of": trial.repeat_of,
        "started_at": moment(trial.started_at),
        "finished_at": moment(trial.finished_at),
        "failure": None if trial.failure is None else trial.failure.sentence,
        "jobs": [_job(job) for job in trial.jobs],
    }


def _job(job: Job) -> Document:
    return {
        "purpose": job.purpose,
        "job_id": job.job_id,
        "flavor": job.flavor,
        "stage": job.stage,
        "billed_s": job.billed_s,
        "cost_usd": _cost(job),
        "estimated": job.estimated,
        "url": job.url,
    }


def _cost(job: Job) -> float | None:
    """Return what a job cost: 0 for an attempt that never became one, None while it runs."""
    if job.cost_micro_usd is not None:
        return job.cost_micro_usd / 1e6
    return 0.0 if job.job_id is None else None
