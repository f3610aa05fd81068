from __future__ import annotations

import pytest

from sweeper.errors import StateError
from sweeper.state import control
from sweeper.state.database import Database
from tests.state.facts import NOW
from tests.state.facts import UID


def test_what_was_asked_is_open_until_it_is_answered(database: Database) -> None:
    """In the order of asking, and each study's apart."""
    first = control.ask(database, UID, "pause", None, "ada", NOW)
    second = control.ask(database, UID, "cancel", "7", "bob", NOW + 1)
    control.ask(database, "another1", "stop", None, "ada", NOW)
    asked = control.open_requests(database, UID)
    assert [(each.id, each.verb, each.argument) for each in asked] == [
        (first, "pause", None),
        (second, "cancel", "7"),
    ]
    control.done(database.transaction, first, "paused", NOW + 2)
    assert [each.id for each in control.open_requests(database, UID)] == [second]
    answered = control.by_id(database, first)
    assert answered is not None
    assert (answered.done_at, answered.answer, answered.asked_by) == (NOW + 2, "paused", "ada")
    assert control.by_id(database, 4711) is None


def test_the_first_answer_stands(database: Database) -> None:
    """A conductor that died after answering does not change it by answering again."""
    asked = control.ask(database, UID, "stop", None, "ada", NOW)
    control.done(database.transaction, asked, "stopping", NOW + 1)
    control.done(database.transaction, asked, "nothing to stop", NOW + 2)
    answered = control.by_id(database, asked)
    assert answered is not None
    assert answered.answer == "stopping"


def test_only_known_words_can_be_asked_and_only_requests_answered(database: Database) -> None:
    """Neither vanishes silently."""
    with pytest.raises(ValueError, match="'explode' is none of"):
        control.ask(database, UID, "explode", None, "ada", NOW)
    with pytest.raises(StateError, match="no request 4711"):
        control.done(database.transaction, 4711, "done", NOW)
