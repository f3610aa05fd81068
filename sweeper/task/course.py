"""The way of one task: reserved, submitting, submitted once, watched, settled.

The same steps in the same order as a trial's (LOOP.md 3), without a study around them. What a
process leaves open (`--no-wait`, a crash, a lost answer) the next one settles: `settle_open`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Generator

from sweeper.budget.prices import started_minutes
from sweeper.errors import ExecutorError
from sweeper.errors import OutcomeUnknownError
from sweeper.errors import UnavailableError
from sweeper.jobs.executor import JobReport
from sweeper.jobs.executor import Stage
from sweeper.jobs.hf import billing
from sweeper.jobs.hf.connection import Connection
from sweeper.jobs.hf.executor import HfExecutor
from sweeper.jobs.hf.executor import post
from sweeper.jobs.hf.submission import Ask
from sweeper.state.ledger import JobRow
from sweeper.state.ledger import Reservation
from sweeper.task.account import Account
from sweeper.task.account import open_rows

ATTEMPTS = 3
LOOK_AGAIN_S = 1.0


def settle_window_s() -> float:
    """Seconds in which a job may appear after its answer was lost (LOOP.md 8)."""
    return float(os.environ.get("SWEEPER_SETTLE_WINDOW_S", "10"))


def reserve(account: Account, purpose: str, flavor: str, micro_usd_per_minute: int) -> Reservation:
    """Set money aside for one task.

    Raises:
        RefusedError: The envelope says no.
    """
    return account.ledger.reserve(
        account.database.transaction,
        purpose=purpose,
        trial=None,
        attempt="1",
        executor="hf",
        flavor=flavor,
        micro_usd_per_minute=micro_usd_per_minute,
        params={},
        seed=0,
        now=account.database.now(),
    )


def submit_once(account: Account, executor: HfExecutor, paid: Reservation, ask: Ask) -> str:
    """Send a task's request until one job exists, and return its id.

    Raises:
        NothingCreatedError, AccountError, UnavailableError: No job exists; the money is free.
        OutcomeUnknownError: Still nobody knows; the reservation stays until `settle_open`.
    """
    tx, ledger = account.database.transaction, account.ledger
    for _ in range(ATTEMPTS):
        ledger.submitting(tx, paid, account.database.now())
        try:
            job_id = post(executor.connection, ask)
        except OutcomeUnknownError:
            found = _look(executor, paid)
            if found is None:
                continue
            job_id = found
        except ExecutorError:
            ledger.give_back(tx, paid.id, account.database.now())
            raise
        ledger.submitted(tx, paid, job_id, account.database.now())
        return job_id
    raise OutcomeUnknownError(
        "The Hub lost the answer three times and shows no job.",
        hint="what was reserved stays so until `hf_jobs.py list` has settled it",
    )


def _look(executor: HfExecutor, paid: Reservation) -> str | None:
    """Look for the job of a lost answer over the settle window."""
    deadline = time.monotonic() + settle_window_s()
    while True:
        try:
            for job in executor.matches(paid.purpose):
                if job.reservation == paid.nonce:
                    return job.job_id
        except UnavailableError:
            deadline += LOOK_AGAIN_S  # a look that was not answered is none
        if time.monotonic() >= deadline:
            return None
        time.sleep(min(LOOK_AGAIN_S, settle_window_s() / 4))


def watch(executor: HfExecutor, job_id: str) -> Generator[str, None, JobReport | None]:
    """Yield a job's lines to its end; return its last report, None if it vanished."""
    cursor, report = "", None
    while True:
        with contextlib.suppress(UnavailableError):
            report = executor.poll([job_id]).get(job_id)
        tail = executor.tail(job_id, cursor)
        cursor = tail.cursor
        yield from tail.lines
        if tail.complete:
            return report
        time.sleep(executor.tick_s)


