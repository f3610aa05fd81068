"""The ledger: money is reserved before it is spent, and settled to what was used.

`reserved -> submitting -> submitted -> [cancelling] -> terminal -> settled`, one transaction a
step and never backwards; `given_back` is what created no job. Only this file makes a
`Reservation`, and no executor submits without one.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping

import sqlalchemy
from sqlalchemy import Connection
from sqlalchemy import func

from sweeper.budget import rules
from sweeper.errors import RefusedError
from sweeper.state import approval
from sweeper.state import booking
from sweeper.state import tables
from sweeper.state.accounts import Accounts
from sweeper.state.booking import JobRow
from sweeper.state.booking import Reservation
from sweeper.state.database import Transactions
from sweeper.state.database import writing

__all__ = ["BudgetRefusedError", "JobRow", "Ledger", "Reservation"]

_HAS_JOB = ("submitted", "cancelling", "terminal")
# What a duplicate has in common with the row whose request created it.
_COPIED = (
    "uid",
    "purpose",
    "trial",
    "attempt",
    "executor",
    "flavor",
    "timeout_s",
    "clipped",
    "micro_usd_per_minute",
    "reserved_micro_usd",
    "params",
    "seed",
    "reserved_at",
    "submitting_at",
)
_OUTCOMES = ("complete", "pruned", "failed", "lost")


class BudgetRefusedError(RefusedError):
    """The envelope does not allow another job now.

    Attributes:
        refusal: The rule that said so, and whether waiting may help.
    """

    def __init__(self, refusal: rules.Refusal) -> None:
        super().__init__(refusal.sentence, hint=refusal.hint)
        self.refusal = refusal


class Ledger(Accounts):
    """The jobs of one study. Every method that writes is one transaction.

    Each takes first where to write: a factory of transactions (a lease's, which checks the epoch,
    or the database's own) or a transaction that is open already, to join several steps.
    """

    def reserve(
        self,
        where: Connection | Transactions,
        *,
        purpose: str,
        trial: int | None,
        attempt: str,
        executor: str,
        flavor: str,
        micro_usd_per_minute: int,
        params: Mapping[str, object],
        seed: int,
        now: float,
        held_back_jobs: int = 0,
    ) -> Reservation:
        """Decide whether one more job may run, and reserve what it can cost at most.

        Args:
            where: Where to write.
            purpose: `<study>/<trial>/<attempt>`.
            trial: Number of the trial; None outside a sweep.
            attempt: "1", "2", … or "e1", … for an evaluation.
            executor: "local", "hf" or "dry".
            flavor: Hardware.
            micro_usd_per_minute: Price of a started minute.
            params: The trial's parameters as read back from the study.
            seed: Seed of the attempt.
            now: UTC seconds.
            held_back_jobs: Jobs of the envelope that are kept for something else.

        Raises:
            NotApprovedError: Nobody approved this study, or not this executor.
            BudgetRefusedError: The envelope says no.
            StateError: The purpose has a job already.
        """
        with writing(where) as connection:
            grant = self._grant(
                connection, purpose, executor, flavor, micro_usd_per_minute, now, held_back_jobs
            )
            row_id = booking.insert(
                connection,
                {
                    "uid": self.uid,
                    "purpose": purpose,
                    "trial": trial,
                    "attempt": attempt,
                    "reservation": secrets.token_hex(16),
                    "state": "reserved",
                    "executor": executor,
                    "flavor": flavor,
                    "timeout_s": grant.timeout_s,
                    "clipped": int(grant.clipped),
                    "micro_usd_per_minute": micro_usd_per_minute,
                    "reserved_micro_usd": grant.micro_usd,
                    "params": json.dumps(dict(params)),
                    "seed": seed,
                    "reserved_at": now,
                    "told": 0,
                },
            )
            return booking.reservation(booking.load(connection, self.uid, row_id))

    def again(self, row_id: int) -> Reservation:
        """Return the reservation of a row whose request may be sent once more.

        Raises:
            StateError: The row is not in the state `submitting`.
        """
        with self._database.read() as connection:
            row = booking.load(connection, self.uid, row_id)
        if row.state != "submitting":
            raise booking.refused_step(row, "be submitted again")
        return booking.reservation(row)

    def submitting(
        self, where: Connection | Transactions, reservation: Reservation, now: float
    ) -> None:
        """Record that the request is about to be sent; durable before it is."""
        first = func.coalesce(tables.job.c.submitting_at, now)
        with writing(where) as connection:
            booking.move(
                connection,
                self.uid,
                reservation.id,
                ("reserved", "submitting"),
                state="submitting",
                submitting_at=first,
            )

    def submitted(
        self, where: Connection | Transactions, reservation: Reservation, job_id: str, now: float
    ) -> None:
        """Record the job that the request created, or that was found and adopted.

        Raises:
            StateError: The row has another job already; that is a `duplicate`.
        """
        with writing(where) as connection:
            row = booking.load(connection, self.uid, reservation.id)
            if row.job_id == job_id:
                return
            booking.move(
                connection,
                self.uid,
                row.id,
                ("submitting",),
                state="submitted",
                job_id=job_id,
                submitted_at=now,
            )

    def give_back(self, where: Connection | Transactions, row_id: int, now: float) -> None:
        """Free what was reserved for a request that created nothing."""
        with writing(where) as connection:
            booking.move(
                connection,
                self.uid,
                row_id,
                ("reserved", "submitting"),
                state="given_back",
                settled_at=now,
                billed_s=0.0,
                cost_micro_usd=0,
            )

    def running(self, where: Connection | Transactions, row_id: int, started_at: float) -> None:
        """Record when the job's process began."""
        first = func.coalesce(tables.job.c.started_at, started_at)
        with writing(where) as connection:
            booking.move(
                connection,
                self.uid,
                row_id,
                ("submitted", "cancelling"),
                stage="RUNNING",
                started_at=first,
            )

    def cancelling(
        self, where: Connection | Transactions, row_id: int, reason: str, now: float
    ) -> None:
        """Record that the job is to be ended and why; the first reason stands."""
        with writing(where) as connection:
            booking.move(
                connection,
                self.uid,
                row_id,
                ("submitted", "cancelling"),
                state="cancelling",
                cancelling_at=func.coalesce(tables.job.c.cancelling_at, now),
                cancel_reason=func.coalesce(tables.job.c.cancel_reason, reason),
            )

    def terminal(
        self,
        where: Connection | Transactions,
        row_id: int,
        stage: str,
        finished_at: float | None,
    ) -> None:
        """Record that the job has ended; what it cost may not be known yet."""
        with writing(where) as connection:
            booking.move(
                connection,
                self.uid,
                row_id,
                _HAS_JOB,
                state="terminal",
                stage=stage,
                finished_at=booking.kept("finished_at", finished_at),
            )

    def settle(
        self,
        where: Connection | Transactions,
        row_id: int,
        *,
        outcome: str,
        value: float | None,
        ended_by: str | None,
        failure: Mapping[str, object] | None,
        stage: str,
        started_at: float | None,
        finished_at: float | None,
        billed_s: float | None,
        charged_s: float | None,
        cost_micro_usd: int | None,
        estimated: bool,
        url: str | None,
        now: float,
    ) -> None:
        """Store what became of the job and what it used; all that follows reads only this row.

        Args:
            where: Where to write.
            row_id: `sweeper_job.id`.
            outcome: complete, pruned, failed, or lost (another attempt follows).
            value: The objective, or None.
            ended_by: What ended the trial early, or None.
            failure: The classified failure, or None.
            stage: The platform's last word.
            started_at: UTC seconds, or None where unknown.
            finished_at: UTC seconds, or None where unknown.
            billed_s: Running seconds; None, where unknown, books all that was reserved.
            charged_s: Seconds that money counts for, or None where unknown.
            cost_micro_usd: Cost; None, where unknown, books all that was reserved.
            estimated: Whether seconds or cost are not the platform's own.
            url: Page of the job, or None.
            now: UTC seconds.

        Raises:
            StateError: The row has no job, or is settled already.
        """
        if outcome not in _OUTCOMES:
            raise ValueError(f"outcome {outcome!r} is none of {', '.join(_OUTCOMES)}")
        booking.refuse_unpayable(billed_s, charged_s, cost_micro_usd)
        unknown = billed_s is None or cost_micro_usd is None
        job = tables.job.c
        with writing(where) as connection:
            booking.move(
                connection,
                self.uid,
                row_id,
                _HAS_JOB,
                state="settled",
                outcome=outcome,
                value=None if value is None or math.isnan(value) else value,
                ended_by=ended_by,
                failure=None if failure is None else json.dumps(dict(failure)),
                stage=stage,
                started_at=booking.kept("started_at", started_at),
                finished_at=booking.kept("finished_at", finished_at),
                billed_s=job.timeout_s if billed_s is None else billed_s,
                charged_s=charged_s,
                cost_micro_usd=job.reserved_micro_usd
                if cost_micro_usd is None
                else cost_micro_usd,
                estimated=int(estimated or unknown),
                url=booking.kept("url", url),
                settled_at=now,
            )

    def correct(
        self,
        where: Connection | Transactions,
        row_id: int,
        *,
        billed_s: float,
        charged_s: float,
        cost_micro_usd: int,
    ) -> None:
        """Replace an estimate by what the billing page says.

        Raises:
            StateError: The row is not settled by an estimate.
        """
        booking.refuse_unpayable(billed_s, charged_s, cost_micro_usd)
        with writing(where) as connection:
            booking.move(
                connection,
                self.uid,
                row_id,
                ("settled",),
                tables.job.c.estimated == 1,
                billed_s=billed_s,
                charged_s=charged_s,
                cost_micro_usd=cost_micro_usd,
                estimated=0,
            )

    def told(self, where: Connection | Transactions, row_id: int) -> None:
        """Record that the study knows the outcome: attributes and `tell` are done."""
        with writing(where) as connection:
            booking.move(connection, self.uid, row_id, ("settled",), told=1)

    def duplicate(
        self, where: Connection | Transactions, original_row_id: int, job_id: str, now: float
    ) -> int:
        """Book a job that a request created besides the one that is kept.

        It is booked whether or not the envelope has room for it: it exists. Booking it twice
        books it once.

        Returns:
            `sweeper_job.id` of its own row.
        """
        with writing(where) as connection:
            columns = booking.columns(connection, self.uid, original_row_id)
            token = f"{columns['reservation']}/{job_id}"
            same = tables.job.c.reservation == token
            known = connection.execute(sqlalchemy.select(tables.job.c.id).where(same)).scalar()
            if known is not None:
                return int(known)
            row = {
                **{name: columns[name] for name in _COPIED},
                "reservation": token,
                "duplicate_of": original_row_id,
                "state": "submitted",
                "job_id": job_id,
                "submitted_at": now,
                "told": 0,
            }
            return booking.insert(connection, row)

    def _grant(
        self,
        connection: Connection,
        purpose: str,
        executor: str,
        flavor: str,
        micro_usd_per_minute: int,
        now: float,
        held_back_jobs: int,
    ) -> rules.Grant:
        """Decide under the lock that everyone takes who decides for this study."""
        approval.lock(connection, self.uid)
        envelope = approval.envelope_in_force(connection, self.uid, executor)
        booking.refuse_second(connection, self.uid, purpose)
        usage = self.usage(connection)
        durations = self.completed_durations(connection)
        decision = rules.decide(
            envelope, usage, flavor, micro_usd_per_minute, durations, now, held_back_jobs
        )
        if isinstance(decision, rules.Refusal):
            raise BudgetRefusedError(decision)
        return decision
