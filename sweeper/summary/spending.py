"""Our own tables read with plain SQL: the ledger, the approval, the lease, verdicts and events."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from sweeper.state import schema
from sweeper.summary.records import Budget
from sweeper.summary.records import Event
from sweeper.summary.records import Failure
from sweeper.summary.records import Job
from sweeper.summary.records import Limit
from sweeper.summary.records import Verdict
from sweeper.summary.rows import Row
from sweeper.summary.rows import Rows

#: How many of the latest events a look carries.
EVENTS = 100

# The fields of `Job` in their order. A job that was submitted and not yet polled stands at the
# platform's first stage.
_JOB = """
SELECT purpose, trial, attempt, state, executor, flavor, job_id,
       CASE WHEN stage IS NOT NULL OR job_id IS NULL THEN stage
            WHEN started_at IS NULL THEN 'SCHEDULING' ELSE 'RUNNING' END,
       outcome, value, COALESCE(ended_by, cancel_reason), failure, timeout_s, billed_s, charged_s,
       cost_micro_usd, reserved_micro_usd, micro_usd_per_minute, estimated, url, seed, reserved_at,
       submitted_at, started_at, finished_at, settled_at
FROM sweeper_job WHERE uid = :uid ORDER BY id
"""
_FAILURE = Job._fields.index("failure")
_ESTIMATED = Job._fields.index("estimated")


def read_jobs(rows: Rows, uid: str) -> tuple[Job, ...]:
    """Return every ledger row of a study, oldest first."""
    return tuple(map(_job, rows.select(_JOB, uid=uid)))


def _job(row: Row) -> Job:
    fields = list(row)
    fields[_FAILURE] = _failure(fields[_FAILURE])
    fields[_ESTIMATED] = bool(fields[_ESTIMATED])
    return Job._make(fields)


def _failure(text: str | None) -> Failure | None:
    if not text:
        return None
    document = json.loads(text)
    return Failure(
        cause=document.get("cause") or "unknown",
        sentence=document.get("sentence") or "",
        excerpt=tuple(document.get("excerpt") or ()),
        fix=document.get("fix") or "",
    )


def by_trial(jobs: tuple[Job, ...]) -> dict[int, tuple[Job, ...]]:
    """Return ledger rows by trial number; those outside a sweep are left out."""
    grouped: dict[int, list[Job]] = defaultdict(list)
    for job in jobs:
        if job.trial is not None:
            grouped[job.trial].append(job)
    return {trial: tuple(each) for trial, each in grouped.items()}


def read_envelope(rows: Rows, uid: str) -> dict[str, Any]:
    """Return the envelope as it was last approved; {} before the first approval."""
    found = rows.select(
        "SELECT covers FROM sweeper_approval WHERE uid = :uid ORDER BY version DESC LIMIT 1",
        uid=uid,
    )
    envelope: dict[str, Any] = json.loads(found[0][0]).get("envelope", {}) if found else {}
    return envelope


#: What `schema.USAGE` says of a study without jobs.
NOTHING_USED: Row = (0, 0, 0.0, 0.0, 0, 0, 0, None)


def read_usage(rows: Rows, uid: str) -> Row:
    """Return what the ledger itself counts, by its own statement."""
    return rows.select(schema.USAGE, uid=uid)[0]


def budget(envelope: dict[str, Any], usage: Row, now: float) -> Budget:
    """Put what the envelope allows beside what the jobs took of it.

    Args:
        envelope: The approved envelope under program.md's keys; may be empty.
        usage: A row of `schema.USAGE`.
        now: UTC seconds up to which calendar time counts.
    """
    jobs, held_jobs, seconds, held_seconds, money, held_money, _, first = usage
    max_cost = envelope.get("max_cost")
    return Budget(
        jobs=Limit(int(jobs), int(held_jobs), envelope.get("max_jobs")),
        walltime_s=Limit(float(seconds), float(held_seconds), envelope.get("max_walltime_s")),
        micro_usd=Limit(
            int(money), int(held_money), None if max_cost is None else round(max_cost * 1e6)
        ),
        elapsed_s=Limit(
            0.0 if first is None else max(0.0, now - first), 0.0, envelope.get("max_elapsed_s")
        ),
        max_timeout_s=envelope.get("max_timeout_s"),
        max_parallel=envelope.get("max_parallel") or 1,
        allowed_flavors=tuple(envelope.get("allowed_flavors") or ()),
    )


def read_verdicts(rows: Rows, uid: str) -> dict[int, Verdict]:
    """Return the verdicts by trial number."""
    found = rows.select(
        "SELECT trial, decision, reason, noise_floor, confirmed FROM sweeper_verdict"
        " WHERE uid = :uid",
        uid=uid,
    )
    return {
        trial: Verdict(decision, reason, floor, None if confirmed is None else bool(confirmed))
        for trial, decision, reason, floor, confirmed in found
    }


def read_claims(rows: Rows, uid: str) -> dict[str, int]:
    """Return which trial claimed which proposal."""
    found = rows.select("SELECT proposal, trial FROM sweeper_claim WHERE uid = :uid", uid=uid)
    return {proposal: trial for proposal, trial in found}


def read_paused(rows: Rows, uid: str) -> set[int]:
    """Return the numbers of trials that were set aside."""
    return {
        row[0] for row in rows.select("SELECT trial FROM sweeper_paused WHERE uid = :uid", uid=uid)
    }


def read_events(rows: Rows, uid: str, *, after: int | None = None) -> tuple[Event, ...]:
    """Return events of a study, oldest first.

    Args:
        rows: The database.
        uid: The study.
        after: Return all behind this event's id; None returns the latest ones.
    """
    columns = "SELECT id, at, kind, trial, detail FROM sweeper_event WHERE uid = :uid"
    if after is None:
        found = rows.select(f"{columns} ORDER BY id DESC LIMIT {EVENTS}", uid=uid)[::-1]
    else:
        found = rows.select(f"{columns} AND id > :after ORDER BY id", uid=uid, after=after)
    return tuple(
        Event(kind, trial, json.loads(detail), at, id_) for id_, at, kind, trial, detail in found
    )
