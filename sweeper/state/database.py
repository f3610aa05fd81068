"""One database, SQLite or PostgreSQL, opened so that reading and deciding are one step.

SQLite: write-ahead log, the driver's own transactions off, every write transaction begins with
BEGIN IMMEDIATE. (With the driver's default, 16 processes were granted 17 of 10.) PostgreSQL: read
committed; whoever decides locks the row it decides upon.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection
from sqlalchemy import event
from sqlalchemy import exc
from sqlalchemy.engine import URL
from sqlalchemy.engine import make_url

from sweeper.errors import StateError
from sweeper.state import migration
from sweeper.state.filesystem import refuse_network_filesystem

#: Opens a write transaction: `database.transaction` or a lease's, which checks the epoch.
Transactions = Callable[[], AbstractContextManager[Connection]]

BUSY_TIMEOUT_S = 30.0
#: A PostgreSQL session that sleeps inside a transaction longer than this is ended by the server,
#: so that a frozen conductor cannot hold the rows its successor needs.
STALLED_AFTER_S = 20.0


class DatabaseAwayError(StateError):
    """The database does not answer at the moment; nothing was written, or it is not known."""

    code = "database_away"


class Database:
    """An open database that holds our tables at this version.

    Attributes:
        url: Where it is, with its password; never for printing.
        engine: SQLAlchemy's engine.
        path: The SQLite file, or None.
    """

    def __init__(self, url: URL, *, stalled_after_s: float = STALLED_AFTER_S) -> None:
        self.url = url.render_as_string(hide_password=False)
        self.path = Path(str(url.database)) if url.get_backend_name() == "sqlite" else None
        self._name = url.render_as_string(hide_password=True)
        self.engine = _sqlite(url) if self.path else _postgresql(url, stalled_after_s)
        self._reading = self.engine.execution_options(sweeper_begin="BEGIN DEFERRED")

    def __repr__(self) -> str:
        return f"Database({self._name!r})"

    @property
    def dialect(self) -> str:
        """Either "sqlite" or "postgresql"."""
        return self.engine.dialect.name

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a write transaction: committed at the end, rolled back on any exception.

        Raises:
            DatabaseAwayError: The database is locked for too long, or the connection was cut.
            StateError: The database cannot do what was asked (full, read-only, damaged).
        """
        with self._translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads; it never waits for a writer."""
        with self._translated(), self._reading.begin() as connection:
            yield connection

    def now(self) -> float:
        """Return UTC seconds by the clock that all users of this database share."""
        if self.path:
            return time.time()
        with self.read() as connection:
            return clock(connection)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            raise self._sentence(error) from error
        except exc.TimeoutError as error:
            raise DatabaseAwayError(
                f"The database {self._name} has no free connection.", hint="Try again in a moment."
            ) from error

    def _sentence(self, error: exc.DBAPIError) -> StateError:
        said = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no reason"
        if error.connection_invalidated or _transient(error.orig):
            return DatabaseAwayError(
                f"The database {self._name} does not answer: {said}",
                hint="Something else holds it, or the way to it is cut. Try again in a moment.",
            )
        return StateError(
            f"The database {self._name} refused: {said}",
            hint="`sweeper doctor` shows what is wrong with it.",
        )


def open_database(
    url: str, *, create: bool = True, stalled_after_s: float = STALLED_AFTER_S
) -> Database:
    """Open the database at `url` and bring our tables to this version.

    Args:
        url: `sqlite:///…` or `postgresql+psycopg://…`.
        create: Whether to make the file and the tables where there are none.
        stalled_after_s: Seconds after which PostgreSQL ends a transaction that lies idle.

    Raises:
        StateError: The URL or the place is not usable, nothing is there and `create` is false,
            or the tables were written by a newer version.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        _prepare_file(Path(str(parsed.database)), create=create)
    database = Database(parsed, stalled_after_s=stalled_after_s)
    try:
        with database._translated():
            migration.bring_up(database.engine, database.path, create=create)
    except BaseException:
        database.close()
        raise
    return database


