from __future__ import annotations

from sweeper.state import paused
from sweeper.state.database import Database
from sweeper.state.paused import Paused
from tests.state.facts import NOW
from tests.state.facts import UID


def test_a_trial_is_set_aside_and_taken_up_again(database: Database) -> None:
    """With the reason and the checkpoint it goes on from, the newest of both."""
    paused.set_aside(database.transaction, UID, Paused(3, NOW, "Behind at rung 1.", None))
    later = Paused(3, NOW + 9, "Behind at rung 2.", "checkpoint-200")
    paused.set_aside(database.transaction, UID, later)
    paused.set_aside(database.transaction, "another1", Paused(3, NOW, "Behind.", None))
    assert paused.load(database, UID) == {3: later}
    paused.take_up(database.transaction, UID, 3)
    paused.take_up(database.transaction, UID, 3)
    assert paused.load(database, UID) == {}
    assert 3 in paused.load(database, "another1")
