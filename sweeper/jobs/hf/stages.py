"""Where the jobs of a study stand: asked aside and seldom, told at once and as often as one likes.

One listing answers for all jobs. It is repeated every `SWEEPER_POLL_S` seconds, sooner where
something hints at news (a job was cancelled, a script said how it ended), later where the Hub
asks for it. A caller waits only for jobs that were never answered for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sweeper.errors import ExecutorError
from sweeper.errors import UnavailableError

Record = dict[str, Any]
PATIENCE_S = 3.0  # how long a question about new jobs may hold up the caller
SOON_S = 1.0  # never more often than this, whatever hints at news
STALE_POLLS = 4  # failed ones in a row before the caller must know


class Stages:
    """The records of jobs, as fresh as they have to be.

    Args:
        ask: Returns the records of the wanted jobs, without those that the platform does not
            know; runs in a thread of its own.
    """

    def __init__(self, ask: Callable[[frozenset[str]], dict[str, Record]]) -> None:
        self._ask = ask
        self._poll_s = float(os.environ.get("SWEEPER_POLL_S", "15"))
        self._records: dict[str, Record] = {}
        self._absences: dict[str, int] = {}
        self._aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="polling")
        self._asking: tuple[frozenset[str], Future[dict[str, Record]]] | None = None
        self._asked_at = 0.0
        self._pause_s = 0.0
        self._hurry_s = SOON_S
        self._hurried = False
        self._failures = 0
        self._error: ExecutorError | None = None

    def created(self, record: Record) -> None:
        """Take in a job that was just created."""
        self._records[record["id"]] = record
        self.hurry()

    def hurry(self) -> None:
        """Something happened: ask soon, and again with growing pauses while this is called."""
        self._hurried = True

    def absences(self, job_id: str) -> int:
        """Return how often in a row the platform did not know a job."""
        return self._absences.get(job_id, 0)

    def of(self, wanted: frozenset[str]) -> dict[str, Record]:
        """Return the newest records of jobs; absent are those that the platform does not know.

        Raises:
            UnavailableError: It has not answered for a while, or not yet for one of them.
            ExecutorError: It refused to answer.
        """
        self._collect()
        new = {i for i in wanted if i not in self._records and i not in self._absences}
        if self._asking is None and wanted and (new or self._due()):
            self._start(wanted)
        if new and self._asking is not None:
            self._await()
            new -= self._records.keys() | self._absences.keys()
        self._raise(waited_for=bool(new))
        return {i: self._records[i] for i in wanted if i in self._records}

    def close(self) -> None:
        """Ask no more."""
        self._aside.shutdown(wait=False, cancel_futures=True)

    def _due(self) -> bool:
        pause_s = self._pause_s
        if self._hurried and not self._failures:
            pause_s = min(pause_s, self._hurry_s)
        return time.monotonic() - self._asked_at >= pause_s

    def _start(self, wanted: frozenset[str]) -> None:
        self._hurry_s = min(self._hurry_s * 2, self._poll_s) if self._hurried else SOON_S
        self._hurried = False
        self._asked_at = time.monotonic()
        self._asking = (wanted, self._aside.submit(self._ask, wanted))

    def _await(self) -> None:
        if self._asking is not None:
            try:
                self._asking[1].exception(timeout=PATIENCE_S)
            except TimeoutError:
                return
            self._collect()

    def _collect(self) -> None:
        """Take in an answer that has come."""
        if self._asking is None or not self._asking[1].done():
            return
        (wanted, answer), self._asking = self._asking, None
        error = answer.exception()
        if error is None:
            self._answered(wanted, answer.result())
        elif isinstance(error, ExecutorError):
            self._failed(error)
        else:
            raise error

    def _answered(self, wanted: frozenset[str], records: dict[str, Record]) -> None:
        self._failures, self._error, self._pause_s = 0, None, self._poll_s
        self._records.update(records)
        for job_id in records:
            self._absences.pop(job_id, None)
        for job_id in wanted - records.keys():
            self._records.pop(job_id, None)
            self._absences[job_id] = self.absences(job_id) + 1

    def _failed(self, error: ExecutorError) -> None:
        self._failures += 1
        self._error = error
        asked_s = getattr(error, "retry_after_s", None)
        self._pause_s = asked_s or min(SOON_S * 2.0**self._failures, self._poll_s)

    def _raise(self, *, waited_for: bool) -> None:
        error = self._error
        if error is None:
            if waited_for:
                raise UnavailableError(
                    "The Hub takes its time to say how the jobs are.", retry_after_s=SOON_S
                )
            return
        if isinstance(error, UnavailableError) and not waited_for:
            if self._failures < STALE_POLLS:
                return
        else:
            self._error = None  # said once; the next question finds out whether it still holds
        raise error
