from __future__ import annotations

import threading

from sweeper.state import events
from sweeper.state.database import Database
from sweeper.state.events import Event
from tests.state.facts import NOW
from tests.state.facts import UID


def test_events_are_told_in_order_from_any_point(database: Database) -> None:
    """And only the study's own."""
    assert events.last_id(database, UID) == 0
    first = events.record(database.transaction, UID, "best", 3, {"value": 0.08}, NOW)
    events.record(database.transaction, "another1", "best", 1, {}, NOW)
    second = events.record(database.transaction, UID, "end", None, {}, NOW + 1)
    told = [Event(first, NOW, "best", 3, {"value": 0.08}), Event(second, NOW + 1, "end", None, {})]
    assert events.since(database, UID, 0) == told
    assert events.since(database, UID, first) == told[1:]
    assert events.since(database, UID, second) == []
    assert events.last_id(database, UID) == second


def test_an_event_can_be_part_of_a_transaction(database: Database) -> None:
    """What it tells of is committed with it."""
    with database.transaction() as connection:
        number = events.record(connection, UID, "best", 3, {}, NOW)
        assert events.since(database, UID, 0) == []
    assert [each.id for each in events.since(database, UID, 0)] == [number]


def test_who_waits_misses_nothing(database: Database) -> None:
    """A number that was drawn early never becomes visible after a later one was seen."""
    drawn = threading.Event()
    release = threading.Event()

    def _slow() -> None:
        with database.transaction() as connection:
            events.record(connection, UID, "slow", None, {}, NOW)
            drawn.set()
            release.wait(10)

    def _quick() -> None:
        events.record(database.transaction, UID, "quick", None, {}, NOW)

    slow = threading.Thread(target=_slow)
    quick = threading.Thread(target=_quick)
    slow.start()
    drawn.wait(10)
    quick.start()
    quick.join(0.3)
    early = events.since(database, UID, 0)
    release.set()
    slow.join()
    quick.join()
    late = events.since(database, UID, early[-1].id if early else 0)
    assert [each.kind for each in early + late] == ["slow", "quick"]