def sqlite_url(path: Path) -> str:
    """Return the URL of the SQLite file at `path`."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


@contextmanager
def writing(where: Connection | Transactions) -> Iterator[Connection]:
    """Write in the transaction that is already open, or in one of its own."""
    if isinstance(where, Connection):
        yield where
    else:
        with where() as connection:
            yield connection


@contextmanager
def reading(where: Connection | Database) -> Iterator[Connection]:
    """Read in the transaction that is already open, or in one of its own."""
    if isinstance(where, Connection):
        yield where
    else:
        with where.read() as connection:
            yield connection


def clock(connection: Connection) -> float:
    """Return UTC seconds: PostgreSQL's own clock, or for a local file this machine's."""
    if connection.dialect.name == "sqlite":
        return time.time()
    said = connection.execute(sqlalchemy.text("SELECT EXTRACT(EPOCH FROM clock_timestamp())"))
    return float(said.scalar_one())


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        # The text is not repeated: a broken URL may hold a password anywhere.
        raise _unusable("The storage is not a database URL.") from None
    name = parsed.drivername.split("+")[0]
    if name in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if name != "sqlite":
        raise _unusable(f"The storage {name!r} is not supported.")
    if parsed.database in (None, "", ":memory:"):
        raise _unusable(
            "An SQLite storage needs a file: what is only in memory cannot be resumed."
        )
    return parsed.set(drivername="sqlite", database=str(Path(str(parsed.database)).absolute()))


def _unusable(sentence: str) -> StateError:
    return StateError(
        sentence,
        key="storage",
        hint="Use sqlite:///<path> or postgresql+psycopg://<user>@<host>/<database>.",
    )


def _prepare_file(path: Path, *, create: bool) -> None:
    refuse_network_filesystem(path)
    if not create and not path.is_file():
        raise migration.nothing_here(str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _set_wal(path)
    except (OSError, sqlite3.Error) as error:
        raise StateError(
            f"{path} cannot be used as an SQLite database: {error}",
            hint="Check that it is a database, that its folder is writable and the disk not full.",
        ) from error


def _set_wal(path: Path) -> None:
    """Switch the file to the write-ahead log, which it then remembers for every program."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as connection:
        while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                connection.execute("PRAGMA journal_mode = wal")
            except sqlite3.OperationalError:
                # The busy timeout does not cover this switch when several processes race for it.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def _sqlite(url: URL) -> sqlalchemy.Engine:
    engine = sqlalchemy.create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_S, "isolation_level": None}
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        # A committed reservation must outlive a power cut; WAL's default may lose the last ones.
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        connection.exec_driver_sql(options.get("sweeper_begin", "BEGIN IMMEDIATE"))

    return engine


def _postgresql(url: URL, stalled_after_s: float) -> sqlalchemy.Engine:
    try:
        engine = sqlalchemy.create_engine(
            url,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": 10},
        )
    except ImportError as error:
        raise StateError(
            "PostgreSQL needs the driver psycopg, which is not installed.",
            hint="Install the extra `postgres` of ml-research-sweeper.",
        ) from error

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            stalled = f"{int(stalled_after_s * 1000)}"
            cursor.execute(f"SET idle_in_transaction_session_timeout = {stalled}")
            cursor.execute(f"SET lock_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
            cursor.execute("SET synchronous_commit = on")
        connection.commit()

    return engine


def _transient(error: BaseException | None) -> bool:
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    # SQLSTATE classes: 08 connection, 40 rollback (deadlock), 57P shutdown; 55P03 lock timeout.
    state = getattr(error, "sqlstate", None)
    if state is None:
        return type(error).__name__ == "OperationalError"
    return state[:2] in ("08", "40") or state.startswith("57P") or state in ("55P03", "25P03")
