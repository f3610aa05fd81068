from __future__ import annotations

import threading

from sweeper.state import claims
from sweeper.state.claims import Claim
from sweeper.state.database import Database
from tests.state.facts import NOW
from tests.state.facts import UID


def test_a_proposal_becomes_one_trial(database: Database) -> None:
    """The second trial that wants it is told no, and the first keeps it."""
    assert claims.claim(database, UID, "p1", 3, {"lr": 1e-5, "peft": None}, NOW)
    assert not claims.claim(database, UID, "p1", 4, {"lr": 2e-5}, NOW + 1)
    assert claims.of_trial(database, UID, 3) == Claim("p1", 3, {"lr": 1e-5, "peft": None}, NOW)
    assert claims.of_trial(database, UID, 4) is None


def test_a_trial_takes_one_proposal(database: Database) -> None:
    """A second one stays queued for others."""
    assert claims.claim(database, UID, "p1", 3, {}, NOW)
    assert not claims.claim(database, UID, "p2", 3, {}, NOW)
    assert claims.claim(database, UID, "p2", 4, {}, NOW)
    assert [(each.proposal, each.trial) for each in claims.all(database, UID)] == [
        ("p1", 3),
        ("p2", 4),
    ]


def test_claims_of_two_studies_do_not_meet(database: Database) -> None:
    """The same proposal id and trial number in another study are free."""
    assert claims.claim(database, UID, "p1", 3, {}, NOW)
    assert claims.claim(database, "another1", "p1", 3, {}, NOW)
    claims.release(database, "another1", 3)
    assert len(claims.all(database, UID)) == 1


def test_a_freed_claim_can_be_taken_again(database: Database) -> None:
    """The trial never started; freeing twice is freeing once."""
    claims.claim(database, UID, "p1", 3, {}, NOW)
    claims.release(database, UID, 3)
    claims.release(database, UID, 3)
    assert claims.claim(database, UID, "p1", 4, {}, NOW)


def test_of_many_that_want_a_proposal_one_gets_it(database: Database) -> None:
    """Ten threads at once."""
    won: list[int] = []

    def _want(trial: int) -> None:
        if claims.claim(database, UID, "p1", trial, {}, NOW):
            won.append(trial)

    threads = [threading.Thread(target=_want, args=(trial,)) for trial in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.trial for each in claims.all(database, UID)] == won
    assert len(won) == 1
