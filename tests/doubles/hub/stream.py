"""GET /api/jobs/{ns}/{id}/logs: server-sent events, chunked, dropped where a fault says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.doubles.hub.jobs import Job
from tests.doubles.hub.logs import Line
from tests.doubles.hub.logs import replayed
from tests.doubles.hub.refusal import Refusal

if TYPE_CHECKING:
    from tests.doubles.hub.server import Handler
    from tests.doubles.hub.server import Hub
    from tests.doubles.hub.server import Request

KEEP_ALIVE_S = 30.0  # of the Hub


class Dropped(Exception):
    """The connection is to be cut."""


class Stream:
    """One follower of one job's log."""

    def __init__(self, hub: Hub, handler: Handler, job: Job, tail: int | None) -> None:
        self._hub = hub
        self._handler = handler
        self._job = job
        self._tail = tail
        self._drop = hub.faults.strike("drop", job=job)
        self._sent = 0

    def run(self) -> None:
        """Send everything until the job ends, the follower leaves or a fault strikes."""
        self._handler.open_chunked("text/event-stream")
        try:
            self._follow()
        except Dropped:
            if not self._drop.get("clean"):
                self._handler.cut()
                return
        self._handler.close_chunked()

    def _follow(self) -> None:
        job, faults = self._job, self._hub.faults
        if faults.strike("silent", job=job):
            job.done.wait()
            return
        if job.stage == "SCHEDULING" and faults.strike("end_while_scheduling", job=job):
            return
        known = self._replay(faults.strike("replay", job=job))
        wait_s = self._hub.clock.real_s(KEEP_ALIVE_S)
        while True:
            fresh = job.log.wait(known, wait_s)
            self._send(fresh)
            known += len(fresh)
            if job.log.closed and known >= len(job.log.lines):
                return
            if not fresh:
                self._handler.chunk(b": keep-alive\n\n")
            if self._hub.closing:
                return

    def _replay(self, fault: dict[str, object]) -> int:
        lines = list(self._job.log.lines)
        known = len(lines)
        if self._tail is not None:
            lines = [*lines[:1], *lines[1:][-self._tail :]]
        self._send(replayed(lines, fault))
        return known

    def _send(self, lines: list[Line]) -> None:
        for line in lines:
            if self._drop and self._sent >= self._drop.get("lines", 1):
                raise Dropped
            self._handler.chunk(line.event())
            self._sent += 1


def serve(hub: Hub, handler: Handler, request: Request, ns: str, job_id: str) -> None:
    """Answer the request for a job's log."""
    hub.account.may(request.token, ns, "job.read")
    job = hub.jobs.get(ns, job_id)
    if job is None:
        raise Refusal(404, "Job not found")
    tail = dict(request.query).get("tail")
    Stream(hub, handler, job, None if tail is None else int(tail)).run()
