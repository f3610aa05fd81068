"""From a yes to a job: a trial with an owner, its parameters, money set aside, one submission.

The steps and their order are those of the durable loop (steps 2 to 5); each leaves behind what the
next conductor needs to go on, should this one die.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from sweeper.budget import rules
from sweeper.errors import AccountError
from sweeper.errors import NothingCreatedError
from sweeper.errors import OutcomeUnknownError
from sweeper.errors import ProposalError
from sweeper.errors import ScriptError
from sweeper.errors import StateError
from sweeper.errors import UnavailableError
from sweeper.jobs.executor import FoundJob
from sweeper.jobs.executor import JobSpec
from sweeper.optimizer import space
from sweeper.optimizer.storage import OWNER
from sweeper.optimizer.storage import begun
from sweeper.optimizer.storage import create_owned_trial
from sweeper.optimizer.storage import set_intermediate_values
from sweeper.optimizer.storage import set_trial_attrs
from sweeper.state import approval
from sweeper.state.ledger import JobRow
from sweeper.state.ledger import Reservation
from sweeper.sweep.flight import Flight
from sweeper.sweep.flight import of_row
from sweeper.sweep.session import Session

if TYPE_CHECKING:
    import optuna

#: Seconds during which a created job may stay invisible (LOOP.md, section 8).
SETTLE_WINDOW_S = float(os.environ.get("SWEEPER_SETTLE_WINDOW_S", "10"))

_LONGEST_BACKOFF_S = 60.0


def next_trial(session: Session) -> optuna.Trial:
    """Create the next trial with its owner: the baseline, what is queued, or a new one."""
    epoch = {"verdict_epoch": session.opened.row.verdict_epoch}
    if not has_baseline(session):
        return create_owned_trial(
            session.study,
            session.lease.epoch,
            fixed_params=session.program.defaults(),
            user_attrs={"origin": "baseline", **epoch},
        )
    queued = _claim_waiting(session)
    if queued is not None:
        return queued
    return create_owned_trial(
        session.study, session.lease.epoch, user_attrs={"origin": "model", **epoch}
    )


def has_baseline(session: Session) -> bool:
    """Tell whether the defaults were tried with the present script."""
    epoch = session.opened.row.verdict_epoch
    return any(
        trial.user_attrs.get("origin") == "baseline"
        and trial.user_attrs.get("verdict_epoch", 1) == epoch
        and trial.user_attrs.get("ended_by") != "not started"
        for trial in session.study.get_trials(deepcopy=False)
    )


def _claim_waiting(session: Session) -> optuna.Trial | None:
    """Claim the first trial that waits: owner first, then a compare-and-set to RUNNING."""
    from optuna.trial import TrialState

    waiting = session.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    for trial in waiting:
        mine = {
            OWNER: session.lease.epoch,
            "origin": trial.user_attrs.get("origin", "queued"),
            "verdict_epoch": session.opened.row.verdict_epoch,
        }
        set_trial_attrs(session.storage, trial._trial_id, user=mine)
        if session.storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
            return begun(session.study, trial._trial_id)
    return None


def parameters(session: Session, trial: optuna.Trial) -> dict[str, Any]:
    """Suggest every active parameter and return what the study then holds.

    Raises:
        SpaceExhausted: No configuration is left.
        ProposalError: What was queued does not fit the search space.
    """
    try:
        space.suggest(trial, session.program)
    except ValueError as error:
        raise ProposalError(f"Trial {trial.number} cannot run: {error}") from error
    # The first write wins, so the study is asked for what it holds.
    return dict(session.storage.get_trial(trial._trial_id).params)


def reserve(
    session: Session, trial: optuna.Trial, params: dict[str, Any], attempt: str, flavor: str
) -> Reservation:
    """Set aside what the attempt can cost at most.

    Raises:
        BudgetRefusedError: The envelope says no.
    """
    return session.ledger.reserve(
        session.transaction,
        purpose=f"{session.opened.row.name}/{trial.number}/{attempt}",
        trial=trial.number,
        attempt=attempt,
        executor=session.executor.name,
        flavor=flavor,
        micro_usd_per_minute=session.price(flavor),
        params=params,
        seed=trial.number,
        now=session.now(),
    )


def begin_attempt(session: Session, trial_id: int, attempt: str) -> None:
    """Void the readings of an earlier attempt: this one starts at the beginning."""
    if attempt == "1":
        return
    old = session.storage.get_trial(trial_id).intermediate_values
    if old:
        set_intermediate_values(session.storage, {trial_id: dict.fromkeys(old, math.nan)})


def send(session: Session, reservation: Reservation, trial_id: int) -> Flight:
    """Submit a reserved job once.

    `submitting` is durable before the request leaves, and the lease is checked in between. A lost
    answer leaves a flight without a job id, for `resolve`.

    Raises:
        NothingCreatedError: The request was refused; what was reserved is free again.
        AccountError: A person must act; the same.
    """
    now = session.now()
    session.ledger.submitting(session.transaction, reservation, now)
    row = session.ledger.job(reservation.id)
    flight = of_row(session, row, trial_id)
    _post(session, flight, reservation)
    return flight


def _post(session: Session, flight: Flight, reservation: Reservation) -> None:
    session.lease.check()
    flight.posts += 1
    try:
        job_id = session.executor.submit(job_spec(session, reservation), reservation)
    except OutcomeUnknownError:
        flight.look_again_at = session.now()
    except UnavailableError as error:
        backoff = min(_LONGEST_BACKOFF_S, 2.0**flight.posts)
        flight.look_again_at = session.now() + (error.retry_after_s or backoff)
    except (NothingCreatedError, AccountError, ScriptError):
        # Said to have created nothing. After any other error the row stays as it is, because
        # the request may have left; the next look finds its job or sends it again.
        session.ledger.give_back(session.transaction, reservation.id, session.now())
        raise
    else:
        _submitted(session, flight, reservation, job_id)


def _submitted(session: Session, flight: Flight, reservation: Reservation, job_id: str) -> None:
    session.ledger.submitted(session.transaction, reservation, job_id, session.now())
    flight.job_id = job_id
    flight.row = session.ledger.job(reservation.id)


def resolve(session: Session, flight: Flight) -> Literal["found", "waiting", "withdrawn"]:
    """Look for the job of a lost answer: adopt the oldest, or after the settle window send again.

    Returns:
        "withdrawn" where the rules no longer allow what was reserved: it is free again, and the
        trial has to be reserved for anew.

    Raises:
        StateError: The job bears our purpose and a foreign reservation: a copied folder.
    """
    reservation = session.ledger.again(flight.row.id)
    found = ours(session, flight.row)
    if found:
        _submitted(session, flight, reservation, found[0].job_id)
        return "found"
    waited = session.now() - (flight.row.submitting_at or 0.0)
    if waited < SETTLE_WINDOW_S:
        flight.look_again_at = session.now() + min(1.0, SETTLE_WINDOW_S / 4)
        return "waiting"
    if not _still_allowed(session, flight.row):
        session.ledger.give_back(session.transaction, flight.row.id, session.now())
        return "withdrawn"
    flight.look_again_at = session.now() + SETTLE_WINDOW_S
    _post(session, flight, reservation)
    return "waiting" if flight.job_id is None else "found"


def _still_allowed(session: Session, row: JobRow) -> bool:
    """Tell whether the envelope in force would reserve for this row what it holds."""
    current = approval.current(session.opened.database, session.opened.uid)
    if current is None:
        return False
    held = session.ledger.usage()
    others = rules.Usage(
        jobs_used=held.jobs_used,
        jobs_reserved=held.jobs_reserved - 1,
        walltime_s_used=held.walltime_s_used,
        walltime_s_reserved=held.walltime_s_reserved - row.timeout_s,
        micro_usd_used=held.micro_usd_used,
        micro_usd_reserved=held.micro_usd_reserved - row.reserved_micro_usd,
        in_flight=held.in_flight - 1,
        first_submitted_at=held.first_submitted_at,
    )
    answer = rules.decide(
        rules.Envelope.from_document(current.covers.envelope),
        others,
        row.flavor,
        row.micro_usd_per_minute,
        session.ledger.completed_durations(),
        session.now(),
    )
    return isinstance(answer, rules.Grant) and answer.timeout_s >= row.timeout_s


def ours(session: Session, row: JobRow) -> list[FoundJob]:
    """Return the jobs that bear a row's reservation, oldest first.

    Raises:
        StateError: One bears its purpose, but a reservation that this study never made.
    """
    found = session.executor.matches(row.purpose)
    known = {each.reservation for each in session.ledger.jobs(trial=row.trial)}
    foreign = [job for job in found if job.reservation not in (None, *known)]
    if foreign:
        raise StateError(
            f"The job {foreign[0].job_id} bears the purpose {row.purpose} of this study,"
            " but not its reservation: this folder seems to be a copy of another one.",
            hint="Run the sweep from the original folder, or begin a new study in a new folder.",
        )
    return [job for job in found if job.reservation == row.reservation]


def duplicates(session: Session, flight: Flight) -> list[Flight]:
    """Book every job that a flight's requests created besides its own; the judge ends them."""
    booked = {row.job_id for row in session.ledger.jobs(trial=flight.row.trial)}
    found = [job.job_id for job in ours(session, flight.row) if job.job_id not in booked]
    return [_duplicate(session, flight, job_id) for job_id in found]


def _duplicate(session: Session, flight: Flight, job_id: str) -> Flight:
    row_id = session.ledger.duplicate(session.transaction, flight.row.id, job_id, session.now())
    return of_row(session, session.ledger.job(row_id), flight.trial_id)


def job_spec(session: Session, reservation: Reservation) -> JobSpec:
    """Return what the executor must know of an attempt."""
    program, opened = session.program, session.opened
    if reservation.trial is None:
        raise NothingCreatedError("A job outside a sweep has no place here.")
    return JobSpec(
        study=opened.row.name,
        uid=opened.uid,
        trial=reservation.trial,
        attempt=reservation.attempt,
        folder=program.folder,
        job_folder=opened.folder.attempt(reservation.trial, reservation.attempt),
        training=program.training,
        params=reservation.params,
        metric=program.goal.metric,
        seed=reservation.seed,
        output_repo=output_repo(session, reservation.trial),
    )


def output_repo(session: Session, trial: int) -> str | None:
    """Return the repository that a trial may push to: `*` becomes `<study>-<uid>-<trial>`."""
    patterns = session.program.scope.output_repos
    if not patterns:
        return None
    name = f"{session.opened.row.name}-{session.opened.uid}-{trial}"
    return patterns[0].replace("*", name)
