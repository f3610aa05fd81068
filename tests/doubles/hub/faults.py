"""The switches: what goes wrong, where, and how often.

A fault is a mapping with a `kind`, further settings, and two that every kind has: `times` (how
often it strikes; default 1, -1 for ever) and `job` (an id, a label `key=value`, or an index in
order of creation; default any job).

Around a request (`route` names it, "*" is any):

* `status`: answer `status` (500) instead; `retry_after` sets the header; `after: true` acts first.
* `lost_response`: act, then cut the connection without an answer.
* `cut`: cut the connection before acting.
* `delay`: wait `seconds` of ours before acting (`after: true`: after it).

In the listing: `list_lag` hides jobs younger than `seconds` of the Hub.

In the log stream: `drop` cuts the connection after `lines` (`clean: true` ends it properly, as
if all had been said); `replay` sends `mode` whole, tail (the last `lines`), shifted (without the
first `lines`), doubled (each line twice), repeated (the whole twice); `end_while_scheduling` ends
the stream of a job that does not run yet; `silent` sends nothing at all.

On a job, when it is created: `stuck` never leaves SCHEDULING; `stage_lag` reports RUNNING for
`seconds` of the Hub after the end; `vanish` forgets it at `when` scheduling, running or finished;
`deleted` shows DELETED at the end; `message` sets the final status message; `restart` runs the
command again after `lines` lines; `no_credits` and `spend_limit` cancel it after `lines` lines;
`person` cancels it after `lines` lines as a person would; `oom` kills it after `lines` lines.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any


class Faults:
    """The faults that are armed."""

    def __init__(self) -> None:
        self._armed: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def arm(self, kind: str, **settings: Any) -> dict[str, Any]:
        """Arm one fault and return it; `struck` in it counts."""
        fault = {"kind": kind, "times": 1, "job": None, "struck": 0, **settings}
        with self._lock:
            self._armed.append(fault)
        return fault

    def clear(self, kind: str | None = None) -> None:
        """Disarm all faults, or those of one kind."""
        with self._lock:
            self._armed = [f for f in self._armed if kind is not None and f["kind"] != kind]

    def strike(self, kind: str, *, route: str | None = None, job: Any = None) -> dict[str, Any]:
        """Return the first armed fault that fits, counting it; an empty mapping if none does."""
        with self._lock:
            for fault in self._fitting(kind, route, job):
                fault["struck"] += 1
                return fault
        return {}

    def peek(self, kind: str, *, route: str | None = None, job: Any = None) -> dict[str, Any]:
        """Return the first armed fault that fits without counting it."""
        with self._lock:
            return next(self._fitting(kind, route, job), {})

    def _fitting(self, kind: str, route: str | None, job: Any) -> Iterator[dict[str, Any]]:
        for fault in self._armed:
            spent = fault["times"] >= 0 and fault["struck"] >= fault["times"]
            if fault["kind"] != kind or spent:
                continue
            if fault.get("route", "*") not in ("*", route):
                continue
            if job_fits(fault["job"], job):
                yield fault


def job_fits(wanted: Any, job: Any) -> bool:
    """Tell whether a job is the one that a fault means."""
    if wanted is None:
        return True
    if job is None:
        return False
    if isinstance(wanted, int):
        return bool(job.index == wanted)
    key, equals, value = str(wanted).partition("=")
    return job.labels.get(key) == value if equals else job.id == wanted
