"""The tables of `schema.py` as SQLAlchemy sees them, and the two inserts that settle a race.

`tables.job` is `sweeper_job`, `tables.lease` is `sweeper_lease`, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import cast

from sqlalchemy import BigInteger
from sqlalchemy import Column
from sqlalchemy import Connection
from sqlalchemy import Double
from sqlalchemy import Index
from sqlalchemy import Integer
from sqlalchemy import MetaData
from sqlalchemy import Table
from sqlalchemy import Text
from sqlalchemy import UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine

from sweeper.state import schema

# SQLite numbers rows by itself only where the key is spelled INTEGER.
_INTEGER: TypeEngine[Any] = BigInteger().with_variant(Integer(), "sqlite")
_KINDS: dict[str, TypeEngine[Any]] = {"text": Text(), "int": _INTEGER, "real": Double()}

METADATA = MetaData()


def _column(name: str, kind: str, key: Sequence[str]) -> Column[Any]:
    required = kind.endswith("!")
    numbered = name == "id" and list(key) == ["id"]
    return Column(
        name,
        _KINDS[kind.rstrip("!")],
        primary_key=name in key,
        nullable=not required,
        autoincrement=numbered,
    )


def _table(name: str) -> Table:
    declared = schema.TABLES[name]
    columns = cast("Mapping[str, str]", declared["columns"])
    key = cast("Sequence[str]", declared["primary_key"])
    unique = cast("Sequence[Sequence[str]]", declared.get("unique", ()))
    index = cast("Sequence[Sequence[str]]", declared.get("index", ()))
    return Table(
        name,
        METADATA,
        *(_column(column, kind, key) for column, kind in columns.items()),
        *(UniqueConstraint(*group) for group in unique),
        *(Index(f"ix_{name}_{'_'.join(group)}", *group) for group in index),
    )


version = _table("sweeper_schema")
study = _table("sweeper_study")
approval = _table("sweeper_approval")
lease = _table("sweeper_lease")
job = _table("sweeper_job")
claim = _table("sweeper_claim")
cursor = _table("sweeper_cursor")
verdict = _table("sweeper_verdict")
request = _table("sweeper_request")
event = _table("sweeper_event")
paused = _table("sweeper_paused")


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_if_absent(connection: Connection, table: Table, row: Mapping[str, object]) -> bool:
    """Insert `row` unless a key of it is taken; return whether it was inserted."""
    statement = _insert(connection, table).values(**row).on_conflict_do_nothing()
    # The row count of such an insert is not the same on all drivers; the returned row is.
    return connection.execute(statement.returning(*table.primary_key)).first() is not None


def insert_or_replace(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]
) -> None:
    """Insert `rows`, overwriting those whose primary key is there already."""
    if not rows:
        return
    key = [column.name for column in table.primary_key.columns]
    statement = _insert(connection, table)
    new = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in key
    }
    connection.execute(
        statement.on_conflict_do_update(index_elements=key, set_=new), [dict(row) for row in rows]
    )
