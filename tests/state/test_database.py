from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from sweeper.errors import StateError
from sweeper.state import database as database_module
from sweeper.state import schema
from sweeper.state import tables
from sweeper.state.database import Database
from sweeper.state.database import DatabaseAwayError
from sweeper.state.database import open_database
from sweeper.state.database import sqlite_url
from tests.doubles.postgres import PostgresServer
from tests.state import facts

Open = Callable[..., Database]


def test_the_tables_are_those_of_the_schema(database: Database) -> None:
    """Names and NOT NULL of every column are as declared, on both databases."""
    with database.read() as connection:
        inspector = sqlalchemy.inspect(connection)
        for name, declared in schema.TABLES.items():
            kinds: dict[str, str] = declared["columns"]  # type: ignore[assignment]
            found = {column["name"]: column for column in inspector.get_columns(name)}
            assert set(found) == set(kinds)
            for column, kind in kinds.items():
                assert found[column]["nullable"] is not kind.endswith("!"), (name, column)


def test_a_plain_sqlite_program_finds_the_write_ahead_log(file_database: Database) -> None:
    """The journal mode is a property of the file, so Optuna and the dashboard inherit it."""
    assert file_database.path is not None
    with closing(sqlite3.connect(file_database.path)) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert plain.execute("SELECT version FROM sweeper_schema").fetchall() == [(1,)]


def test_a_commit_outlives_a_power_cut(file_database: Database) -> None:
    """Every connection of ours syncs at commit."""
    with file_database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL


def test_an_exception_rolls_everything_back(database: Database) -> None:
    """Even one that is no error."""

    def _half_done() -> None:
        with database.transaction() as connection:
            connection.execute(tables.request.insert().values(**_request()))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _half_done()
    assert _count(database) == 0


def test_reading_then_writing_is_one_step_on_sqlite(file_database: Database) -> None:
    """Eight threads raise one number by reading and writing it; no raise is lost."""
    facts.study(file_database)

    def _raise_25_times() -> None:
        for _ in range(25):
            with file_database.transaction() as connection:
                epoch = connection.execute(sqlalchemy.select(tables.study.c.verdict_epoch))
                connection.execute(tables.study.update().values(verdict_epoch=epoch.scalar() + 1))

    threads = [threading.Thread(target=_raise_25_times) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with file_database.read() as connection:
        assert connection.execute(sqlalchemy.select(tables.study.c.verdict_epoch)).scalar() == 201


def test_a_reader_sees_the_last_commit_while_a_writer_works(database: Database) -> None:
    """Reading neither waits nor sees what is not committed."""
    with database.transaction() as connection:
        connection.execute(tables.request.insert().values(**_request()))
        assert _count(database) == 0
    assert _count(database) == 1


def test_a_database_that_stays_locked_is_said_to_be_away(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting has an end, and the error says that it may pass."""
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_S", 0.05)
    database = opened(sqlite_url(tmp_path / "sweep.db"))
    other = opened(sqlite_url(tmp_path / "sweep.db"))
    with (
        database.transaction(),
        pytest.raises(DatabaseAwayError, match="does not answer"),
        other.transaction(),
    ):
        pytest.fail("two write transactions were open at once")


def test_six_processes_may_create_one_database_at_once(url: str) -> None:
    """None of them fails and the tables are made once."""
    program = "import sys; from sweeper.state.database import open_database as o; o(sys.argv[1])"
    children = [
        subprocess.Popen([sys.executable, "-c", program, url], stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    said = [child.communicate()[1].decode() for child in children]
    assert [child.returncode for child in children] == [0] * 6, said


def test_nothing_is_created_for_those_who_only_look(tmp_path: Path, url: str) -> None:
    """`create=False` leaves no file behind."""
    with pytest.raises(StateError, match="No study is recorded"):
        open_database(url, create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b", "what?", "50%25", "ümlaut", "a#b", "semi;colon"])
def test_a_folder_may_have_any_name(tmp_path: Path, opened: Open, name: str) -> None:
    """What is special in a URL is ordinary in a path."""
    path = tmp_path / name / "sweep.db"
    database = opened(sqlite_url(path))
    assert database.path == path
    assert path.is_file()
    assert opened(database.url, create=False).path == path


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """It is refused, not overwritten."""
    path = tmp_path / "sweep.db"
    path.write_text("this is a shopping list, and a long one at that\n" * 100)
    with pytest.raises(StateError, match="cannot be used as an SQLite database"):
        open_database(sqlite_url(path))
    assert path.read_text().startswith("this is a shopping list")


def test_a_folder_in_place_of_the_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    """The sentence names the path."""
    with pytest.raises(StateError, match=str(tmp_path)):
        open_database(sqlite_url(tmp_path))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("mysql://user:hunter2@host/db", "'mysql' is not supported"),
        ("hunter2 is no URL", "not a database URL"),
    ],
)
def test_an_unusable_url_is_refused_without_showing_a_password(url: str, said: str) -> None:
    """Neither sentence nor hint repeats it."""
    with pytest.raises(StateError, match=said) as caught:
        open_database(url)
    assert caught.value.key == "storage"
    assert caught.value.hint is not None
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_a_server_that_is_not_there_is_said_to_be_away_without_its_password(
    tmp_path: Path,
) -> None:
    """So a conductor may wait for it."""
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    url = f"postgresql+psycopg://ada:hunter2@/db?host={tmp_path}"
    with pytest.raises(DatabaseAwayError) as caught:
        open_database(url)
    assert "hunter2" not in caught.value.message


@pytest.mark.postgres
def test_the_usual_spellings_of_a_postgresql_url_work(
    postgres: PostgresServer, opened: Open
) -> None:
    """The driver need not be named."""
    url = postgres.new_database()
    for spelled in ("postgresql://", "postgres://"):
        assert opened(url.replace("postgresql+psycopg://", spelled)).dialect == "postgresql"


@pytest.mark.postgres
def test_a_cut_connection_is_away_and_then_back(postgres: PostgresServer, opened: Open) -> None:
    """A restarted server undoes the open transaction; the next one works."""
    database = opened(postgres.new_database())

    def _cut_in_the_middle() -> None:
        with database.transaction() as connection:
            connection.execute(tables.request.insert().values(**_request()))
            postgres.restart()
            connection.execute(tables.request.insert().values(**_request()))

    with pytest.raises(DatabaseAwayError):
        _cut_in_the_middle()
    assert _count(database) == 0


@pytest.mark.postgres
def test_a_transaction_that_sleeps_is_ended_by_the_server(
    postgres: PostgresServer, opened: Open
) -> None:
    """A conductor that is stopped in a transaction cannot hold its rows against a successor."""
    database = opened(postgres.new_database(), stalled_after_s=0.1)

    def _sleep_in_a_transaction() -> None:
        with database.transaction() as connection:
            connection.execute(tables.request.insert().values(**_request()))
            threading.Event().wait(0.5)

    with pytest.raises(DatabaseAwayError):
        _sleep_in_a_transaction()
    assert _count(database) == 0


def _request() -> dict[str, object]:
    return {"uid": facts.UID, "verb": "stop", "asked_at": facts.NOW, "asked_by": "ada"}


def _count(database: Database) -> int:
    with database.read() as connection:
        query = sqlalchemy.select(sqlalchemy.func.count()).select_from(tables.request)
        return int(connection.execute(query).scalar_one())
