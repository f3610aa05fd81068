from __future__ import annotations

import pytest

from sweeper.errors import StateError
from sweeper.state import studies
from sweeper.state.database import Database
from tests.state import facts
from tests.state.facts import UID


def test_a_study_is_found_by_uid_and_by_name(database: Database) -> None:
    """Two teams may call theirs the same."""
    made = [facts.study(database, uid) for uid in (UID, "00000001")]
    assert studies.by_uid(database, UID) == made[0]
    assert studies.by_uid(database, "ffffffff") is None
    assert studies.by_name(database, "digits") == made
    assert studies.by_name(database, "Digits") == []
    assert studies.everything(database) == made


def test_a_uid_belongs_to_one_study(database: Database) -> None:
    """A second study under it is refused and changes nothing."""
    first = facts.study(database)
    with pytest.raises(StateError, match=UID):
        facts.study(database)
    assert studies.everything(database) == [first]


def test_uids_are_eight_hexadecimal_digits() -> None:
    """And no two are the same."""
    made = {studies.new_uid() for _ in range(100)}
    assert len(made) == 100
    assert all(len(uid) == 8 and int(uid, 16) >= 0 for uid in made)


def test_the_executor_is_fixed_at_the_first_run(database: Database) -> None:
    """Naming the same one again is fine, another one is refused."""
    facts.study(database)
    studies.set_executor(database.transaction, UID, "dry")
    studies.set_executor(database.transaction, UID, "dry")
    with pytest.raises(StateError, match="'dry', not on 'hf'"):
        studies.set_executor(database.transaction, UID, "hf")
    found = studies.by_uid(database, UID)
    assert found is not None
    assert found.executor == "dry"


def test_where_a_study_stands_is_one_of_five_words(database: Database) -> None:
    """With a reason where it no longer runs."""
    facts.study(database)
    studies.set_state(database.transaction, UID, "finished", "target 0.08 reached")
    found = studies.by_uid(database, UID)
    assert found is not None
    assert (found.state, found.stop_reason) == ("finished", "target 0.08 reached")
    with pytest.raises(ValueError, match="'asleep' is none of"):
        studies.set_state(database.transaction, UID, "asleep", None)


def test_what_was_declared_and_believed_is_kept(database: Database) -> None:
    """A new verdict epoch is one higher than the last."""
    facts.study(database)
    studies.set_program(database.transaction, UID, program_sha256="f" * 64, space='{"lr": 1}')
    studies.set_belief(database.transaction, UID, '{"centre": 0.1}')
    assert studies.raise_verdict_epoch(database.transaction, UID) == 2
    found = studies.by_uid(database, UID)
    assert found is not None
    assert (found.program_sha256, found.space) == ("f" * 64, '{"lr": 1}')
    assert (found.belief, found.verdict_epoch) == ('{"centre": 0.1}', 2)


def test_an_unknown_study_cannot_be_changed(database: Database) -> None:
    """It would be lost without a word."""
    with pytest.raises(StateError, match="not in this database"):
        studies.set_state(database.transaction, UID, "running", None)
