from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy

from sweeper.errors import LeaseHeldError
from sweeper.errors import LeaseLostError
from sweeper.state import lease
from sweeper.state import tables
from sweeper.state.database import Database
from sweeper.state.database import DatabaseAwayError
from sweeper.state.lease import StandbyError
from tests.doubles.postgres import PostgresServer
from tests.state import facts
from tests.state.facts import NOW
from tests.state.facts import UID

Open = Callable[..., Database]
SILENCE_S = 60 + 20 + 10

HOLD = """
import sys
from sweeper.state import lease
from sweeper.state.database import open_database
held = lease.acquire(open_database(sys.argv[1]), sys.argv[2], ttl_s=60)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def _conductor(url: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lease of the study."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, url, UID],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        yield child
        child.kill()


def _acquire(database: Database, now: float | None = NOW) -> lease.Lease:
    return lease.acquire(database, UID, ttl_s=60, now=now)


def test_the_first_conductor_takes_the_lease(database: Database) -> None:
    """And everyone can see who it is."""
    assert lease.holder(database, UID) is None
    held = _acquire(database)
    seen = lease.holder(database, UID)
    assert seen is not None
    assert (seen.pid, seen.epoch, seen.alive, seen.since) == (os.getpid(), held.epoch, True, NOW)


def test_a_living_holder_here_is_never_replaced(database: Database) -> None:
    """However long it has been silent: a laptop may have slept."""
    with _conductor(database.url) as child:
        with pytest.raises(LeaseHeldError, match="another conductor holds this study") as caught:
            _acquire(database, now=None)
        assert not isinstance(caught.value, StandbyError)
        assert f"pid {child.pid}" in caught.value.message
        assert "host " in caught.value.message
        assert "since 20" in caught.value.message
        child.send_signal(signal.SIGSTOP)
        with pytest.raises(LeaseHeldError):
            _acquire(database, now=database.now() + 10 * SILENCE_S)


def test_a_holder_that_was_killed_here_is_replaced_at_once(database: Database) -> None:
    """Even while it is a zombie that nobody waited for."""
    with _conductor(database.url) as child:
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        seen = lease.holder(database, UID)
        assert seen is not None
        assert seen.alive is False
        assert _acquire(database, now=None).epoch == seen.epoch + 1


def test_a_holder_from_before_a_reboot_is_replaced_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pid and start time may be somebody else's by now."""
    monkeypatch.setenv("SWEEPER_BOOT_ID", "monday")
    first = _acquire(database)
    monkeypatch.setenv("SWEEPER_BOOT_ID", "tuesday")
    assert _acquire(database, now=NOW + 1).epoch == first.epoch + 1


