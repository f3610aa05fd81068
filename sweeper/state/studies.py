"""The studies of a database: identity, what was declared, and where each one stands."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import Connection

from sweeper.errors import StateError
from sweeper.state import tables
from sweeper.state.database import Database
from sweeper.state.database import Transactions
from sweeper.state.database import clock
from sweeper.state.database import reading
from sweeper.state.database import writing

STATES = ("new", "running", "paused", "stopped", "finished")


@dataclass(frozen=True, slots=True)
class Study:
    """One row of `sweeper_study`.

    Attributes:
        uid: 8 random hexadecimal digits, made when `approve` creates the study.
        name: Its name in Optuna; not unique in a shared database.
        folder: Folder of program.md on the machine that created it.
        metric: The objective's name.
        direction: "minimize" or "maximize".
        executor: Fixed at the first run; None before.
        created_at: UTC seconds.
        state: One of `STATES`.
        stop_reason: Why it no longer runs, or None.
        program_sha256: Hash of the program.md in force.
        space: JSON of the declared search space.
        verdict_epoch: Raised when the script or its dependencies change.
        belief: JSON of what the model believed when it was last asked, or None.
    """

    uid: str
    name: str
    folder: str
    metric: str
    direction: str
    executor: str | None
    created_at: float
    state: str
    stop_reason: str | None
    program_sha256: str
    space: str
    verdict_epoch: int
    belief: str | None


def new_uid() -> str:
    """Return a uid that no study has."""
    return secrets.token_hex(4)


def create(
    database: Database,
    *,
    uid: str,
    name: str,
    folder: str,
    metric: str,
    direction: str,
    program_sha256: str,
    space: str,
) -> Study:
    """Record a new study.

    Raises:
        StateError: The uid is taken.
    """
    with database.transaction() as connection:
        row = {
            "uid": uid,
            "name": name,
            "folder": folder,
            "metric": metric,
            "direction": direction,
            "executor": None,
            "created_at": clock(connection),
            "state": "new",
            "stop_reason": None,
            "program_sha256": program_sha256,
            "space": space,
            "verdict_epoch": 1,
            "belief": None,
        }
        if not tables.insert_if_absent(connection, tables.study, row):
            raise StateError(f"The study {uid} is already recorded.", hint="Use a new uid.")
    return Study(**row)  # type: ignore[arg-type]


def by_uid(where: Database | Connection, uid: str) -> Study | None:
    """Return the study `uid`, or None."""
    found = _find(where, tables.study.c.uid == uid)
    return found[0] if found else None


def by_name(where: Database | Connection, name: str) -> list[Study]:
    """Return the studies called `name`, oldest first."""
    return _find(where, tables.study.c.name == name)


def everything(where: Database | Connection) -> list[Study]:
    """Return all studies of the database, oldest first."""
    return _find(where, sqlalchemy.true())


def set_state(
    where: Connection | Transactions, uid: str, state: str, stop_reason: str | None
) -> None:
    """Record where the study stands and, if it no longer runs, why."""
    if state not in STATES:
        raise ValueError(f"{state!r} is none of {', '.join(STATES)}")
    _update(where, uid, state=state, stop_reason=stop_reason)


def set_executor(where: Connection | Transactions, uid: str, name: str) -> None:
    """Fix the executor at the first run.

    Raises:
        StateError: Another one was fixed before.
    """
    with writing(where) as connection:
        study = by_uid(connection, uid)
        if study and study.executor not in (None, name):
            raise StateError(
                f"This study runs on the executor {study.executor!r}, not on {name!r}.",
                key="executor",
                hint="Use a folder of its own for another executor.",
            )
        _update(connection, uid, executor=name)


def set_program(
    where: Connection | Transactions, uid: str, *, program_sha256: str, space: str
) -> None:
    """Record the program.md in force and the search space it declares."""
    _update(where, uid, program_sha256=program_sha256, space=space)


def set_belief(where: Connection | Transactions, uid: str, belief: str) -> None:
    """Record, as JSON, what the model believes, for those who only look."""
    _update(where, uid, belief=belief)


def raise_verdict_epoch(where: Connection | Transactions, uid: str) -> int:
    """Begin a new verdict epoch, with a baseline of its own, and return its number."""
    with writing(where) as connection:
        _update(connection, uid, verdict_epoch=tables.study.c.verdict_epoch + 1)
        study = by_uid(connection, uid)
        assert study is not None  # _update refuses an unknown uid
        return study.verdict_epoch


def _find(where: Database | Connection, condition: Any) -> list[Study]:
    order = (tables.study.c.created_at, tables.study.c.uid)
    query = sqlalchemy.select(tables.study).where(condition).order_by(*order)
    with reading(where) as connection:
        return [Study(**row._mapping) for row in connection.execute(query)]


def _update(where: Connection | Transactions, uid: str, **values: object) -> None:
    change = tables.study.update().where(tables.study.c.uid == uid).values(**values)
    with writing(where) as connection:
        if connection.execute(change).rowcount != 1:
            raise StateError(
                f"The study {uid} is not in this database.", hint="`sweeper approve` creates it."
            )
