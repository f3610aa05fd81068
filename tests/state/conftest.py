from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeper.state.database import Database
from sweeper.state.database import open_database
from sweeper.state.database import sqlite_url
from tests.doubles.postgres import PostgresServer
from tests.doubles.postgres import binaries


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests; skips where there is none."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not installed")
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    server = PostgresServer(programs)
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, on each kind that a study may live in."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "runs" / "sweep.db")
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def opened() -> Iterator[Callable[..., Database]]:
    """Opens databases and closes them at the end of the test."""
    databases: list[Database] = []

    def _open(url: str, **options: object) -> Database:
        databases.append(open_database(url, **options))  # type: ignore[arg-type]
        return databases[-1]

    yield _open
    for database in databases:
        database.close()


@pytest.fixture
def database(url: str, opened: Callable[..., Database]) -> Database:
    """An open database of each kind."""
    return opened(url)


@pytest.fixture
def file_database(tmp_path: Path, opened: Callable[..., Database]) -> Database:
    """An open SQLite database."""
    return opened(sqlite_url(tmp_path / "runs" / "sweep.db"))
