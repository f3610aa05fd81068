"""The ledger among processes that compete for it and are killed at any moment."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing

import pytest

from sweeper.state import lease
from sweeper.state.database import Database
from sweeper.state.ledger import Ledger
from tests.state import deeds
from tests.state import facts
from tests.state.facts import NOW
from tests.state.facts import UID
from tests.state.nursery import Nursery

ORDER = ["reserved", "submitting", "submitted", "cancelling", "terminal", "settled"]
LIVE = """
import sys
from sweeper.state.database import open_database
from tests.state import deeds
deeds.live(open_database(sys.argv[1]), sys.argv[2])
"""
# In which state the job's row has to be for a step to be taken.
BEFORE = {
    "submitting": "reserved",
    "give_back": "reserved",
    "submitted": "submitting",
    "duplicate": "submitted",
    "cancelling": "submitted",
    "terminal": "submitted",
    "settle": "submitted",
    "told": "settled",
}


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Where children come from."""
    made = Nursery()
    yield made
    made.close()


def test_sixteen_processes_get_exactly_what_the_envelope_allows(
    database: Database, nursery: Nursery
) -> None:
    """All of them together; a refused one asks on."""
    facts.study(database)
    facts.approve(database, max_jobs=10)
    asks = 40 if database.dialect == "sqlite" else 10  # the same, and a server costs more CPU
    assert nursery.ask_for_jobs(database.url, children=16, asks=asks) == [0] * 16
    ledger = Ledger(database, UID)
    assert len(ledger.jobs()) == ledger.usage().jobs_reserved == 10


@pytest.mark.parametrize("step", sorted(deeds.STEPS))
def test_a_step_is_taken_whole_or_not_at_all(
    database: Database, nursery: Nursery, step: str
) -> None:
    """Killed right before its commit nothing happened; right after it, all of it did."""
    _study_with_a_job(database, BEFORE.get(step, "reserved"))
    before = deeds.seen(database)
    assert nursery.step(database.url, step, "before") == -signal.SIGKILL
    assert deeds.seen(database) == before
    assert nursery.step(database.url, step, "after") == -signal.SIGKILL
    changed = deeds.seen(database)
    assert changed != before
    if step == "acquire":
        # The dead child's lease is no obstacle.
        assert lease.acquire(database, UID, ttl_s=60).epoch == 2
    else:
        assert _differences(before, changed) <= {"usage", *_effect(step)}


def test_what_was_said_to_be_done_is_done_after_any_kill(
    database: Database, opened: Callable[..., Database]
) -> None:
    """Six processes work through jobs and are killed at random moments, also inside a commit."""
    facts.study(database)
    facts.approve(database, max_jobs=100_000, max_walltime_s=1e9, max_parallel=100)
    dice = random.Random(20240607)
    claimed: dict[int, str] = {}
    for number in range(6):
        claimed |= _live_until_killed(database.url, f"life-{number}", dice.uniform(0.01, 0.15))
    rows = {row.id: row for row in Ledger(opened(database.url), UID).jobs()}
    assert len(claimed) > 6
    for row_id, state in claimed.items():
        assert ORDER.index(rows[row_id].state) >= ORDER.index(state)
    for row in rows.values():
        assert (row.job_id is not None) == (ORDER.index(row.state) >= ORDER.index("submitted"))
        assert (row.cost_micro_usd is not None) == (row.state == "settled")
    if database.path:
        with closing(sqlite3.connect(database.path)) as plain:
            assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _study_with_a_job(database: Database, state: str) -> None:
    facts.study(database)
    facts.approve(database)
    ledger = Ledger(database, UID)
    paid = facts.reserve(ledger, database, 1)
    reached = ORDER.index(state)
    if reached >= 1:
        ledger.submitting(database.transaction, paid, NOW)
    if reached >= 2:
        ledger.submitted(database.transaction, paid, "job-a", NOW)
    if state == "settled":
        facts.settle(ledger, database, paid.id)


def _differences(before: dict[str, object], after: dict[str, object]) -> set[str]:
    return {key for key in before if before[key] != after[key]}


def _effect(step: str) -> set[str]:
    named = {
        "approve": "approval",
        "claim": "claims",
        "cursor": "cursors",
        "ask": "requests",
        "event": "events",
    }
    return {named.get(step, "jobs")}


def _live_until_killed(url: str, name: str, after_s: float) -> dict[int, str]:
    """Run one life, kill it `after_s` seconds after its first word, return what it said."""
    child = subprocess.Popen(
        [sys.executable, "-c", LIVE, url, name], stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        first = child.stdout.readline()
        threading.Timer(after_s, child.kill).start()
        said = [first, *child.stdout]
    assert child.returncode == -signal.SIGKILL
    # The last line may have been cut by the kill.
    words = [line.split() for line in said if line.endswith("\n")]
    return {int(row_id): state for row_id, state in words}
