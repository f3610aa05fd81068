"""What the tests of this room take for granted: one study, one approval, one kind of job."""

from __future__ import annotations

from typing import Any

from sweeper.budget import rules
from sweeper.state import approval
from sweeper.state import studies
from sweeper.state.approval import Covers
from sweeper.state.database import Database
from sweeper.state.ledger import Ledger
from sweeper.state.ledger import Reservation

UID = "9f3a01bc"
NOW = 1_750_000_000.0
PRICE = 6_667  # micro-dollars a minute: 0.40 USD an hour


def envelope(**limits: Any) -> rules.Envelope:
    """An envelope with room for all but ten jobs."""
    roomy = {"max_jobs": 10, "max_walltime_s": 1e6, "max_timeout_s": 600.0, "max_parallel": 100}
    return rules.Envelope(**{**roomy, **limits})


def covers(**changes: Any) -> Covers:
    """What a person approves."""
    limits = changes.pop("envelope", envelope())
    return Covers(envelope=limits.as_document(), **changes)


def approve(database: Database, **limits: Any) -> int:
    """Approve an envelope for the study."""
    return approval.record(database, UID, covers(envelope=envelope(**limits)), "ada", NOW)


def study(database: Database, uid: str = UID) -> studies.Study:
    """Create the study."""
    return studies.create(
        database,
        uid=uid,
        name="digits",
        folder="/home/ada/digits",
        metric="val_loss",
        direction="minimize",
        program_sha256="0" * 64,
        space="{}",
    )


def reserve(ledger: Ledger, database: Database, trial: int, **changes: Any) -> Reservation:
    """Reserve a job for a trial."""
    asked: dict[str, Any] = {
        "purpose": f"digits/{trial}/{changes.get('attempt', '1')}",
        "trial": trial,
        "attempt": "1",
        "executor": "local",
        "flavor": "local",
        "micro_usd_per_minute": 0,
        "params": {"lr": 0.003},
        "seed": trial,
        "now": NOW,
    }
    where = changes.pop("where", database.transaction)
    return ledger.reserve(where, **{**asked, **changes})


def submit(ledger: Ledger, database: Database, trial: int, **changes: Any) -> Reservation:
    """Reserve a job and submit it."""
    paid = reserve(ledger, database, trial, **changes)
    ledger.submitting(database.transaction, paid, NOW + 1)
    ledger.submitted(database.transaction, paid, f"job-{paid.id}", NOW + 2)
    return paid


def settle(ledger: Ledger, database: Database, row_id: int, **changes: Any) -> None:
    """Settle a job that ran for a minute."""
    facts: dict[str, Any] = {
        "outcome": "complete",
        "value": 0.5,
        "ended_by": None,
        "failure": None,
        "stage": "COMPLETED",
        "started_at": NOW + 3,
        "finished_at": NOW + 63,
        "billed_s": 60.0,
        "charged_s": 60.0,
        "cost_micro_usd": 0,
        "estimated": False,
        "url": None,
        "now": NOW + 64,
    }
    ledger.settle(database.transaction, row_id, **{**facts, **changes})
