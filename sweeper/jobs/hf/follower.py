"""Follows one job's log in a thread of its own, across drops, until the whole log is known.

The stream is only the quick way. That the job has ended is told from outside (`ended`), never
taken from the end of a stream; then the whole log is fetched once more, and whatever the stream
withheld is handed out.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from typing import Any

from sweeper.jobs.aboard import exit_of
from sweeper.jobs.executor import Stage
from sweeper.jobs.executor import Tail
from sweeper.jobs.hf.events import Event
from sweeper.jobs.hf.events import parse
from sweeper.jobs.hf.refusals import retry_after_s
from sweeper.jobs.hf.replay import Position
from sweeper.jobs.hf.replay import Replay

if TYPE_CHECKING:
    import httpx2

    from sweeper.jobs.hf.connection import Connection

QUIET_S = 45.0  # one and a half keep-alives of 30 s
SNAPSHOT_QUIET_S = 5.0  # a snapshot is replayed at once; then the platform waits for news
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 15.0
LONGEST_SCHEDULING_PAUSE_S = 4.0
SNAPSHOT_PATIENCE_S = 600.0
SNAPSHOTS = 5
QUIET_SNAPSHOTS = 1  # that bring nothing new
LEAPS = 2  # connections that may be given up because their replay began too late


class _GoneError(Exception):
    """The platform no longer has this log."""


class _LeapError(Exception):
    """The replay of this connection began too late; the next one may be whole."""


class _PausedError(Exception):
    """The platform asks for a pause.

    Attributes:
        seconds: Its length.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Follower:
    """The lines of one job behind one cursor.

    Args:
        connection: The way to the Hub.
        client: HTTP client of the streams; the shared one may be closed under us.
        job_id: The job.
        cursor: Where to begin; "" is the beginning.
        ended: Whether the job is known to have ended.

    Attributes:
        ended: Set once the job is known to have ended.
        running: Set once the job is known to have started.
    """

    def __init__(
        self,
        connection: Connection,
        client: httpx2.Client,
        job_id: str,
        cursor: str,
        *,
        ended: bool = False,
    ) -> None:
        self.ended = threading.Event()
        self.running = threading.Event()
        self._address = f"{connection.jobs}/{job_id}/logs"
        self._connection = connection
        self._client = client
        self._replay = Replay(Position.from_text(cursor))
        self._lines: list[str] = []
        self._first = self._replay.position.count
        self._complete = False
        self._leaps = LEAPS
        self._stopped = threading.Event()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._stream: Any = None
        self._exit: int | None = None
        if ended:
            self.ended.set()
        self._thread = threading.Thread(target=self._run, name=f"log {job_id}", daemon=True)
        self._thread.start()

    @property
    def platform_attempts(self) -> int:
        """How often the platform has started the command, as far as the log shows."""
        return max(1, len(self._replay.starts))

    def serves(self, cursor: str) -> bool:
        """Tell whether the lines behind `cursor` are here."""
        with self._lock:
            count = Position.from_text(cursor).count
            return self._first <= count <= self._first + len(self._lines)

    def tail(self, cursor: str) -> Tail:
        """Return the lines behind `cursor` and forget those before it."""
        with self._lock:
            skip = Position.from_text(cursor).count - self._first
            lines = self._lines[skip:]
            self._first += skip
            self._lines = lines
            return Tail(list(lines), self._replay.position.as_text(), self._complete)

    def end(self) -> None:
        """The job has ended: fetch the whole log and finish."""
        self.ended.set()
        self._wake.set()
        self._hang_up()

    def stop(self) -> None:
        """Let go of the stream; the thread ends soon."""
        self._stopped.set()
        self.end()

    def join(self) -> None:
        """Wait until the thread has ended, not for long."""
        self._thread.join(5.0)

    @property
    def complete(self) -> bool:
        """Whether the log is known to its end."""
        return self._complete

    def hints_at_more_than(self, stage: Stage) -> bool:
        """Tell whether the log says that a job is further than its stage."""
        if stage is Stage.SCHEDULING:
            return self._replay.position.count > 0
        return stage.terminal or self._exit is not None

    @property
    def exit(self) -> int | None:
        """How the script ended as the log tells it: exit code, minus a signal, or None."""
        return self._exit

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopped.is_set() and not self.ended.is_set():
            before = self._replay.position.count
            wait_s = self._follow_once()
            progress = self._replay.position.count > before
            pause_s = FIRST_PAUSE_S if progress else min(pause_s * 2, self._longest_pause_s())
            self._wake.wait(max(pause_s, wait_s))
        self._finish()

    def _longest_pause_s(self) -> float:
        return LONGEST_PAUSE_S if self.running.is_set() else LONGEST_SCHEDULING_PAUSE_S

    def _follow_once(self) -> float:
        """Follow one connection to its end; return the seconds the platform asks us to wait."""
        try:
            self._read(QUIET_S)
        except _GoneError:
            return LONGEST_SCHEDULING_PAUSE_S
        except _PausedError as pause:
            return pause.seconds
        except _LeapError:
            return 0.0
        except _lost():
            return 0.0
        return 0.0

    def _finish(self) -> None:
        """Fetch the whole log until it is known, or until that takes too long."""
        deadline, pause_s = time.monotonic() + SNAPSHOT_PATIENCE_S, FIRST_PAUSE_S
        fetched = quiet = 0
        while not self._whole(fetched, quiet) and time.monotonic() < deadline:
            before = self._replay.position.count
            try:
                self._read(SNAPSHOT_QUIET_S, snapshot=True)
                fetched += 1
                quiet = quiet + 1 if self._replay.position.count == before else 0
            except _GoneError:
                break
            except _PausedError as pause:
                pause_s = max(pause_s, pause.seconds)
            except _LeapError:
                pause_s = FIRST_PAUSE_S
            except _lost():
                quiet = 0
            if not self._whole(fetched, quiet):
                self._stopped.wait(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        with self._lock:
            self._complete = True
            self._replay.forget()

    def _whole(self, fetched: int, quiet: int) -> bool:
        """Tell whether the log is known to its end, as far as that can be known.

        The runner's last line says so; a job that was killed never wrote it, and a short log
        looks like a whole one. So a log without it is fetched until it stays the same, and one
        with nothing in it, or with numbers missing, a few times more.
        """
        if self._stopped.is_set() or fetched >= SNAPSHOTS:
            return True
        sound = not any(self._replay.position.holes.values())
        if fetched and sound and self._exit is not None:
            return True
        return quiet >= QUIET_SNAPSHOTS and sound and self._replay.position.count > 0

    def _read(self, quiet_s: float, *, snapshot: bool = False) -> None:
        with self._opened(quiet_s) as response:
            if self._dismissed(snapshot=snapshot):
                return
            with self._lock:
                self._replay.connected()
            for event in parse(response.iter_raw()):
                if self._dismissed(snapshot=snapshot):
                    return
                if event is None and snapshot:
                    return  # a keep-alive: everything there is has been said
                if event is not None:
                    self._take(event)

    def _dismissed(self, *, snapshot: bool) -> bool:
        return self._stopped.is_set() or (self.ended.is_set() and not snapshot)

    @contextmanager
    def _opened(self, quiet_s: float) -> Iterator[Any]:
        import httpx2

        timeout = httpx2.Timeout(quiet_s, connect=5.0)
        with self._client.stream(
            "GET", self._address, headers=self._connection.headers(), timeout=timeout
        ) as response:
            if response.status_code == 404:
                raise _GoneError
            if response.status_code != 200:
                raise _PausedError(retry_after_s(response.headers) or LONGEST_PAUSE_S)
            self._stream = response
            try:
                yield response
            finally:
                self._stream = None

    def _take(self, event: Event) -> None:
        with self._lock:
            leap = self._replay.leaps(event.at, event.text)
            if leap and self._leaps:
                self._leaps -= 1
                raise _LeapError
            if self._replay.is_new(event.at, event.text):
                ended = exit_of(event.text)
                self._exit = self._exit if ended is None else ended
                self._lines.append(event.text)
                self._leaps = self._leaps if leap else LEAPS

    def _hang_up(self) -> None:
        """Wake a thread that waits for the next event."""
        stream = self._stream
        if stream is None:
            return
        socket = (stream.extensions.get("network_stream") or _Nothing()).get_extra_info("socket")
        if socket is not None:
            with contextlib.suppress(OSError):
                socket.shutdown(2)


class _Nothing:
    def get_extra_info(self, name: str) -> None:
        return None


def _lost() -> tuple[type[Exception], ...]:
    import httpx2

    return (httpx2.HTTPError, httpx2.StreamError, OSError)
