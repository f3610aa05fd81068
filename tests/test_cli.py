"""The door: exit codes, one JSON document on stdout, sentences instead of tracebacks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweeper.state.process import process_started
from tests.sweep.sweeps import SCRIPT
from tests.sweep.sweeps import Sweep
from tests.sweep.sweeps import make_sweep


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return make_sweep(tmp_path / "s", max_jobs=2)


def test_a_sweep_from_approval_to_report(sweep: Sweep) -> None:
    """The main job, by hand: approve, run, then every look at it."""
    assert sweep.sweeper("approve", "--yes").returncode == 0
    done = sweep.sweeper("run", "--json")

    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["state"] == "finished"
    assert shown["budget"]["jobs"]["used"] == 2
    best = f"Best: {shown['best']['value']:.6g} (trial {shown['best']['trial']})"
    assert best in (sweep.folder / "runs" / "summary.md").read_text()
    assert (sweep.folder / "runs" / "report.html").stat().st_size > 100_000
    assert json.loads(sweep.sweeper("status", "--json").stdout) == {
        **shown,
        "conductor": json.loads(sweep.sweeper("status", "--json").stdout)["conductor"],
    }
    assert best in sweep.sweeper("summary").stdout
    assert "[sweeper]" in sweep.sweeper("logs", "0").stdout
    command = sweep.sweeper("reproduce").stdout
    repeated = subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
        env={**sweep.environment(), "SWEEPER_TRIAL": "again", "SWEEPER_ATTEMPT": "1"},
    )
    assert f"{shown['best']['value']:.6f}" in repeated.stdout
    (sweep.folder / "ran.txt").write_text("0 1\n1 1\n")
    assert "Forecast: about" in sweep.sweeper("approve", "--yes").stdout
    again = sweep.sweeper("run")
    assert again.returncode == 0
    assert "jobs" in again.stdout
    assert len(sweep.ran()) == 2


def test_run_without_approval_is_refused_in_one_sentence(sweep: Sweep) -> None:
    done = sweep.sweeper("run", "--json")

    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "not_approved"
    assert "sweeper approve" in error["hint"]
    assert error["message"] in done.stderr
    assert "Traceback" not in done.stderr
    assert not (sweep.folder / "runs").exists()


def test_silence_is_no_approval(sweep: Sweep) -> None:
    done = sweep.sweeper("approve")

    assert done.returncode == 1
    assert "terminal" in done.stderr
    assert not (sweep.folder / "runs").exists()


def test_a_wrong_page_names_its_line_and_the_fix(sweep: Sweep) -> None:
    page = sweep.folder / "program.md"
    page.write_text(page.read_text().replace("max_parallel", "max_paralel"))
    line = page.read_text().splitlines().index("max_paralel: 1") + 1
    for command in (["check"], ["approve", "--yes"], ["run"], ["stop"]):
        done = sweep.sweeper(*command, "--json")

        error = json.loads(done.stdout)["error"]
        assert done.returncode == 1
        assert (error["code"], error["line"]) == ("program", line)
        assert "max_parallel" in error["hint"]


def test_check_prints_the_parsed_program(sweep: Sweep) -> None:
    done = sweep.sweeper("check", "--json")

    document = json.loads(done.stdout)
    assert done.returncode == 0
    assert document["program"]["budget"]["max_walltime_s"] == 600.0
    assert document["program"]["search_space"]["x"]["default"] == 0.5
    assert isinstance(document["warnings"], list)


def test_check_refuses_a_script_that_is_not_there(sweep: Sweep) -> None:
    (sweep.folder / "train.py").unlink()

    done = sweep.sweeper("check", "--json")

    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["key"] == "script"


@pytest.mark.parametrize("words", [["--nonsense"], ["run", "--trials", "0"], ["cancel"], ["x"]])
def test_wrong_usage_exits_with_2(sweep: Sweep, words: list[str]) -> None:
    assert sweep.sweeper(*words).returncode == 2


def test_help_names_every_command(sweep: Sweep) -> None:
    shown = sweep.sweeper("--help").stdout

    for command in ("init", "try", "check", "approve", "run", "propose", "status", "doctor"):
        assert command in shown


@pytest.mark.parametrize("words", [["--help"], ["status"], ["status", "--json"]])
def test_a_look_imports_nothing_heavy(sweep: Sweep, words: list[str]) -> None:
    sweep.sweeper("approve", "--yes")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "sweeper", *words],
        cwd=sweep.folder,
        env=sweep.environment(),
        capture_output=True,
        text=True,
    )

    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert not imported & {"optuna", "sqlalchemy", "pandas", "plotly", "pydantic"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_lets_go_and_its_jobs_go_on(tmp_path: Path, number: int) -> None:
    slow = SCRIPT.replace("default=0.0", "default=2.0")
    sweep = make_sweep(tmp_path / "s", script=slow, max_jobs=1)
    sweep.sweeper("approve", "--yes")
    conductor = subprocess.Popen(
        sweep.command("run"), cwd=sweep.folder, env=sweep.environment(), stdout=subprocess.DEVNULL
    )
    while not sweep.ran():
        time.sleep(0.05)
    conductor.send_signal(number)

    assert conductor.wait(timeout=20) == 1
    shown = json.loads(sweep.sweeper("status", "--json").stdout)
    assert shown["state"] == "running"
    assert shown["conductor"]["alive"] is False
    done = sweep.sweeper("run")
    assert done.returncode == 0
    assert sweep.ran() == [("0", "1")]


def test_a_detached_run_goes_on_and_can_be_stopped(tmp_path: Path) -> None:
    slow = SCRIPT.replace("default=0.0", "default=0.2")
    sweep = make_sweep(tmp_path / "s", script=slow, max_jobs=50)
    sweep.sweeper("approve", "--yes")

    begun = sweep.sweeper("run", "--detach", "--json")
    pid = json.loads(begun.stdout)["pid"]
    shown = json.loads(sweep.sweeper("status", "--json").stdout)
    stopped = sweep.sweeper("stop")
    deadline = time.monotonic() + 30
    while json.loads(sweep.sweeper("status", "--json").stdout)["state"] != "stopped":
        assert time.monotonic() < deadline
        time.sleep(0.1)

    assert shown["conductor"]["pid"] == pid
    assert stopped.returncode == 0
    while process_started(pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_dry_run_spends_nothing_and_stays_dry(sweep: Sweep) -> None:
    sweep.sweeper("approve", "--yes")

    done = sweep.sweeper("run", "--executor", "dry", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trials"][0]["state"] == "complete"
    assert sweep.ran() == []
    other = sweep.sweeper("run", "--executor", "local")
    assert other.returncode == 1
    assert "dry" in other.stderr
