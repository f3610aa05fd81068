"""Taking up what an earlier conductor left: once, before anything new is begun."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field

from sweeper.optimizer.storage import OWNER
from sweeper.state import paused
from sweeper.state.ledger import JobRow
from sweeper.state.schema import OPEN_STATES
from sweeper.sweep import closing
from sweeper.sweep.events import Event
from sweeper.sweep.flight import Flight
from sweeper.sweep.flight import of_row
from sweeper.sweep.session import Session


@dataclass
class Leftovers:
    """What an earlier conductor left unfinished.

    Attributes:
        flights: Jobs that may be running.
        unstarted: Optuna's ids of trials that have an owner and no job yet.
        lost: Optuna's ids of trials whose last attempt was lost.
    """

    flights: list[Flight] = field(default_factory=list)
    unstarted: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)


def reattach(session: Session, leftovers: Leftovers) -> Iterator[Event]:
    """Sort every running trial of ours by how far it came, and finish what only needs telling.

    Trials that run and are not ours are never touched.
    """
    from optuna.trial import TrialState

    aside = paused.load(session.opened.database, session.opened.uid)
    by_trial: dict[int, list[JobRow]] = {}
    for row in session.ledger.jobs():
        if row.trial is not None:
            by_trial.setdefault(row.trial, []).append(row)
    for trial in session.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if OWNER not in trial.user_attrs or trial.number in aside:
            continue
        rows = [row for row in by_trial.get(trial.number, []) if row.duplicate_of is None]
        event = _take_up(session, trial._trial_id, rows, leftovers)
        if event is not None:
            yield event
    _told_behind_our_back(session, leftovers)


def _take_up(
    session: Session, trial_id: int, rows: list[JobRow], leftovers: Leftovers
) -> Event | None:
    """Continue one trial from the row of its newest attempt."""
    rows = [row for row in rows if row.state != "given_back"]
    newest = rows[-1] if rows else None
    if newest is None:
        leftovers.unstarted.append(trial_id)
    elif newest.state == "reserved":
        # Money was set aside and nothing was sent: free it, and ask anew.
        session.ledger.give_back(session.transaction, newest.id, session.now())
        (leftovers.unstarted if len(rows) == 1 else leftovers.lost).append(trial_id)
    elif newest.state == "settled" and newest.outcome == "lost":
        leftovers.lost.append(trial_id)
    elif newest.state == "settled":
        return closing.tell(session, newest, trial_id)
    else:
        leftovers.flights.append(of_row(session, newest, trial_id))
        return Event("job_adopted", newest.trial, {"job_id": newest.job_id})
    return None


def _told_behind_our_back(session: Session, leftovers: Leftovers) -> None:
    """Watch jobs whose trial somebody told meanwhile, and late duplicates: they cost money too."""
    watched = {flight.row.id for flight in leftovers.flights}
    ids = {t.number: t._trial_id for t in session.study.get_trials(deepcopy=False)}
    for row in session.ledger.jobs(states=OPEN_STATES):
        if row.trial is None or row.trial not in ids or row.id in watched:
            continue
        if row.state == "reserved":
            session.ledger.give_back(session.transaction, row.id, session.now())
        else:
            leftovers.flights.append(of_row(session, row, ids[row.trial]))
