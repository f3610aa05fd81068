"""How far each job's log was read, with the reader's own state: no reading lost or doubled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import Connection

from sweeper.state import tables
from sweeper.state.database import Database
from sweeper.state.database import Transactions
from sweeper.state.database import writing


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the reading of one job's log stands.

    Attributes:
        job: `sweeper_job.id`.
        cursor: Opaque text of the executor; what lies behind it was not read.
        reader: State of the metric reader.
        last_value: The objective's newest reading, or None.
        last_step: Step of that reading, or None.
        last_at: When it was read, UTC seconds, or None.
    """

    job: int
    cursor: str
    reader: dict[str, Any]
    last_value: float | None = None
    last_step: int | None = None
    last_at: float | None = None


def load(database: Database, uid: str, job: int) -> Cursor | None:
    """Return where the reading of `job` stands, or None before it began."""
    query = sqlalchemy.select(tables.cursor).where(
        tables.cursor.c.uid == uid, tables.cursor.c.job == job
    )
    with database.read() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else _from_row(row)


def load_many(database: Database, uid: str) -> dict[int, Cursor]:
    """Return where the reading of every job of the study stands, by `sweeper_job.id`."""
    query = sqlalchemy.select(tables.cursor).where(tables.cursor.c.uid == uid)
    with database.read() as connection:
        return {row.job: _from_row(row) for row in connection.execute(query)}


def store(
    where: Connection | Transactions,
    uid: str,
    job: int,
    cursor: str,
    reader: Mapping[str, Any],
    last_value: float | None,
    last_step: int | None,
    last_at: float | None,
) -> None:
    """Record how far the log of `job` was read; its readings must be stored before."""
    new = Cursor(job, cursor, dict(reader), last_value, last_step, last_at)
    store_many(where, uid, [new])


def store_many(where: Connection | Transactions, uid: str, cursors: Sequence[Cursor]) -> None:
    """Record how far several logs were read, in one transaction."""
    rows = [
        {
            "uid": uid,
            "job": each.job,
            "cursor": each.cursor,
            "reader": json.dumps(each.reader),
            "last_value": each.last_value,
            "last_step": each.last_step,
            "last_at": each.last_at,
        }
        for each in cursors
    ]
    with writing(where) as connection:
        tables.insert_or_replace(connection, tables.cursor, rows)


def _from_row(row: Any) -> Cursor:
    reader = json.loads(row.reader)
    return Cursor(row.job, row.cursor, reader, row.last_value, row.last_step, row.last_at)
