"""Whatever dies when: a script runs at most once, and its end is told as it was."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from sweeper.errors import NothingCreatedError
from sweeper.jobs import runner
from sweeper.jobs.executor import Stage
from sweeper.program import Training
from sweeper.state.ledger import Reservation
from tests.jobs.contract import reservation
from tests.jobs.local_bench import LocalBench
from tests.jobs.local_bench import bearers

#: Notes each start, works for a moment, ends well.
SCRIPT = """
import os, time
with open("starts", "a") as file:
    file.write(os.environ["SWEEPER_TRIAL"] + "\\n")
print("loss=1.0", flush=True)
time.sleep({seconds})
"""


def _starts(local: LocalBench, trial: int) -> int:
    notes = local.folder / "starts"
    return notes.read_text().split().count(str(trial)) if notes.exists() else 0


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_a_dead_runner_makes_its_job_lost_and_its_script_ended(local: LocalBench) -> None:
    """And the same report is given ever after."""
    paid = reservation()
    job = local.submit("endless", paid)
    local.until(lambda: local.reads(job))
    os.kill(local.runner_of(paid), signal.SIGKILL)
    report = local.ended(job)

    assert report.stage is Stage.LOST
    assert bearers(paid) == []
    assert report.running_s > 0
    assert local.reopen().poll([job])[job] == report


def test_no_other_attempt_could_run_beside_a_lost_one(local: LocalBench) -> None:
    """A job is not called lost before the last process of it is gone."""
    paid = reservation()
    job = local.submit("endless", paid)
    local.group(paid)
    os.kill(local.runner_of(paid), signal.SIGKILL)
    while not local.report(job).stage.terminal:
        time.sleep(0.005)

    assert bearers(paid) == []


def test_runner_and_script_killed_together_is_lost(local: LocalBench) -> None:
    """Nobody is left to tell how it ended."""
    paid = reservation()
    job = local.submit("endless", paid)
    group = local.group(paid)
    os.kill(local.runner_of(paid), signal.SIGKILL)
    _kill(group)

    assert local.ended(job).stage is Stage.LOST


def test_a_runner_that_dies_before_it_lets_go_starts_nothing(local: LocalBench) -> None:
    """The script waits at the pipe; the end of the file means its runner is gone."""
    reading, writing = os.pipe()
    spec = {"argv": [sys.executable, "-c", "open('started', 'w')"], "cwd": str(local.folder)}
    child = os.fork()
    if child == 0:
        os.close(writing)
        runner._become(spec, reading, set())
    os.close(reading)
    os.close(writing)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == runner.NEVER_RELEASED
    assert not (local.folder / "started").exists()


def test_another_boot_means_lost(local: LocalBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Process ids of an earlier boot mean nothing."""
    paid = reservation()
    job = local.submit("endless", paid)
    local.until(lambda: local.reads(job))
    monkeypatch.setenv("SWEEPER_BOOT_ID", "another-boot")
    local.executor = local.reopen()
    report = local.report(job)

    assert report.stage is Stage.LOST
    assert report.message == "the machine was restarted"
    assert local.executor.tail(job, "").complete


def test_another_machines_job_is_never_called_lost(
    local: LocalBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the machine that runs it can know."""
    paid = reservation()
    job = local.submit("endless", paid)
    os.kill(local.runner_of(paid), signal.SIGKILL)
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "another-machine")
    local.executor = local.reopen()

    assert local.report(job).stage is Stage.RUNNING
    local.executor.cancel(job)
    assert not (local.job_folder(paid) / runner.CANCEL).exists()


def test_a_cancelled_job_whose_runner_dies_still_ends(local: LocalBench) -> None:
    """The request does not get lost with the runner."""
    paid = reservation()
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(600)"
    job = local.run(script, paid)
    local.until(lambda: local.reads(job))
    local.executor.cancel(job)
    os.kill(local.runner_of(paid), signal.SIGKILL)

    assert local.ended(job).stage is Stage.LOST
    assert bearers(paid) == []


@pytest.mark.parametrize("victim", ["runner", "script", "both"])
def test_killed_at_any_moment_a_script_runs_at_most_once(local: LocalBench, victim: str) -> None:
    """Twelve jobs of a tenth of a second, each with a kill at a random moment of its life."""
    moments = random.Random(victim)
    (local.folder / "train.py").write_text(SCRIPT.format(seconds=0.1))
    training = Training(script="train.py")
    for trial in range(12):
        paid = reservation(trial)
        starting = _submit_aside(local, training, paid)
        time.sleep(moments.uniform(0.0, 0.25))
        _strike(local, paid, victim)
        starting.join()
        job = local.give(paid, training)  # finds the job, or starts it if there is none
        report = local.ended(job)

        assert _starts(local, trial) <= 1
        assert report.stage in (Stage.COMPLETED, Stage.LOST, Stage.ERROR)
        if report.stage is Stage.COMPLETED:
            assert _starts(local, trial) == 1
        if report.stage is Stage.ERROR:
            assert report.signal == signal.SIGKILL
        local.until(lambda paid=paid: bearers(paid) == [])
        assert local.give(paid, training) == job
        assert _starts(local, trial) <= 1


def _submit_aside(local: LocalBench, training: Training, paid: Reservation) -> threading.Thread:
    """Submit in a thread, so that the kill can come while the answer is still awaited."""

    def give() -> None:
        with contextlib.suppress(NothingCreatedError):
            local.give(paid, training)

    thread = threading.Thread(target=give)
    thread.start()
    local.until(lambda: bearers(paid) or not thread.is_alive())
    return thread


def _strike(local: LocalBench, paid: Reservation, victim: str) -> None:
    """Kill the runner (whatever of it there is), the script, or everything of the job."""
    for pid in bearers(paid):
        is_runner = b"runner.py" in _command(pid)
        if victim == "both" or is_runner == (victim == "runner"):
            _kill(pid)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
