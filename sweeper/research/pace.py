"""One rate limiter for all processes of this account on this machine.

Each service has a bucket (the generic cell rate algorithm: one number, the time at which the
bucket is empty again). A process books its turn in one SQLite transaction and sleeps until then;
where a service allows no burst, the turn is confirmed right before the request leaves, so that a
process that woke late does not close up on the next one. SQLite because a killed holder of its
lock leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.errors import StateError
from sweeper.research.cache import folder
from sweeper.research.faults import BusyError
from sweeper.research.services import Rate

if TYPE_CHECKING:
    import sqlite3

_SLACK_S = 900.0
_TABLE = """CREATE TABLE IF NOT EXISTS pace (
    bucket TEXT PRIMARY KEY,
    empty_at REAL NOT NULL,
    sent_at REAL NOT NULL,
    shut_until REAL NOT NULL
)"""


class Clock:
    """The time, and the waiting for it."""

    def now(self) -> float:
        """Return UTC seconds."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Pace:
    """Turns at the services.

    Args:
        root: Folder of the limiter's database.
        clock: Tells the time and waits.
    """

    def __init__(self, root: Path | None = None, clock: Clock | None = None) -> None:
        self._path = (root or folder()) / "pace.sqlite3"
        self._clock = clock or Clock()

    def take(self, bucket: str, rate: Rate, deadline: float) -> None:
        """Wait for a turn.

        Args:
            bucket: Whose turn.
            rate: How often that bucket may be used.
            deadline: UTC seconds after which waiting is pointless.

        Raises:
            BusyError: The turn would come after the deadline; none was booked.
        """
        self._wait(self._book(bucket, rate, deadline))
        while pause_s := self._confirm(bucket, rate, deadline):
            self._wait(pause_s)

    def arrived(self, bucket: str) -> None:
        """Note that a request has arrived, which may be later than its turn.

        The next gap is counted from here: what counts is the service's clock, and a process may
        be held up between its turn and its request.
        """
        with self._transaction() as connection:
            empty_at, sent_at, shut_until = _row(connection, bucket)
            _store(connection, bucket, empty_at, max(sent_at, self._clock.now()), shut_until)

    def shut(self, bucket: str, until: float) -> None:
        """Keep every process away from a bucket until `until`, as the service asked for."""
        with self._transaction() as connection:
            empty_at, sent_at, shut_until = _row(connection, bucket)
            _store(connection, bucket, empty_at, sent_at, max(until, shut_until))

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._clock.sleep(seconds)

    def _book(self, bucket: str, rate: Rate, deadline: float) -> float:
        tolerance_s = (rate.burst - 1) * rate.interval_s
        with self._transaction() as connection:
            now = self._clock.now()
            empty_at, sent_at, shut_until = _row(connection, bucket)
            if empty_at > now + tolerance_s + _SLACK_S:  # a clock was set back
                empty_at = now
            turn = max(now, empty_at - tolerance_s, shut_until)
            _refuse_after(deadline, turn, now, bucket)
            _store(connection, bucket, max(now, empty_at) + rate.interval_s, sent_at, shut_until)
        return turn - now

    def _confirm(self, bucket: str, rate: Rate, deadline: float) -> float:
        """Return 0 when the request may leave now, else the seconds still to wait."""
        gap_s = rate.interval_s if rate.burst == 1 else 0.0
        with self._transaction() as connection:
            now = self._clock.now()
            empty_at, sent_at, shut_until = _row(connection, bucket)
            if sent_at > now:  # a clock was set back
                sent_at = 0.0
            turn = max(now, sent_at + gap_s, shut_until)
            _refuse_after(deadline, turn, now, bucket)
            if turn <= now:
                _store(connection, bucket, empty_at, now, shut_until)
        return turn - now

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        import sqlite3  # an answer from disk needs none

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        except (OSError, sqlite3.Error) as exc:
            raise self._unusable(exc) from exc
        try:
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE)
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as exc:
            raise self._unusable(exc) from exc
        finally:
            connection.close()

    def _unusable(self, exc: Exception) -> StateError:
        return StateError(
            f"The rate limiter's file {self._path} cannot be used: {exc}.",
            hint="Remove it, or set SWEEPER_CACHE_DIR to a folder that can be written.",
        )


def _row(connection: sqlite3.Connection, bucket: str) -> tuple[float, float, float]:
    row = connection.execute(
        "SELECT empty_at, sent_at, shut_until FROM pace WHERE bucket = ?", (bucket,)
    ).fetchone()
    return (row[0], row[1], row[2]) if row else (0.0, 0.0, 0.0)


def _store(
    connection: sqlite3.Connection,
    bucket: str,
    empty_at: float,
    sent_at: float,
    shut_until: float,
) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO pace VALUES (?, ?, ?, ?)", (bucket, empty_at, sent_at, shut_until)
    )


def _refuse_after(deadline: float, turn: float, now: float, bucket: str) -> None:
    if turn > deadline and turn > now:
        service = bucket.split("|")[0]
        raise BusyError(
            f"The rate limit of {service} is used up on this machine for another "
            f"{turn - now:.0f} s.",
            wait_s=turn - now,
        )
