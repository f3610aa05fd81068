"""Plain SQL over one database: SQLite through the standard library, others through SQLAlchemy.

A look at a SQLite file must stay cheap, so SQLAlchemy is imported only for another database. Both
readers take the same statements with `:name` parameters and see one moment of the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol
from urllib.parse import quote

from sweeper.errors import StateError

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: How long a look waits for a writer that holds the file, seconds. WAL readers hardly ever wait.
BUSY_TIMEOUT_S = 2.0

Row = tuple[Any, ...]


class Rows(Protocol):
    """A read-only look at one moment of a database."""

    def tables(self) -> set[str]:
        """Return the names of the tables that exist."""

    def select(self, sql: str, **values: object) -> list[Row]:
        """Return all rows of a query with `:name` parameters."""


class SQLiteRows:
    """Rows of a SQLite file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def tables(self) -> set[str]:
        """Return the names of the tables that exist."""
        return {row[0] for row in self.select("SELECT name FROM sqlite_master WHERE type='table'")}

    def select(self, sql: str, **values: object) -> list[Row]:
        """Return all rows of a query with `:name` parameters."""
        return self._connection.execute(sql, values).fetchall()


class ServerRows:
    """Rows of a database server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tables(self) -> set[str]:
        """Return the names of the tables that exist."""
        from sqlalchemy import inspect

        return set(inspect(self._connection).get_table_names())

    def select(self, sql: str, **values: object) -> list[Row]:
        """Return all rows of a query with `:name` parameters."""
        from sqlalchemy import text

        return [tuple(row) for row in self._connection.execute(text(sql), values)]


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for the URL of another database."""
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] != "sqlite":
        return None
    return Path(rest.removeprefix("/").partition("?")[0])


@contextmanager
def open_rows(url: str) -> Iterator[Rows]:
    """Open a database for one look.

    Args:
        url: SQLAlchemy's form of a database URL.

    Raises:
        StateError: The database cannot be read.
    """
    file = sqlite_file(url)
    opened = _open_server(url) if file is None else _open_sqlite(file)
    with opened as rows:
        yield rows


@contextmanager
def _open_sqlite(file: Path) -> Iterator[Rows]:
    address = f"file:{quote(str(file))}?mode=ro"
    try:
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
        )
        try:
            # One transaction: trials, jobs and verdicts of the same moment.
            connection.execute("BEGIN")
            yield SQLiteRows(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StateError(
            f"The database {file} cannot be read: {error}.",
            hint="If a writer holds it, try again; `sweeper doctor` examines the file.",
        ) from error


@contextmanager
def _open_server(url: str) -> Iterator[Rows]:
    from sqlalchemy import create_engine
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    try:
        # The driver that `state` writes with, whichever way the URL is spelled.
        address = make_url(url).set(drivername="postgresql+psycopg")
        engine = create_engine(address, poolclass=NullPool)
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            yield ServerRows(connection)
    except (SQLAlchemyError, ImportError) as error:
        # The driver's own words may hold the URL with its password; the class name does not.
        raise StateError(
            f"The study's database cannot be read ({type(error).__name__}).",
            hint="Check SWEEPER_STORAGE and that the server answers: `sweeper doctor`.",
        ) from error
