"""Whatever goes wrong on the way: what the executor says of a request is true.

Seeded random fault schedules; `SWEEPER_SCHEDULES` sets how many (500 for the figure).
"""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from sweeper.errors import AccountError
from sweeper.errors import NothingCreatedError
from sweeper.errors import OutcomeUnknownError
from sweeper.errors import UnavailableError
from sweeper.jobs.executor import JobSpec
from sweeper.jobs.hf import follower
from sweeper.jobs.hf.executor import HfExecutor
from sweeper.jobs.metrics import MetricReader
from tests.doubles.hub.server import Hub
from tests.jobs.hf.conftest import UID
from tests.jobs.hf.conftest import reservation
from tests.jobs.hf.conftest import until

SCHEDULES = int(os.environ.get("SWEEPER_SCHEDULES", "8"))
SETTLE_S = 0.5
READINGS = 6
SCRIPT = """
import time
for i in range(1, 7):
    print(f'step={i} loss={i}', flush=True)
    time.sleep(0.01)
"""


def faults(draw: random.Random) -> list[tuple[str, dict[str, Any]]]:
    """Draw what goes wrong around one job."""
    submit: list[tuple[str, dict[str, Any]]] = [
        ("status", {"route": "submit", "status": draw.choice([400, 403, 429, 500, 502, 503])}),
        ("status", {"route": "submit", "status": 500, "after": True}),
        ("lost_response", {"route": "submit"}),
        ("cut", {"route": "submit"}),
        ("list_lag", {"seconds": draw.choice([0.5, 2.0]), "times": -1}),
    ]
    watch: list[tuple[str, dict[str, Any]]] = [
        ("drop", {"lines": draw.randint(0, 9), "clean": draw.random() < 0.5}),
        ("replay", {"mode": draw.choice(["tail", "shifted", "doubled", "repeated"]),
                    "lines": draw.randint(0, 9), "times": draw.randint(1, 3)}),
        ("end_while_scheduling", {"times": 2}),
        ("status", {"route": draw.choice(["logs", "list", "inspect", "cancel"]),
                    "status": draw.choice([429, 500]), "retry_after": 0,
                    "times": draw.randint(1, 3)}),
        ("cut", {"route": draw.choice(["list", "cancel"]), "times": 2}),
        ("stage_lag", {"seconds": 3.0, "times": -1}),
    ]  # fmt: skip
    return [*draw.sample(submit, draw.randint(0, 3)), *draw.sample(watch, draw.randint(0, 4))]


class Conductor:
    """Submits one job as the loop prescribes, with nothing but the socket and its memory."""

    def __init__(self, hub: Hub, executor: HfExecutor, spec: JobSpec, paid: Any) -> None:
        self.hub = hub
        self.executor = executor
        self.spec = spec
        self.paid = paid
        self.booked: list[str] = []

    def created(self) -> list[Any]:
        """The jobs that the Hub has for this reservation."""
        return [
            job
            for job in self.hub.jobs.all
            if job.body["environment"]["SWEEPER_RESERVATION"] == self.paid.nonce
        ]

    def submit(self) -> None:
        """Submit until there is exactly one job, checking each answer against the Hub."""
        for _ in range(20):
            before = len(self.created())
            try:
                self.booked.append(self.executor.submit(self.spec, self.paid))
            except (NothingCreatedError, AccountError, UnavailableError):
                assert len(self.created()) == before, "said to be nothing, but a job exists"
            except OutcomeUnknownError:
                self.settle()
            if self.booked:
                return
        raise AssertionError("twenty refusals in a row")

    def settle(self) -> None:
        """Look for the job over the settle window and adopt it."""
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            try:
                found = self.executor.matches(self.paid.purpose)
            except UnavailableError:
                continue
            mine = [job.job_id for job in found if job.reservation == self.paid.nonce]
            if mine:
                self.booked += mine
                return
            time.sleep(0.05)

    def watch(self) -> tuple[dict[int, float], Any]:
        """Watch to the end and return the readings and the last report."""
        job_id, cursor, reader = self.booked[0], "", MetricReader("loss")
        seen: list[tuple[int, float]] = []
        report: Any = None

        def turn() -> bool:
            nonlocal cursor, report
            try:
                report = self.executor.poll([job_id]).get(job_id) or report
            except UnavailableError:
                return False
            tail = self.executor.tail(job_id, cursor)
            cursor = tail.cursor
            seen.extend((r.step, r.value) for line in tail.lines for r in reader.feed(line))
            return tail.complete

        until(turn, seconds=30)
        assert len(seen) == len(dict(seen)), "a reading came twice"
        return dict(seen), report


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_a_schedule_of_faults_ends_with_one_job_all_readings_and_the_right_minutes(
    hub: Hub,
    executor: HfExecutor,
    spec: Callable[..., JobSpec],
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower, "LONGEST_PAUSE_S", 0.5)
    draw = random.Random(seed)
    hub.jobs.scheduling_s = draw.choice([0.0, 2.0])
    schedule = faults(draw)
    for kind, settings in schedule:
        hub.faults.arm(kind, **settings)
    attempt = spec(SCRIPT, trial=seed)
    conductor = Conductor(hub, executor, attempt, reservation(attempt))
    note = json.dumps([seed, schedule])

    conductor.submit()
    readings, report = conductor.watch()

    created = conductor.created()
    assert [job.id for job in created] == conductor.booked, note
    assert readings == {i: float(i) for i in range(1, READINGS + 1)}, note
    minutes = math.ceil(report.charged_s / 60)
    assert minutes * 6667 == created[0].billed_micro_usd, note
    assert hub.jobs.listed("me", set(), {"sweeper-uid": UID}) or not created
