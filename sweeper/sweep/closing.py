"""From a job's end to a told trial: settle, attributes, tell (step 8 of the durable loop).

Settling stores the outcome; everything after it reads only that row, so job and log may vanish,
and may be done again by another conductor.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from sweeper.budget.prices import MICRO
from sweeper.budget.prices import started_minutes
from sweeper.jobs import failure as failures
from sweeper.jobs.executor import JobReport
from sweeper.optimizer.storage import set_trial_attrs
from sweeper.state import claims
from sweeper.state.ledger import JobRow
from sweeper.sweep import outcome as outcomes
from sweeper.sweep.events import Event
from sweeper.sweep.flight import Flight
from sweeper.sweep.session import Session

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

#: Attempts that a trial may lose to the infrastructure.
MAX_LOST = 3


def settle(session: Session, flight: Flight, report: JobReport) -> JobRow:
    """Store what became of a job and what it used, in one transaction.

    Returns:
        The settled row.
    """
    seen = flight.reader.seen
    failure = failures.classify(
        report, list(flight.tail), flight.asked, metric=session.program.goal.metric, seen=seen
    )
    result = outcomes.decide(
        report,
        session.program.goal,
        flight.curve,
        flight.asked,
        failure,
        clipped=flight.row.clipped,
    )
    verdict = result.verdict
    if verdict == "lost" and lost_attempts(session, flight.number) + 1 >= MAX_LOST:
        verdict = "failed"
    charged_s = report.running_s if report.charged_s is None else report.charged_s
    session.ledger.settle(
        session.transaction,
        flight.row.id,
        outcome=verdict,
        value=result.value,
        ended_by=result.ended_by,
        failure=None if result.failure is None else asdict(result.failure),
        stage=report.stage.value,
        started_at=report.started_at,
        finished_at=report.finished_at,
        billed_s=report.running_s,
        charged_s=charged_s,
        cost_micro_usd=None
        if charged_s is None
        else started_minutes(charged_s) * flight.row.micro_usd_per_minute,
        estimated=report.running_s is None,
        url=report.url,
        now=session.now(),
    )
    return session.ledger.job(flight.row.id)


def lost_attempts(session: Session, trial: int) -> int:
    """Return how many attempts of a trial the infrastructure has lost so far."""
    rows = session.ledger.jobs(trial=trial)
    return sum(row.outcome == "lost" and row.duplicate_of is None for row in rows)


def tell(session: Session, row: JobRow, trial_id: int) -> Event:
    """Write a settled trial's attributes and tell the study; doing it again changes nothing."""
    trial = session.storage.get_trial(trial_id)
    if trial.state.is_finished():
        session.ledger.told(session.transaction, row.id)
        return _told_before(row, trial)
    set_trial_attrs(session.storage, trial_id, user=_attributes(session, row))
    _tell(session, row, trial)
    session.ledger.told(session.transaction, row.id)
    return _finished(row)


def _attributes(session: Session, row: JobRow) -> dict[str, object]:
    rows = session.ledger.jobs(trial=row.trial)
    cost = sum(each.cost_micro_usd or 0 for each in rows)
    found: dict[str, object] = {
        "cost_usd": cost / MICRO,
        "running_s": sum(each.billed_s or 0.0 for each in rows),
        "seed": row.seed,
    }
    if row.ended_by is not None:
        found["ended_by"] = row.ended_by
    if row.url is not None:
        found["job_url"] = row.url
    return found


def _tell(session: Session, row: JobRow, trial: FrozenTrial) -> None:
    from optuna.trial import TrialState

    state = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}.get(
        row.outcome or "", TrialState.FAIL
    )
    values = row.value if state is TrialState.COMPLETE else None
    if state is TrialState.PRUNED and not _has_reading(trial):
        values = row.value
    session.study.tell(trial.number, values, state=state, skip_if_finished=True)


def _has_reading(trial: FrozenTrial) -> bool:
    return any(not math.isnan(value) for value in trial.intermediate_values.values())


def _told_before(row: JobRow, trial: FrozenTrial) -> Event:
    """Tell whether the study holds our outcome, or one that somebody else put there."""
    words = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    same_value = row.outcome != "complete" or trial.value == row.value
    if words.get(trial.state.name) == row.outcome and same_value:
        return _finished(row)
    return Event(
        "foreign_tell",
        row.trial,
        {
            "state": words.get(trial.state.name, trial.state.name),
            "value": trial.value if trial.state.name == "COMPLETE" else None,
            "ours": row.outcome,
        },
    )


def _finished(row: JobRow) -> Event:
    kind = {"complete": "trial_finished", "pruned": "pruned"}.get(
        row.outcome or "", "trial_failed"
    )
    return Event(
        kind,
        row.trial,
        {
            "value": row.value,
            "ended_by": row.ended_by,
            "failure": row.failure,
            "running_s": row.billed_s,
            "cost_micro_usd": row.cost_micro_usd,
        },
    )


def not_started(session: Session, trial_id: int, reason: str) -> Event:
    """End a trial that never became a job; its claim is free again and nobody learns from it."""
    from optuna.trial import TrialState

    trial = session.storage.get_trial(trial_id)
    if not trial.state.is_finished():
        set_trial_attrs(session.storage, trial_id, user={"ended_by": "not started"})
        session.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    claims.release(session.opened.database, session.opened.uid, trial.number)
    return Event("trial_failed", trial.number, {"ended_by": "not started", "reason": reason})
