"""From no tables, or an older version of them, to this version: forward only, after a backup."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection
from sqlalchemy import Engine

from sweeper.errors import StateError
from sweeper.state import schema
from sweeper.state import tables

# Any number, as long as every sweeper takes the same: PostgreSQL's lock for changing the tables.
_LOCK = 0x5357_4545


def bring_up(engine: Engine, path: Path | None, *, create: bool) -> None:
    """Bring our tables to `schema.VERSION` in one transaction.

    Args:
        engine: Where they are.
        path: The SQLite file, or None for PostgreSQL.
        create: Whether to make them where there are none.

    Raises:
        StateError: They are newer than this program, or missing and `create` is false.
    """
    if _version_now(engine) == schema.VERSION:
        return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_xact_lock(_LOCK)))
        version = _version(connection)
        if version is None:
            _create(connection, create=create)
        elif version > schema.VERSION:
            raise _newer(version)
        elif version < schema.VERSION:
            _back_up(connection, path, version)
            _migrate(connection, version)


def nothing_here(where: str) -> StateError:
    """Return the error that says that no study was ever created here."""
    return StateError(
        f"No study is recorded in {where}.", hint="`sweeper approve` creates the study."
    )


def _version_now(engine: Engine) -> int | None:
    with engine.execution_options(sweeper_begin="BEGIN DEFERRED").begin() as connection:
        return _version(connection)


def _version(connection: Connection) -> int | None:
    if not sqlalchemy.inspect(connection).has_table(tables.version.name):
        return None
    newest = sqlalchemy.select(sqlalchemy.func.max(tables.version.c.version))
    found: int | None = connection.execute(newest).scalar_one()
    return found


def _create(connection: Connection, *, create: bool) -> None:
    if not create:
        raise nothing_here(connection.engine.url.render_as_string(hide_password=True))
    tables.METADATA.create_all(connection)
    connection.execute(tables.version.insert().values(version=schema.VERSION))


def _newer(version: int) -> StateError:
    return StateError(
        f"The tables were written by a newer sweeper (version {version}; "
        f"this one knows version {schema.VERSION}).",
        hint="Update ml-research-sweeper. Nothing was changed.",
    )


def _migrate(connection: Connection, version: int) -> None:
    for step in range(version, schema.VERSION):
        for statement in schema.MIGRATIONS[step]:
            connection.exec_driver_sql(statement)
    connection.execute(tables.version.update().values(version=schema.VERSION))


def _back_up(connection: Connection, path: Path | None, version: int) -> None:
    if path:
        _copy_file(path, version)
    else:
        _copy_tables(connection, version)


def _copy_file(path: Path, version: int) -> None:
    """Copy the file as last committed; the caller's write lock keeps it so."""
    target = _free_name(path, version)
    unfinished = target.with_name(target.name + ".unfinished")
    with (
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(unfinished)) as copy,
    ):
        source.backup(copy)
    unfinished.replace(target)


def _free_name(path: Path, version: int) -> Path:
    """Return a name that no earlier backup has: a backup is never overwritten."""
    name = f"{path.name}.backup-v{version}"
    names = [name, *(f"{name}-{number}" for number in range(2, 1000))]
    return next(path.with_name(each) for each in names if not path.with_name(each).exists())


def _copy_tables(connection: Connection, version: int) -> None:
    """Copy our tables beside themselves; PostgreSQL undoes this too if the migration fails."""
    present = set(sqlalchemy.inspect(connection).get_table_names())
    for name in sorted(present & set(schema.TABLES)):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS backup_v{version}_{name}")
        connection.exec_driver_sql(f"CREATE TABLE backup_v{version}_{name} AS TABLE {name}")
