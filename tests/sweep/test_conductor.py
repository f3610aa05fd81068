"""What the conductor does with trials that go well, badly, or not at all."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import LeaseHeldError
from sweeper.errors import NotApprovedError
from sweeper.errors import RefusedError
from sweeper.errors import StateError
from sweeper.summary import document
from sweeper.summary import snapshot
from sweeper.sweep.asking import ask
from sweeper.sweep.conductor import Options
from sweeper.sweep.events import Event
from sweeper.sweep.running import conducting
from tests.sweep.sweeps import SCRIPT
from tests.sweep.sweeps import Sweep
from tests.sweep.sweeps import make_sweep


@pytest.fixture(autouse=True)
def knobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEPER_GRACE_S", "0.5")


def conduct(sweep: Sweep, options: Options | None = None) -> tuple[list[Event], str, str]:
    with conducting(sweep.program(), None, options or Options()) as (_, conductor):
        events = list(conductor.run())
    return events, conductor.state, conductor.stop_reason or ""


def status(sweep: Sweep) -> dict[str, Any]:
    return document.status(snapshot.read(sweep.folder, curves=False))


@contextmanager
def in_background(sweep: Sweep) -> Iterator[list[Event]]:
    """Conduct in a thread; on leaving, wait for its end."""
    events: list[Event] = []

    def work() -> None:
        with conducting(sweep.program(), None, Options()) as (_, conductor):
            events.extend(conductor.run())

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield events
    finally:
        thread.join(timeout=60)
        assert not thread.is_alive()


def until(condition: Callable[[], bool], within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def script(body: str) -> str:
    return "import argparse, os, sys, time\n" + body


def test_the_defaults_run_first_and_the_budget_ends_the_sweep(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "s", max_jobs=3).approve()

    _, state, reason = conduct(sweep)

    shown = status(sweep)
    assert (state, reason.split(":")[0]) == ("finished", "jobs")
    assert [each["origin"] for each in shown["trials"]] == ["baseline", "model", "model"]
    assert shown["trials"][0]["params"] == {"x": 0.5}
    assert shown["budget"]["jobs"] == {"used": 3, "reserved": 0, "limit": 3}
    assert len(sweep.ran()) == 3


def test_nothing_runs_without_an_approval(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "s")

    with pytest.raises(NotApprovedError):
        conduct(sweep)

    assert sweep.ran() == []
    assert not (sweep.folder / "runs" / "sweep.db").exists()


def test_a_wider_program_needs_a_new_approval_and_a_narrower_one_none(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "s", max_jobs=2).approve()
    page = sweep.folder / "program.md"
    narrow = page.read_text()
    page.write_text(narrow.replace("max_jobs: 2", "max_jobs: 3"))
    with pytest.raises(NotApprovedError, match="max_jobs"):
        conduct(sweep)
    page.write_text(narrow.replace("max_jobs: 2", "max_jobs: 1"))

    _, state, _ = conduct(sweep)

    assert state == "finished"
    assert len(sweep.ran()) == 1


def test_deleting_the_database_does_not_reset_what_was_spent(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "s", max_jobs=1).approve()
    conduct(sweep)
    for file in (sweep.folder / "runs").glob("sweep.db*"):
        file.unlink()

    with pytest.raises((StateError, RefusedError)):
        conduct(sweep)
    with pytest.raises((StateError, RefusedError)):
        sweep.approve()


def test_another_metric_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "s", max_jobs=1).approve()
    conduct(sweep)
    page = sweep.folder / "program.md"
    page.write_text(page.read_text().replace("metric: loss", "metric: accuracy"))

    with pytest.raises(RefusedError, match="metric"):
        conduct(sweep)


def test_the_target_ends_the_sweep(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "s", goal="target: 10.0", max_jobs=5).approve()

    _, state, reason = conduct(sweep)

    assert (state, reason.split(":")[0]) == ("finished", "target")
    assert len(sweep.ran()) == 1


def test_the_same_traceback_twice_in_a_row_stops_the_sweep(tmp_path: Path) -> None:
    broken = script("raise ValueError('no such layer')\n")
    sweep = make_sweep(tmp_path / "s", script=broken, max_jobs=6).approve()

    _, state, reason = conduct(sweep)

    assert state == "stopped"
    assert reason.startswith("script error")
    assert "no such layer" in reason
    assert [each["state"] for each in status(sweep)["trials"]] == ["failed", "failed"]


def test_running_out_of_memory_is_no_script_error(tmp_path: Path) -> None:
    hungry = script("raise MemoryError('cannot allocate')\n")
    sweep = make_sweep(tmp_path / "s", script=hungry, max_jobs=3).approve()

    _, state, _ = conduct(sweep)

    assert state == "finished"
    assert [each["ended_by"] for each in status(sweep)["trials"]] == ["oom"] * 3


def test_a_job_whose_metric_never_came_names_what_was_seen(tmp_path: Path) -> None:
    other = script("print('accuracy=0.9')\n")
    sweep = make_sweep(tmp_path / "s", script=other, max_jobs=1).approve()

    conduct(sweep)

    trial = snapshot.read(sweep.folder).trials[0]
    assert trial.state == "failed"
    assert trial.failure is not None
    assert "accuracy" in trial.failure.sentence


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_a_diverged_objective_ends_the_trial_as_failed(tmp_path: Path, value: str) -> None:
    diverging = script(
        f'print(\'[sweeper] {{"step": 1, "loss": {value}}}\', flush=True)\ntime.sleep(30)\n'
    )
    sweep = make_sweep(tmp_path / "s", script=diverging, max_jobs=1).approve()
    begun = time.monotonic()

    conduct(sweep)

    trial = status(sweep)["trials"][0]
    assert (trial["state"], trial["ended_by"]) == ("failed", "diverged")
    assert time.monotonic() - begun < 15


def test_a_timeout_is_enforced_and_said(tmp_path: Path) -> None:
    slow = script("time.sleep(30)\n")
    sweep = make_sweep(tmp_path / "s", script=slow, max_jobs=1, max_timeout="1s").approve()

    conduct(sweep)

    trial = status(sweep)["trials"][0]
    assert (trial["state"], trial["ended_by"]) == ("failed", "timeout")


def test_a_training_killed_from_outside_is_tried_again_as_the_same_trial(tmp_path: Path) -> None:
    suicidal = script(
        "attempt = os.environ['SWEEPER_ATTEMPT']\n"
        'print(\'[sweeper] {"step": 1, "loss": %s}\' % attempt, flush=True)\n'
        "if attempt == '1':\n    os.kill(os.getpid(), 9)\n"
    )
    sweep = make_sweep(tmp_path / "s", script=suicidal, max_jobs=2).approve()

    conduct(sweep)

    shown = status(sweep)
    assert [each["state"] for each in shown["trials"]] == ["complete"]
    assert [job["purpose"][-4:] for job in shown["trials"][0]["jobs"]] == ["/0/1", "/0/2"]
    assert shown["budget"]["jobs"]["used"] == 2
    assert shown["trials"][0]["value"] == 2.0


def test_the_first_job_runs_alone_until_it_has_measured(tmp_path: Path) -> None:
    slow = SCRIPT.replace("for step", "time.sleep(0.7)\nfor step")
    sweep = make_sweep(tmp_path / "s", script=slow, max_jobs=3, max_parallel=3).approve()

    events, _, _ = conduct(sweep)

    kinds = [event.kind for event in events]
    assert (
        kinds.index("first_metric")
        < [at for at, event in enumerate(events) if event.kind == "trial_started"][1]
    )


def test_trials_counts_those_that_finished_in_this_run(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "s", max_jobs=5, max_parallel=2).approve()

    _, state, reason = conduct(sweep, Options(trials=2))
    assert (state, reason.split(":")[0]) == ("stopped", "trials")
    assert len(sweep.ran()) == 2
    conduct(sweep, Options(trials=1))

    assert len(sweep.ran()) == 3


def test_a_second_conductor_is_told_who_holds_the_study(tmp_path: Path) -> None:
    slow = SCRIPT.replace("default=0.0", "default=0.3")
    sweep = make_sweep(tmp_path / "s", script=slow, max_jobs=1).approve()
    with in_background(sweep):
        until(lambda: bool(sweep.ran()))

        with pytest.raises(LeaseHeldError, match=str(os.getpid())):
            conduct(sweep)


def test_requests_from_another_shell_take_effect(tmp_path: Path) -> None:
    """`pause` holds, `cancel` prunes at the last reading, `resume` and `stop` end it."""
    slow = SCRIPT.replace("default=3", "default=200").replace("default=0.0", "default=0.05")
    sweep = make_sweep(tmp_path / "s", script=slow, max_jobs=9).approve()
    with in_background(sweep):
        until(lambda: bool(sweep.ran()) and status(sweep)["trials"][0]["state"] == "running")
        until(lambda: bool(snapshot.read(sweep.folder).trials[0].curve))
        ask(sweep.folder, "pause", None)
        begun = time.monotonic()
        ask(sweep.folder, "cancel", "0")
        until(lambda: status(sweep)["trials"][0]["state"] == "pruned", 5)
        assert time.monotonic() - begun < 3
        assert status(sweep)["state"] == "paused"
        assert len(sweep.ran()) == 1
        with pytest.raises(RefusedError, match="does not run"):
            ask(sweep.folder, "cancel", "7")
        ask(sweep.folder, "resume", None)
        until(lambda: len(sweep.ran()) == 2)
        ask(sweep.folder, "stop_cancel", None)

    shown = status(sweep)
    assert shown["state"] == "stopped"
    assert shown["stop_reason"].startswith("person")
    assert shown["trials"][0]["ended_by"] == "person"


def test_with_no_conductor_there_is_nobody_to_ask(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "s", max_jobs=1).approve()
    conduct(sweep)

    with pytest.raises(RefusedError, match="No conductor"):
        ask(sweep.folder, "stop", None)


def test_a_program_widened_while_it_runs_waits_for_the_approval(tmp_path: Path) -> None:
    slow = SCRIPT.replace("default=0.0", "default=0.2")
    sweep = make_sweep(tmp_path / "s", script=slow, max_jobs=2).approve()
    page = sweep.folder / "program.md"
    with in_background(sweep) as events:
        until(lambda: bool(sweep.ran()))
        page.write_text(page.read_text().replace("max_jobs: 2", "max_jobs: 3"))
        until(lambda: any(event.kind == "waiting" for event in events) or len(sweep.ran()) > 3)
        sweep.approve()

    assert len(sweep.ran()) == 3


def test_constraints_and_conditions_hold_in_every_trial(tmp_path: Path) -> None:
    reading = script(
        "params = __import__('json').loads(os.environ['SWEEPER_PARAMS'])\n"
        "print('[sweeper] {\"step\": 1, \"loss\": %d}' % params['batch'])\n"
    )
    sweep = make_sweep(tmp_path / "s", script=reading, training="parameters: json", max_jobs=5)
    page = sweep.folder / "program.md"
    page.write_text(
        page.read_text().replace(
            "x: {low: 0.0, high: 1.0, default: 0.5}",
            "batch: {choices: [8, 16, 32], default: 16}\n"
            "accumulation: {low: 1, high: 8, default: 4}\n"
            "peft: [lora, none]\n"
            "rank: {low: 1, high: 8, when: {peft: lora}}\n"
            'constraints: ["batch * accumulation == 64"]',
        )
    )
    sweep.approve()

    conduct(sweep)

    tried = [each["params"] for each in status(sweep)["trials"] if each["state"] == "complete"]
    assert tried
    assert all(params["batch"] * params["accumulation"] == 64 for params in tried)
    assert all(("rank" in params) == (params["peft"] == "lora") for params in tried)


def test_losers_leave_no_output_where_deletes_are_allowed(tmp_path: Path) -> None:
    saving = (
        SCRIPT + "open(os.path.join(os.environ['SWEEPER_OUTPUT_DIR'], 'model'), 'w').close()\n"
    )
    sweep = make_sweep(
        tmp_path / "s", script=saving, max_jobs=4, budget="allow_deletes: true"
    ).approve()

    conduct(sweep)

    best = status(sweep)["best"]["trial"]
    kept = [
        path.parent.parent.parent.name for path in sweep.folder.glob("runs/trials/*/*/output/*")
    ]
    assert kept == [str(best)]
    assert len(list(sweep.folder.glob("runs/trials/*/*/log"))) == 4


def test_a_reboot_loses_the_attempt_and_not_the_trial(tmp_path: Path) -> None:
    """Everything dies at once and the boot id changes: the trial is tried again and told once."""
    import subprocess
    import sys

    slow = SCRIPT.replace("default=0.0", "default=0.3")
    sweep = make_sweep(tmp_path / "s", script=slow, max_jobs=2).approve()
    conductor = subprocess.Popen(
        [sys.executable, "-m", "tests.sweep.killed"],
        cwd=sweep.folder,
        env=sweep.environment(SWEEPER_BOOT_ID="before"),
    )
    until(lambda: bool(sweep.ran()))
    conductor.send_signal(signal.SIGKILL)
    conductor.wait()
    for name in ("claim.json", "group.json"):
        file = next(sweep.folder.glob(f"runs/trials/0/attempt-1/{name}"))
        pid = json.loads(file.read_text()).get("pid") or json.loads(file.read_text()).get("pgid")
        os.kill(int(pid), signal.SIGKILL)

    done = subprocess.run(
        [sys.executable, "-m", "tests.sweep.killed"],
        cwd=sweep.folder,
        env=sweep.environment(SWEEPER_BOOT_ID="after"),
        timeout=60,
    )

    assert done.returncode == 0
    shown = status(sweep)
    assert [each["state"] for each in shown["trials"]] == ["complete"]
    assert sweep.ran() == [("0", "1"), ("0", "2")]
