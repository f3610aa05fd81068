from __future__ import annotations

import pytest

from sweeper.state import cursors
from sweeper.state.cursors import Cursor
from sweeper.state.database import Database
from tests.state.facts import NOW
from tests.state.facts import UID


def test_reading_goes_on_where_it_stopped(database: Database) -> None:
    """With the reader's own state, and each job apart."""
    assert cursors.load(database, UID, 1) is None
    reader = {"count": 7, "seen": {"loss": 0.5}, "partial": 'half a "line\n'}
    cursors.store(database.transaction, UID, 1, "4711", reader, 0.5, 7, NOW)
    assert cursors.load(database, UID, 1) == Cursor(1, "4711", reader, 0.5, 7, NOW)
    assert cursors.load(database, UID, 2) is None
    assert cursors.load(database, "another1", 1) is None


def test_a_newer_cursor_replaces_the_older_one(database: Database) -> None:
    """Also by nothing where nothing was read yet."""
    cursors.store(database.transaction, UID, 1, "1", {"a": 1}, 0.5, 7, NOW)
    cursors.store(database.transaction, UID, 1, "0", {}, None, None, None)
    assert cursors.load(database, UID, 1) == Cursor(1, "0", {})


def test_many_cursors_are_one_transaction(database: Database) -> None:
    """Old and new ones mixed; an exception undoes all of them."""
    cursors.store_many(database.transaction, UID, [Cursor(1, "a", {}), Cursor(2, "b", {})])
    cursors.store_many(database.transaction, UID, [Cursor(2, "c", {}), Cursor(3, "d", {})])
    cursors.store_many(database.transaction, UID, [])

    def _half() -> None:
        with database.transaction() as connection:
            cursors.store_many(connection, UID, [Cursor(1, "z", {}), Cursor(4, "z", {})])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        _half()
    found = cursors.load_many(database, UID)
    assert {job: each.cursor for job, each in found.items()} == {1: "a", 2: "c", 3: "d"}
