"""What people ask of a running conductor, from any shell or host, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy
from sqlalchemy import Connection

from sweeper.errors import StateError
from sweeper.state import tables
from sweeper.state.database import Database
from sweeper.state.database import Transactions
from sweeper.state.database import writing

VERBS = ("stop", "stop_cancel", "pause", "resume", "cancel")


@dataclass(frozen=True, slots=True)
class Request:
    """Something a person asked for.

    Attributes:
        id: Its number; requests are answered in this order.
        verb: One of `VERBS`.
        argument: What it applies to (a trial's number), or None.
        asked_at: UTC seconds.
        asked_by: Who asked.
        done_at: When it was answered, UTC seconds; None while it is open.
        answer: What became of it, as a sentence; None while it is open.
    """

    id: int
    verb: str
    argument: str | None
    asked_at: float
    asked_by: str
    done_at: float | None
    answer: str | None


def ask(database: Database, uid: str, verb: str, argument: str | None, by: str, now: float) -> int:
    """Ask the conductor of a study for something and return the request's number."""
    if verb not in VERBS:
        raise ValueError(f"{verb!r} is none of {', '.join(VERBS)}")
    row = {"uid": uid, "verb": verb, "argument": argument, "asked_at": now, "asked_by": by}
    with database.transaction() as connection:
        result = connection.execute(tables.request.insert().values(**row))
        assert result.inserted_primary_key is not None  # the table numbers its rows
        return int(result.inserted_primary_key[0])


def open_requests(database: Database, uid: str) -> list[Request]:
    """Return what was asked and not answered yet, oldest first."""
    query = (
        _select()
        .where(tables.request.c.uid == uid, tables.request.c.done_at.is_(None))
        .order_by(tables.request.c.id)
    )
    with database.read() as connection:
        return [Request(**row._mapping) for row in connection.execute(query)]


def by_id(database: Database, request_id: int) -> Request | None:
    """Return one request, so that whoever asked can see what became of it."""
    with database.read() as connection:
        row = connection.execute(_select().where(tables.request.c.id == request_id)).one_or_none()
    return None if row is None else Request(**row._mapping)


def done(where: Connection | Transactions, request_id: int, answer: str, now: float) -> None:
    """Record what became of a request; the first answer stands.

    Raises:
        StateError: There is no such request.
    """
    this = tables.request.c.id == request_id
    unanswered = tables.request.c.done_at.is_(None)
    change = tables.request.update().where(this, unanswered).values(done_at=now, answer=answer)
    with writing(where) as connection:
        if connection.execute(change).rowcount:
            return
        if connection.execute(_select().where(this)).one_or_none() is None:
            raise StateError(f"There is no request {request_id}.", hint="Ask again.")


def _select() -> sqlalchemy.Select[tuple[object, ...]]:
    columns = [column for column in tables.request.c if column.name != "uid"]
    return sqlalchemy.select(*columns)
