"""Which proposal became which trial: the row that is written first decides between processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy

from sweeper.state import tables
from sweeper.state.database import Database


@dataclass(frozen=True, slots=True)
class Claim:
    """One proposal, taken by one trial.

    Attributes:
        proposal: Id of the proposal.
        trial: Number of the trial.
        params: The proposal's values, completed by the sampler.
        claimed_at: UTC seconds.
    """

    proposal: str
    trial: int
    params: dict[str, Any]
    claimed_at: float


def claim(
    database: Database,
    uid: str,
    proposal: str,
    trial: int,
    params: Mapping[str, object],
    now: float,
) -> bool:
    """Take a proposal for a trial.

    Returns:
        Whether it was taken: false where another trial has this proposal already, or this trial
        already has another one.
    """
    row = {
        "uid": uid,
        "proposal": proposal,
        "trial": trial,
        "params": json.dumps(dict(params)),
        "claimed_at": now,
    }
    with database.transaction() as connection:
        return tables.insert_if_absent(connection, tables.claim, row)


def of_trial(database: Database, uid: str, trial: int) -> Claim | None:
    """Return what `trial` has claimed, or None."""
    found = _find(database, uid, tables.claim.c.trial == trial)
    return found[0] if found else None


def all(database: Database, uid: str) -> list[Claim]:
    """Return every claim of the study, in the order of trials."""
    return _find(database, uid, sqlalchemy.true())


def release(database: Database, uid: str, trial: int) -> None:
    """Free what a trial has claimed that never started; the proposal is queued again."""
    mine = (tables.claim.c.uid == uid) & (tables.claim.c.trial == trial)
    with database.transaction() as connection:
        connection.execute(tables.claim.delete().where(mine))


def _find(database: Database, uid: str, condition: Any) -> list[Claim]:
    query = (
        sqlalchemy.select(tables.claim)
        .where(tables.claim.c.uid == uid, condition)
        .order_by(tables.claim.c.trial)
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    return [Claim(row.proposal, row.trial, json.loads(row.params), row.claimed_at) for row in rows]