def settle(account: Account, row: JobRow, report: JobReport | None) -> int:
    """Settle a task that has ended and return its cost in micro-dollars.

    Args:
        account: Where it is booked.
        row: Its row.
        report: What the platform last said; None if the job vanished: then its worst case counts.
    """
    tx, ledger = account.database.transaction, account.ledger
    charged = None if report is None else report.charged_s
    cost = None if charged is None else started_minutes(charged) * row.micro_usd_per_minute
    stage = report.stage.value if report else Stage.DELETED.value
    ledger.terminal(tx, row.id, stage, report.finished_at if report else None)
    ledger.settle(
        tx,
        row.id,
        outcome="complete" if stage == Stage.COMPLETED else "failed",
        value=None,
        ended_by=row.cancel_reason or (_ended_by(report) if report else "vanished"),
        failure=None,
        stage=stage,
        started_at=report.started_at if report else None,
        finished_at=report.finished_at if report else None,
        billed_s=report.running_s or charged if report else None,
        charged_s=charged,
        cost_micro_usd=cost,
        estimated=cost is None,
        url=report.url if report else None,
        now=account.database.now(),
    )
    ledger.told(tx, row.id)
    return account.ledger.job(row.id).cost_micro_usd or 0


def _ended_by(report: JobReport) -> str | None:
    if report.timed_out:
        return "timeout"
    if report.cancel_reason:
        return "budget"
    return "person" if report.stage is Stage.CANCELED else None


def settle_open(account: Account, connection: Connection) -> list[JobRow]:
    """Settle the tasks of a study that earlier processes left open; return those settled.

    A row without a job is looked for once more; what is nowhere is given back only after the
    settle window, because a late job would then be unpaid.
    """
    rows = open_rows(account.database, account.uid)
    executor = HfExecutor(connection, uid=account.uid, study=account.study)
    try:
        rows = [found for row in rows if (found := _with_job(account, executor, row))]
        reports = _reports(executor, [str(row.job_id) for row in rows])
        ended = [row for row in rows if _over(row, reports.get(str(row.job_id)), account)]
        for row in ended:
            settle(account, row, reports.get(str(row.job_id)))
        _correct(account, connection)
        return [account.ledger.job(row.id) for row in ended]
    finally:
        executor.close()


def _with_job(account: Account, executor: HfExecutor, row: JobRow) -> JobRow | None:
    """Return a row with its job; one whose request left none is given back."""
    if row.job_id is not None:
        return row
    tx, ledger, now = account.database.transaction, account.ledger, account.database.now()
    if now - (row.submitting_at or row.reserved_at) < settle_window_s():
        return None
    found = [j for j in executor.matches(row.purpose) if j.reservation == row.reservation]
    if not found:
        ledger.give_back(tx, row.id, now)
        return None
    paid = ledger.again(row.id)
    ledger.submitted(tx, paid, found[0].job_id, now)
    for late in found[1:]:
        executor.cancel(late.job_id)
        ledger.duplicate(tx, row.id, late.job_id, now)
    return ledger.job(row.id)


def _reports(executor: HfExecutor, job_ids: list[str]) -> dict[str, JobReport]:
    """Ask again for what is unknown, so that one wrong answer does not count as vanished."""
    reports = executor.poll(job_ids)
    if len(reports) == len(job_ids):
        return reports
    time.sleep(min(LOOK_AGAIN_S, settle_window_s()))
    again = HfExecutor(executor.connection, uid="", study="")
    try:
        return reports | again.poll([job_id for job_id in job_ids if job_id not in reports])
    finally:
        again.close()


def _over(row: JobRow, report: JobReport | None, account: Account) -> bool:
    if report is not None:
        return report.stage.terminal and report.finished_at is not None
    return account.database.now() - (row.submitted_at or 0.0) > settle_window_s()


def _correct(account: Account, connection: Connection) -> None:
    """Replace estimates by what the billing page says, where it speaks already."""
    tx, ledger = account.database.transaction, account.ledger
    rows = [r for r in ledger.jobs(states=("settled",)) if r.estimated and r.trial is None]
    if not rows:
        return
    try:
        billed = billing.by_job(connection)
    except ExecutorError:
        return  # the estimates stay, marked, until the page speaks
    for row in rows:
        said = billed.get(str(row.job_id))
        if said is not None:
            running_s = said.running_s if said.running_s is not None else said.minutes * 60.0
            ledger.correct(
                tx,
                row.id,
                billed_s=running_s,
                charged_s=running_s,
                cost_micro_usd=said.micro_usd,
            )
