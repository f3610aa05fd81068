"""A job's log is followed without losing or doubling a line, whatever the stream does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from sweeper.errors import UnavailableError
from sweeper.jobs.executor import JobSpec
from sweeper.jobs.executor import Stage
from sweeper.jobs.hf import follower as follower_module
from sweeper.jobs.hf.executor import HfExecutor
from sweeper.jobs.metrics import MetricReader
from tests.doubles.hub.server import Hub
from tests.jobs.hf.conftest import UID
from tests.jobs.hf.conftest import ended
from tests.jobs.hf.conftest import reservation
from tests.jobs.hf.conftest import until
from tests.jobs.hf.conftest import whole_log

Make = Callable[..., JobSpec]

COUNTS = """
import sys, time
for i in range(1, int(sys.argv[1]) + 1):
    print(f'step={i} loss={i / 8}', flush=True)
    print(f'line {i}', flush=True)
    time.sleep(float(sys.argv[2]))
"""


class Watch:
    """Watches one job as a conductor does: tails often, polls now and then."""

    def __init__(self, executor: HfExecutor, job_id: str) -> None:
        self.executor = executor
        self.job_id = job_id
        self.lines: list[str] = []
        self.cursor = ""
        self.reader = MetricReader("loss")
        self.readings: list[tuple[int, float]] = []
        self.seen_at: dict[int, float] = {}
        self.complete = False
        self._polled = 0.0
        self.report: Any = None

    def turn(self) -> bool:
        """Do one round; True once the log is complete."""
        tail = self.executor.tail(self.job_id, self.cursor)
        for line in tail.lines:
            for reading in self.reader.feed(line):
                self.readings.append((reading.step, reading.value))
                self.seen_at[reading.step] = time.time()
        self.lines += tail.lines
        self.cursor, self.complete = tail.cursor, tail.complete
        if time.monotonic() - self._polled > 0.1:
            self._polled = time.monotonic()
            try:
                self.report = self.executor.poll([self.job_id]).get(self.job_id, self.report)
            except UnavailableError:
                return False
        return self.complete

    def finish(self, seconds: float = 25.0) -> Watch:
        """Watch until the log is complete."""
        until(self.turn, seconds=seconds)
        return self


def counting(spec: Make, executor: HfExecutor, count: int = 12, pause_s: float = 0.03) -> str:
    attempt = spec(COUNTS, args=[str(count), str(pause_s)])
    return executor.submit(attempt, reservation(attempt))


def everything(count: int) -> list[tuple[int, float]]:
    return [(i, i / 8) for i in range(1, count + 1)]


@pytest.mark.parametrize(
    ("mode", "clean"),
    [("whole", False), ("whole", True), ("doubled", False), ("repeated", True)],
)
def test_a_stream_that_drops_and_replays_loses_and_doubles_nothing(
    hub: Hub, executor: HfExecutor, spec: Make, mode: str, clean: bool
) -> None:
    for lines in (3, 7, 9):
        hub.faults.arm("drop", lines=lines, clean=clean)
    hub.faults.arm("replay", mode=mode, times=-1)

    watch = Watch(executor, counting(spec, executor)).finish()

    assert watch.readings == everything(12)
    assert [x for x in watch.lines if x.startswith("line")] == [f"line {i}" for i in range(1, 13)]


@pytest.mark.parametrize("mode", ["tail", "shifted"])
def test_readings_that_a_replay_withholds_come_with_the_whole_log(
    hub: Hub, executor: HfExecutor, spec: Make, mode: str
) -> None:
    hub.faults.arm("drop", lines=3)
    replay = hub.faults.arm("replay", mode=mode, lines=6, times=-1)
    job_id = counting(spec, executor)
    watch = Watch(executor, job_id)
    until(lambda: watch.executor.tail(job_id, "") and hub.jobs.all[0].finished_at)
    watch.turn()
    replay["times"] = 0

    watch.finish()

    assert sorted(watch.readings) == everything(12)
    lines = whole_log(executor, job_id)
    assert [x for x in lines if x.startswith("line")] == [f"line {i}" for i in range(1, 13)]


def test_a_stream_that_ends_while_the_job_waits_is_no_end(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    hub.jobs.scheduling_s = 6.0
    hub.faults.arm("end_while_scheduling", times=3)

    watch = Watch(executor, counting(spec, executor, 4)).finish()

    assert watch.readings == everything(4)
    assert watch.report.stage is Stage.COMPLETED


def test_a_dead_stream_does_not_mean_a_dead_trial(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    hub.faults.arm("silent")
    job_id = counting(spec, executor, 6)

    watch = Watch(executor, job_id).finish()

    assert watch.report.stage is Stage.COMPLETED
    assert watch.readings == everything(6)


def test_a_stage_that_lags_behind_the_stream_keeps_the_log_open(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    hub.faults.arm("stage_lag", seconds=6.0, times=-1)
    watch = Watch(executor, counting(spec, executor, 4))
    until(lambda: not watch.turn() and len(watch.readings) == 4)

    assert not watch.complete
    assert watch.finish().report.stage is Stage.COMPLETED


def test_a_log_route_that_fails_for_a_while_is_asked_again(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    hub.faults.arm("status", route="logs", status=500, retry_after=1, times=2)
    hub.faults.arm("status", route="logs", status=429, retry_after=1, times=1)

    watch = Watch(executor, counting(spec, executor, 6)).finish()

    assert watch.readings == everything(6)


def test_a_job_that_is_gone_ends_its_log(hub: Hub, executor: HfExecutor, spec: Make) -> None:
    hub.faults.arm("vanish", when="running", lines=5)
    watch = Watch(executor, counting(spec, executor, 50)).finish()

    assert watch.executor.poll([watch.job_id]) == {}
    assert watch.readings == everything(len(watch.readings))


def test_a_job_that_the_platform_starts_again_reports_anew(
    hub: Hub, executor: HfExecutor, spec: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.faults.arm("restart", lines=12)
    # Numbers of a run begin with its second, and the platform needs longer than one.
    watch = Watch(executor, counting(spec, executor, 8, 0.25)).finish()

    assert watch.executor.poll([watch.job_id])[watch.job_id].platform_attempts == 2
    assert dict(watch.readings) == dict(everything(8))
    assert len(watch.readings) > 8


def test_another_process_goes_on_from_the_cursor(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    job_id = counting(spec, executor, 12)
    first = Watch(executor, job_id)
    until(lambda: not first.turn() and len(first.readings) >= 4)

    other = HfExecutor(executor.connection, uid=UID, study="digits")
    second = Watch(other, job_id)
    second.cursor = first.cursor
    second.finish()
    other.close()

    assert first.readings + second.readings == everything(12)
    assert len(first.lines) + len(second.lines) == 12 * 2 + 1  # and the one that tells the end


def test_a_laptop_that_slept_reads_what_happened_meanwhile(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    job_id = counting(spec, executor, 6, 0.0)
    until(lambda: hub.jobs.all[0].finished_at)

    watch = Watch(executor, job_id).finish()

    assert watch.readings == everything(6)
    assert watch.report.stage is Stage.COMPLETED


def test_a_clock_that_is_minutes_off_changes_nothing(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    hub.clock.skew_s = -600.0
    hub.faults.arm("drop", lines=5)

    watch = Watch(executor, counting(spec, executor, 6)).finish()

    assert watch.readings == everything(6)
    assert watch.report.charged_s == pytest.approx(hub.jobs.all[0].running_s, abs=0.01)


def test_odd_characters_do_not_break_the_stream(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    attempt = spec("print('a\\u2028b\\u2029c\\x85d ü', '\\ud800'.encode('utf8','replace'))")

    watch = Watch(executor, executor.submit(attempt, reservation(attempt))).finish()

    assert watch.lines[0].startswith("a\u2028b\u2029c\x85d ü")


def test_a_progress_bar_is_not_followed_stroke_by_stroke(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    bar = "import sys\nfor i in range(500):\n    sys.stdout.write(f'\\r{i}/500')\n"
    attempt = spec(bar + "print('\\rloss=0.5')")

    watch = Watch(executor, executor.submit(attempt, reservation(attempt))).finish()

    assert watch.readings == [(1, 0.5)]
    assert len(watch.lines) == 2


def test_a_line_is_reported_within_two_seconds_of_being_printed(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    hub.faults.arm("drop", lines=6, times=2)
    watch = Watch(executor, counting(spec, executor, 10, 0.15)).finish()

    printed = {
        i: line.at
        for i, line in enumerate((x for x in hub.jobs.all[0].log.lines if "loss=" in x.text), 1)
    }
    origin = hub.clock._origin
    delays = [
        watch.seen_at[i] - (origin + (printed[i] - origin) / hub.clock.factor) for i in printed
    ]
    assert max(delays) < 2.0


def test_thirty_two_jobs_in_flight_need_one_call_a_poll_and_no_more_connections(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    attempts = [spec(COUNTS, args=["3", "0.05"], trial=n) for n in range(32)]
    ids = [executor.submit(attempt, reservation(attempt)) for attempt in attempts]
    watches = [Watch(executor, job_id) for job_id in ids]
    for watch in watches:
        watch._polled = float("inf")  # polled together below

    def turn() -> bool:
        executor.poll(ids)
        return all([watch.turn() for watch in watches])

    until(turn, seconds=60)

    assert all(watch.readings == everything(3) for watch in watches)
    assert hub.count("inspect") == 0


def test_closing_lets_go_of_every_thread(hub: Hub, executor: HfExecutor, spec: Make) -> None:
    attempt = spec("import time; print('x', flush=True); time.sleep(30)")
    job_id = executor.submit(attempt, reservation(attempt))
    until(lambda: executor.tail(job_id, "").lines)

    executor.close()

    assert not [t for t in threading.enumerate() if t.name == f"log {job_id}"]


def test_a_log_that_cannot_be_had_does_not_hold_a_trial_for_ever(
    hub: Hub, executor: HfExecutor, spec: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "SNAPSHOT_PATIENCE_S", 0.5)
    hub.faults.arm("status", route="logs", status=500, retry_after=1, times=-1)
    job_id = counting(spec, executor, 3)
    ended(executor, job_id)

    assert whole_log(executor, job_id) == []