def test_a_holder_elsewhere_is_replaced_after_its_silence(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TTL, then the time of a request in flight, then the time until its job can be seen."""
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-1")
    first = _acquire(database)
    first.heartbeat(NOW + 5)
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-2")
    with pytest.raises(StandbyError) as caught:
        _acquire(database, now=NOW + 6)
    assert caught.value.wait_s == pytest.approx(SILENCE_S - 1)
    assert caught.value.holder.machine_id == "box-1"
    with pytest.raises(StandbyError):
        _acquire(database, now=NOW + 5 + SILENCE_S - 0.1)
    assert _acquire(database, now=NOW + 5 + SILENCE_S).epoch == first.epoch + 1


def test_a_standby_waits_for_the_longer_of_two_leases(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standby with a short TTL does not cut a holder's long one."""
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-1")
    lease.acquire(database, UID, ttl_s=600, now=NOW)
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-2")
    with pytest.raises(StandbyError) as caught:
        lease.acquire(database, UID, ttl_s=1, now=NOW)
    assert caught.value.wait_s == pytest.approx(600 + 20 + 10)


def test_what_is_known_of_a_holder_elsewhere_is_its_heartbeat(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fresh means alive; silent means unknown; released means gone."""
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-1")
    held = _acquire(database)
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-2")
    assert [_alive(database, NOW + after) for after in (0, 59, 61, 1e6)] == [
        True,
        True,
        None,
        None,
    ]
    held.release(NOW + 1)
    assert _alive(database, NOW + 2) is False


def test_a_released_lease_is_free_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For this machine and for others; releasing twice is releasing once."""
    first = _acquire(database)
    first.release()
    first.release()
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-2")
    assert _acquire(database).epoch == first.epoch + 1


def test_who_lost_the_lease_writes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction is refused before it begins, and so are heartbeat and check."""
    facts.study(database)
    old = _acquire(database)
    monkeypatch.setenv("SWEEPER_BOOT_ID", "after a crash")
    new = _acquire(database)

    def _write() -> None:
        with old.transaction() as connection:
            connection.execute(tables.study.update().values(state="finished"))

    for write in (_write, old.heartbeat, old.check):
        with pytest.raises(LeaseLostError, match=f"pid {os.getpid()}"):
            write()
    old.release()
    with database.read() as connection:
        assert connection.execute(sqlalchemy.select(tables.study.c.state)).scalar() == "new"
    with new.transaction() as connection:
        connection.execute(tables.study.update().values(state="running"))
    new.check()


def test_who_released_the_lease_writes_nothing_either(database: Database) -> None:
    """And is told that it did so itself."""
    held = _acquire(database)
    held.release()
    with pytest.raises(LeaseLostError, match="released"), held.transaction():
        pytest.fail("the transaction was opened")


def test_leases_of_two_studies_do_not_meet(database: Database) -> None:
    """One database, one process, two studies: both are conducted."""
    one = lease.acquire(database, "00000001", ttl_s=60)
    two = lease.acquire(database, "00000002", ttl_s=60)
    one.check()
    two.check()


def test_a_check_right_before_a_request_renews_the_lease(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A successor waits until that request must have been answered."""
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-1")
    held = _acquire(database)
    held.check(NOW + 59)
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-2")
    with pytest.raises(StandbyError) as caught:
        _acquire(database, now=NOW + 60)
    assert caught.value.wait_s > 20


def test_of_six_that_want_it_one_gets_it(url: str, opened: Open) -> None:
    """Six processes at once on a study that nobody has conducted yet."""
    opened(url)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD, url, UID],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(6)
    ]
    # The winner ends with its input; nobody's end frees the lease of a process still alive.
    refused = [child for child in children if not _holds(child)]
    for child in children:
        child.communicate()
    assert len(refused) == 5
    assert all(child.returncode for child in refused)


@pytest.mark.postgres
def test_the_database_keeps_the_time(
    postgres: PostgresServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose clock is an hour fast takes nothing over."""
    database = opened(postgres.new_database())
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-1")
    _acquire(database, now=None)
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-2")
    monkeypatch.setattr("time.time", lambda: NOW + 1e9)
    with pytest.raises(StandbyError) as caught:
        _acquire(database, now=None)
    assert caught.value.wait_s == pytest.approx(SILENCE_S, abs=30)


@pytest.mark.postgres
def test_nobody_takes_over_in_the_middle_of_a_transaction(
    postgres: PostgresServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL the check would otherwise be stale at the commit."""
    url = postgres.new_database()
    database = opened(url)
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-1")
    held = _acquire(database)
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-2")
    monkeypatch.setattr("sweeper.state.database.BUSY_TIMEOUT_S", 0.1)
    impatient = opened(url)
    with held.transaction(), pytest.raises(DatabaseAwayError):
        _acquire(impatient, now=NOW + 2 * SILENCE_S)
    assert _acquire(impatient, now=NOW + 2 * SILENCE_S).epoch == held.epoch + 1


@pytest.mark.postgres
def test_a_holder_frozen_in_a_transaction_does_not_stop_its_successor(
    postgres: PostgresServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends the sleeper's transaction; when it wakes it has written nothing."""
    url = postgres.new_database()
    facts.study(opened(url))
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-1")
    frozen = _acquire(opened(url, stalled_after_s=0.2))
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-2")

    def _freeze() -> None:
        with frozen.transaction() as connection:
            connection.execute(tables.study.update().values(state="finished"))
            _acquire(opened(url), now=NOW + 2 * SILENCE_S)

    with pytest.raises(DatabaseAwayError):
        _freeze()
    with pytest.raises(LeaseLostError):
        frozen.check()
    with opened(url).read() as connection:
        assert connection.execute(sqlalchemy.select(tables.study.c.state)).scalar() == "new"


def _alive(database: Database, now: float) -> bool | None:
    seen = lease.holder(database, UID, now)
    assert seen is not None
    return seen.alive


def _holds(child: subprocess.Popen[bytes]) -> bool:
    assert child.stdout is not None
    return child.stdout.readline() == b"held\n"
