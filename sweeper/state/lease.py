"""One conductor a study: who holds it, for how long, and what a dead holder leaves behind.

Each holder has an epoch, one higher than the last; every transaction of a conductor checks that
its epoch still stands. A holder on this machine is judged by its process alone. One elsewhere is
judged by its heartbeat, and replaced only when a request that it sent with its last breath must
have been answered and be visible: TTL + POST timeout + settle window.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import Connection

from sweeper.errors import LeaseHeldError
from sweeper.errors import LeaseLostError
from sweeper.state import tables
from sweeper.state.database import Database
from sweeper.state.database import clock
from sweeper.state.process import Process
from sweeper.state.process import identity
from sweeper.state.process import machine_id
from sweeper.state.process import process_alive

__all__ = ["Holder", "Lease", "Process", "StandbyError", "acquire", "holder", "identity"]
__all__ += ["process_alive"]

POST_TIMEOUT_S = 20.0
SETTLE_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class Holder(Process):
    """The conductor that a study had last.

    Attributes:
        since: When it took the lease, UTC seconds.
        heartbeat_at: When it last said that it lives, UTC seconds.
        ttl_s: How long a heartbeat speaks for it.
        epoch: Its number.
        released_at: When it let go of the lease, or None.
        alive: Whether it works; None where only its silence is known.
    """

    since: float
    heartbeat_at: float
    ttl_s: float
    epoch: int
    released_at: float | None
    alive: bool | None


class StandbyError(LeaseHeldError):
    """A conductor on another machine holds the study: stand by and ask again.

    Attributes:
        holder: That conductor.
        wait_s: Seconds after which it could be replaced, should it stay silent.
    """

    def __init__(self, message: str, *, hint: str, holder: Holder, wait_s: float) -> None:
        super().__init__(message, hint=hint)
        self.holder = holder
        self.wait_s = wait_s


class Lease:
    """The right to conduct one study, until it is released or taken over.

    Attributes:
        epoch: Number of this holder; it is the owner of the trials it creates.
        uid: The study.
    """

    def __init__(self, database: Database, uid: str, epoch: int) -> None:
        self.uid = uid
        self.epoch = epoch
        self._database = database

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a write transaction in which nobody else can take the lease.

        Raises:
            LeaseLostError: Somebody already has; nothing is written.
        """
        with self._database.transaction() as connection:
            # PostgreSQL: the shared lock holds off a take-over until we have committed.
            row = _row(connection, self.uid, share=True)
            if row is None or row.epoch != self.epoch or row.released_at is not None:
                raise _lost(row, self.epoch)
            yield connection

    def heartbeat(self, now: float | None = None) -> None:
        """Say that this holder lives, at `now` (the database's clock by default).

        Raises:
            LeaseLostError: Another conductor has taken over.
        """
        with self._database.transaction() as connection:
            moment = clock(connection) if now is None else now
            if not self._update(connection, heartbeat_at=moment):
                raise _lost(_row(connection, self.uid), self.epoch)

    def check(self, now: float | None = None) -> None:
        """Make sure, right before a request is sent, that it ends within this lease.

        It renews the lease: a successor then waits for longer than the request may take.

        Raises:
            LeaseLostError: Another conductor has taken over; send nothing.
        """
        self.heartbeat(now)

    def release(self, now: float | None = None) -> None:
        """Let go of the lease; where it is lost already, do nothing."""
        with self._database.transaction() as connection:
            self._update(connection, released_at=clock(connection) if now is None else now)

    def _update(self, connection: Connection, **values: float) -> bool:
        mine = (tables.lease.c.uid == self.uid) & (tables.lease.c.epoch == self.epoch)
        held = tables.lease.c.released_at.is_(None)
        done = connection.execute(tables.lease.update().where(mine, held).values(**values))
        return done.rowcount == 1


