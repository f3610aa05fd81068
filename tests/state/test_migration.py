from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from sweeper.errors import StateError
from sweeper.state import schema
from sweeper.state.database import Database
from sweeper.state.database import open_database
from sweeper.state.database import sqlite_url
from tests.doubles.postgres import PostgresServer
from tests.state import facts

Open = Callable[..., Database]
STEP = ["ALTER TABLE sweeper_study ADD COLUMN nickname TEXT"]


def _next_version(monkeypatch: pytest.MonkeyPatch, statements: list[str]) -> None:
    monkeypatch.setattr(schema, "VERSION", 2)
    monkeypatch.setattr(schema, "MIGRATIONS", {1: statements})


def _filled(url: str) -> None:
    database = open_database(url)
    facts.study(database)
    database.close()


def test_an_older_version_is_led_forward(
    url: str, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows stay, the new column is there, and the next opening has nothing to do."""
    _filled(url)
    _next_version(monkeypatch, STEP)
    for _ in range(2):
        with opened(url).read() as connection:
            rows = connection.exec_driver_sql("SELECT uid, nickname FROM sweeper_study").all()
            version = connection.exec_driver_sql("SELECT version FROM sweeper_schema").scalar()
        assert rows == [(facts.UID, None)]
        assert version == 2


def test_several_steps_are_taken_in_order(
    url: str, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database two versions behind is led through both."""
    _filled(url)
    monkeypatch.setattr(schema, "VERSION", 3)
    rename = ["ALTER TABLE sweeper_study RENAME COLUMN nickname TO pet_name"]
    monkeypatch.setattr(schema, "MIGRATIONS", {1: STEP, 2: rename})
    with opened(url).read() as connection:
        assert connection.exec_driver_sql("SELECT pet_name FROM sweeper_study").all() == [(None,)]


def test_the_backup_holds_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy beside the file is whole, of the old version, and holds Optuna's tables too."""
    path = tmp_path / "sweep.db"
    _filled(sqlite_url(path))
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE trials (number)")
        other.execute("INSERT INTO trials VALUES (7)")
        other.commit()
    _next_version(monkeypatch, STEP)
    open_database(sqlite_url(path)).close()
    with closing(sqlite3.connect(tmp_path / "sweep.db.backup-v1")) as backup:
        assert backup.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert backup.execute("SELECT version FROM sweeper_schema").fetchone() == (1,)
        assert backup.execute("SELECT uid FROM sweeper_study").fetchall() == [(facts.UID,)]
        assert backup.execute("SELECT number FROM trials").fetchall() == [(7,)]


def test_a_backup_is_never_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one gets a name of its own."""
    (tmp_path / "sweep.db.backup-v1").write_text("precious")
    _filled(sqlite_url(tmp_path / "sweep.db"))
    _next_version(monkeypatch, STEP)
    open_database(sqlite_url(tmp_path / "sweep.db")).close()
    assert (tmp_path / "sweep.db.backup-v1").read_text() == "precious"
    assert (tmp_path / "sweep.db.backup-v1-2").is_file()


@pytest.mark.postgres
def test_postgresql_keeps_copies_of_our_tables(
    postgres: PostgresServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stand beside the tables under the old version's name."""
    url = postgres.new_database()
    _filled(url)
    _next_version(monkeypatch, STEP)
    with opened(url).read() as connection:
        query = sqlalchemy.text("SELECT uid FROM backup_v1_sweeper_study")
        assert connection.execute(query).all() == [(facts.UID,)]


def test_a_step_that_fails_changes_nothing(
    url: str, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even by the statements before the one that failed."""
    _filled(url)
    with monkeypatch.context() as patch:
        _next_version(patch, [*STEP, "ALTER TABLE nowhere ADD COLUMN x TEXT"])
        with pytest.raises(StateError, match="nowhere"):
            open_database(url)
    with opened(url).read() as connection:
        columns = {
            row["name"] for row in sqlalchemy.inspect(connection).get_columns("sweeper_study")
        }
    assert columns == set(schema.TABLES["sweeper_study"]["columns"])  # type: ignore[call-overload]


def test_a_newer_version_is_refused_with_a_sentence(
    url: str, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older sweeper touches nothing of a newer one's."""
    with monkeypatch.context() as patch:
        _next_version(patch, STEP)
        open_database(url).close()
    with pytest.raises(StateError, match=r"newer sweeper \(version 2") as caught:
        open_database(url)
    assert "Update" in str(caught.value.hint)
