"""Trials set aside: still RUNNING in the study, resumed later or ended with the sweep."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy
from sqlalchemy import Connection

from sweeper.state import tables
from sweeper.state.database import Database
from sweeper.state.database import Transactions
from sweeper.state.database import writing


@dataclass(frozen=True, slots=True)
class Paused:
    """A trial that was set aside.

    Attributes:
        trial: Its number.
        paused_at: UTC seconds.
        reason: Why, as a sentence.
        checkpoint: Where it can be resumed from, or None.
    """

    trial: int
    paused_at: float
    reason: str
    checkpoint: str | None


def set_aside(where: Connection | Transactions, uid: str, paused: Paused) -> None:
    """Record that a trial was set aside."""
    row = {
        "uid": uid,
        "trial": paused.trial,
        "paused_at": paused.paused_at,
        "reason": paused.reason,
        "checkpoint": paused.checkpoint,
    }
    with writing(where) as connection:
        tables.insert_or_replace(connection, tables.paused, [row])


def take_up(where: Connection | Transactions, uid: str, trial: int) -> None:
    """Record that a trial is no longer set aside."""
    this = (tables.paused.c.uid == uid) & (tables.paused.c.trial == trial)
    with writing(where) as connection:
        connection.execute(tables.paused.delete().where(this))


def load(database: Database, uid: str) -> dict[int, Paused]:
    """Return what is set aside, by trial number."""
    query = sqlalchemy.select(tables.paused).where(tables.paused.c.uid == uid)
    with database.read() as connection:
        rows = connection.execute(query).all()
    return {
        row.trial: Paused(row.trial, row.paused_at, row.reason, row.checkpoint) for row in rows
    }
