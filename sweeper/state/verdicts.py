"""Keep or discard, as it stands now: rewritten whenever the noise floor moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass

import sqlalchemy
from sqlalchemy import Connection

from sweeper.state import tables
from sweeper.state.database import Database
from sweeper.state.database import Transactions
from sweeper.state.database import clock
from sweeper.state.database import writing


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of one trial.

    Attributes:
        trial: Its number.
        decision: "keep" or "discard".
        reason: Why, as a sentence.
        noise_floor: The smallest difference that means something, in the metric's unit, or None.
        confirmed: Whether repeats agree; None where there are none.
        verdict_epoch: The epoch of script and dependencies that it was judged in.
    """

    trial: int
    decision: str
    reason: str
    noise_floor: float | None
    confirmed: bool | None
    verdict_epoch: int


def store(
    where: Connection | Transactions,
    uid: str,
    verdicts: Sequence[Verdict],
    now: float | None = None,
) -> None:
    """Record verdicts, each in place of what was thought of its trial before."""
    with writing(where) as connection:
        moment = clock(connection) if now is None else now
        rows = [{"uid": uid, "decided_at": moment, **_columns(each)} for each in verdicts]
        tables.insert_or_replace(connection, tables.verdict, rows)


def load(database: Database, uid: str) -> dict[int, Verdict]:
    """Return the verdicts of the study, by trial number."""
    query = sqlalchemy.select(tables.verdict).where(tables.verdict.c.uid == uid)
    with database.read() as connection:
        rows = connection.execute(query).all()
    return {
        row.trial: Verdict(
            row.trial,
            row.decision,
            row.reason,
            row.noise_floor,
            None if row.confirmed is None else bool(row.confirmed),
            row.verdict_epoch,
        )
        for row in rows
    }


def _columns(verdict: Verdict) -> dict[str, object]:
    confirmed = None if verdict.confirmed is None else int(verdict.confirmed)
    return {**asdict(verdict), "confirmed": confirmed}
