"""What a child process of these tests does to a database, step by step.

Every deed takes the open database first and, where it is to be killed, dies inside its last step.
"""

from __future__ import annotations

from collections.abc import Callable

from sweeper.errors import SweeperError
from sweeper.state import approval
from sweeper.state import claims
from sweeper.state import control
from sweeper.state import cursors
from sweeper.state import events
from sweeper.state import lease
from sweeper.state.booking import JobRow
from sweeper.state.booking import reservation
from sweeper.state.database import Database
from sweeper.state.ledger import Ledger
from tests.state import facts
from tests.state.facts import NOW
from tests.state.facts import UID


def ask_for_jobs(database: Database, asks: int, name: str) -> None:
    """Ask for one job after the other, whatever the answers are."""
    ledger = Ledger(database, UID)
    for number in range(asks):
        try:
            facts.reserve(ledger, database, number, purpose=f"{name}/{number}/1")
        except SweeperError:
            continue


def live(database: Database, name: str) -> None:
    """Lead jobs through their whole way until killed, saying what is durable."""
    ledger = Ledger(database, UID)
    tx = database.transaction
    for number in range(10_000):
        paid = facts.reserve(ledger, database, number, purpose=f"{name}/{number}/1")
        print(paid.id, "reserved", flush=True)
        ledger.submitting(tx, paid, NOW)
        print(paid.id, "submitting", flush=True)
        ledger.submitted(tx, paid, f"job-{paid.id}", NOW)
        print(paid.id, "submitted", flush=True)
        ledger.cancelling(tx, paid.id, "pruner", NOW)
        print(paid.id, "cancelling", flush=True)
        ledger.terminal(tx, paid.id, "CANCELED", NOW)
        print(paid.id, "terminal", flush=True)
        facts.settle(ledger, database, paid.id)
        print(paid.id, "settled", flush=True)


def _row(ledger: Ledger) -> JobRow:
    return ledger.jobs()[0]


#: One durable step each, taken on the study's first job row where it concerns one.
STEPS: dict[str, Callable[[Database, Ledger], object]] = {
    "reserve": lambda database, ledger: facts.reserve(ledger, database, 99),
    "submitting": lambda database, ledger: ledger.submitting(
        database.transaction, reservation(_row(ledger)), NOW
    ),
    "submitted": lambda database, ledger: ledger.submitted(
        database.transaction, reservation(_row(ledger)), "job-a", NOW
    ),
    "give_back": lambda database, ledger: ledger.give_back(
        database.transaction, _row(ledger).id, NOW
    ),
    "duplicate": lambda database, ledger: ledger.duplicate(
        database.transaction, _row(ledger).id, "job-late", NOW
    ),
    "cancelling": lambda database, ledger: ledger.cancelling(
        database.transaction, _row(ledger).id, "person", NOW
    ),
    "terminal": lambda database, ledger: ledger.terminal(
        database.transaction, _row(ledger).id, "CANCELED", NOW
    ),
    "settle": lambda database, ledger: facts.settle(ledger, database, _row(ledger).id),
    "told": lambda database, ledger: ledger.told(database.transaction, _row(ledger).id),
    "approve": lambda database, ledger: facts.approve(database, max_jobs=99),
    "acquire": lambda database, ledger: lease.acquire(database, UID, ttl_s=60),
    "claim": lambda database, ledger: claims.claim(database, UID, "p1", 1, {}, NOW),
    "cursor": lambda database, ledger: cursors.store(
        database.transaction, UID, 1, "42", {}, 0.5, 7, NOW
    ),
    "ask": lambda database, ledger: control.ask(database, UID, "stop", None, "ada", NOW),
    "event": lambda database, ledger: events.record(database.transaction, UID, "best", 1, {}, NOW),
}


def seen(database: Database) -> dict[str, object]:
    """Return all that the steps can change, to be compared."""
    ledger = Ledger(database, UID)
    holder = lease.holder(database, UID, NOW)
    return {
        "jobs": [(row.purpose, row.state, row.job_id, row.told) for row in ledger.jobs()],
        "usage": repr(ledger.usage()),
        "approval": getattr(approval.current(database, UID), "version", None),
        "epoch": holder and holder.epoch,
        "claims": [(each.proposal, each.trial) for each in claims.all(database, UID)],
        "cursors": sorted(cursors.load_many(database, UID)),
        "requests": len(control.open_requests(database, UID)),
        "events": len(events.since(database, UID, 0)),
    }
