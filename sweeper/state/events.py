"""What happened, in order; whoever waits remembers the last number it saw and misses nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import Connection

from sweeper.state import tables
from sweeper.state.database import Database
from sweeper.state.database import Transactions
from sweeper.state.database import writing

# Any number, as long as every sweeper takes the same: PostgreSQL's lock for numbering events.
_LOCK = 0x4556_4E54


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        id: Its number; a later event has a higher one.
        at: UTC seconds.
        kind: What happened, in one word.
        trial: Number of the trial concerned, or None.
        detail: What else there is to know.
    """

    id: int
    at: float
    kind: str
    trial: int | None
    detail: dict[str, Any]


def record(
    where: Connection | Transactions,
    uid: str,
    kind: str,
    trial: int | None,
    detail: Mapping[str, object],
    at: float,
) -> int:
    """Record an event and return its number.

    Inside a transaction that writes other things too, record it last: on PostgreSQL it holds the
    lock of the study's numbering until the commit.
    """
    row = {
        "uid": uid,
        "kind": kind,
        "trial": trial,
        "detail": json.dumps(dict(detail)),
        "at": at,
    }
    with writing(where) as connection:
        _in_order(connection, uid)
        result = connection.execute(tables.event.insert().values(**row))
        assert result.inserted_primary_key is not None  # the table numbers its rows
        return int(result.inserted_primary_key[0])


def since(database: Database, uid: str, event_id: int) -> list[Event]:
    """Return what happened after event `event_id` (0 is the beginning), oldest first."""
    query = (
        sqlalchemy.select(tables.event)
        .where(tables.event.c.uid == uid, tables.event.c.id > event_id)
        .order_by(tables.event.c.id)
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    return [Event(row.id, row.at, row.kind, row.trial, json.loads(row.detail)) for row in rows]


def last_id(database: Database, uid: str) -> int:
    """Return the number of the newest event, 0 where nothing happened yet."""
    newest = sqlalchemy.select(sqlalchemy.func.max(tables.event.c.id))
    with database.read() as connection:
        found = connection.execute(newest.where(tables.event.c.uid == uid)).scalar_one()
    return int(found or 0)


def _in_order(connection: Connection, uid: str) -> None:
    """Make numbers become visible in their order.

    PostgreSQL draws a number long before the commit, so that a reader could see 8, remember it,
    and never be shown 7.
    """
    if connection.dialect.name == "postgresql":
        lock = sqlalchemy.func.pg_advisory_xact_lock(_LOCK, sqlalchemy.func.hashtext(uid))
        connection.execute(sqlalchemy.select(lock))