def acquire(
    database: Database,
    uid: str,
    *,
    ttl_s: float,
    now: float | None = None,
    post_timeout_s: float = POST_TIMEOUT_S,
    settle_window_s: float = SETTLE_WINDOW_S,
) -> Lease:
    """Take the lease of study `uid` for this process.

    Args:
        database: Where the study is.
        uid: The study.
        ttl_s: How long a heartbeat of ours is to speak for us.
        now: UTC seconds; the database's clock by default.
        post_timeout_s: How long a request of a conductor may take.
        settle_window_s: How long a created job may stay invisible.

    Raises:
        StandbyError: A conductor on another machine holds it; ask again.
        LeaseHeldError: A living conductor on this machine holds it.
    """
    with database.transaction() as connection:
        _prepare_row(connection, uid)
        row = _row(connection, uid, lock=True)
        moment = clock(connection) if now is None else now
        last = _holder(row, moment)
        _refuse_held(last, moment, max(ttl_s, last.ttl_s) + post_timeout_s + settle_window_s)
        return _take(connection, database, uid, last.epoch + 1, moment, ttl_s)


def holder(database: Database, uid: str, now: float | None = None) -> Holder | None:
    """Return the conductor that study `uid` had last, or None if it never had one."""
    with database.read() as connection:
        row = _row(connection, uid)
        moment = clock(connection) if now is None else now
    return None if row is None else _holder(row, moment)


def _prepare_row(connection: Connection, uid: str) -> None:
    """Make the row that competitors wait for; it is nobody's and never seen by others."""
    nobody = {"host": "", "machine_id": "", "boot_id": "", "pid": 0, "process_started": ""}
    times = {"since": 0.0, "heartbeat_at": 0.0, "ttl_s": 0.0, "released_at": 0.0}
    tables.insert_if_absent(connection, tables.lease, {"uid": uid, "epoch": 0, **nobody, **times})


def _row(connection: Connection, uid: str, *, share: bool = False, lock: bool = False) -> Any:
    query = sqlalchemy.select(tables.lease).where(tables.lease.c.uid == uid)
    if share or lock:
        query = query.with_for_update(read=share)
    return connection.execute(query).one_or_none()


def _holder(row: Any, now: float) -> Holder:
    process = Process(row.host, row.machine_id, row.boot_id, row.pid, row.process_started)
    return Holder(
        host=process.host,
        machine_id=process.machine_id,
        boot_id=process.boot_id,
        pid=process.pid,
        process_started=process.process_started,
        since=row.since,
        heartbeat_at=row.heartbeat_at,
        ttl_s=row.ttl_s,
        epoch=row.epoch,
        released_at=row.released_at,
        alive=_alive(row, process, now),
    )


def _alive(row: Any, process: Process, now: float) -> bool | None:
    if row.released_at is not None:
        return False
    if process.machine_id == machine_id():
        return process_alive(process)
    return True if now < row.heartbeat_at + row.ttl_s else None


def _refuse_held(last: Holder, now: float, silence_s: float) -> None:
    if last.alive is False:
        return
    sentence = (
        f"another conductor holds this study: host {last.host}, pid {last.pid}, "
        f"since {_as_utc(last.since)}"
    )
    if last.machine_id == machine_id():
        raise LeaseHeldError(
            sentence, hint="`sweeper status --watch` shows it; `sweeper stop` ends it."
        )
    wait_s = last.heartbeat_at + silence_s - now
    if wait_s > 0:
        raise StandbyError(
            sentence,
            hint=f"It is taken over when it has been silent for {silence_s:g} s.",
            holder=last,
            wait_s=wait_s,
        )


def _take(
    connection: Connection, database: Database, uid: str, epoch: int, now: float, ttl_s: float
) -> Lease:
    me = identity()
    connection.execute(
        tables.lease.update()
        .where(tables.lease.c.uid == uid)
        .values(
            epoch=epoch,
            host=me.host,
            machine_id=me.machine_id,
            boot_id=me.boot_id,
            pid=me.pid,
            process_started=me.process_started,
            since=now,
            heartbeat_at=now,
            ttl_s=ttl_s,
            released_at=None,
        )
    )
    return Lease(database, uid, epoch)


def _lost(row: Any, epoch: int) -> LeaseLostError:
    if row is not None and row.epoch == epoch:
        return LeaseLostError("this conductor has released the study; it writes no more")
    who = f"the conductor on {row.host}, pid {row.pid}," if row is not None else "somebody"
    since = f" at {_as_utc(row.since)}" if row is not None else ""
    return LeaseLostError(
        f"{who} has taken this study over{since}; this conductor writes no more",
        hint="Nothing is to be done: the other one goes on.",
    )


def _as_utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
