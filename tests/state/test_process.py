from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from sweeper.state.process import Process
from sweeper.state.process import identity
from sweeper.state.process import machine_id
from sweeper.state.process import process_alive
from sweeper.state.process import process_started


def _of(child: subprocess.Popen[bytes]) -> Process:
    started = process_started(child.pid)
    assert started is not None
    return replace(identity(), pid=child.pid, process_started=started)


def test_a_process_is_alive_until_it_is_killed() -> None:
    """A zombie that nobody waited for yet is dead already."""
    assert process_alive(identity())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = _of(child)
        assert process_alive(process)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
        assert not process_alive(process)


def test_a_stopped_process_is_alive() -> None:
    """It will go on when it is continued."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = _of(child)
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED)
        assert process_alive(process)
        child.kill()


def test_another_process_under_the_same_pid_is_not_it() -> None:
    """The start time tells them apart."""
    assert not process_alive(replace(identity(), process_started="1"))


def test_nothing_survives_a_reboot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where pid and start time happen to be the same."""
    before = identity()
    monkeypatch.setenv("SWEEPER_BOOT_ID", "another-boot")
    assert not process_alive(before)
    assert process_alive(identity())


def test_the_machine_can_be_named_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is otherwise the same for every process."""
    program = "from sweeper.state.process import machine_id; print(machine_id())"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert said.stdout.decode().strip() == machine_id() != ""
    monkeypatch.setenv("SWEEPER_MACHINE_ID", "box-2")
    assert identity().machine_id == "box-2"


def test_a_name_with_blanks_and_parentheses_does_not_confuse(tmp_path: Path) -> None:
    """The kernel prints a program's name unquoted in the middle of the line."""
    odd = tmp_path / "a) Z (b"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([odd, "60"]) as child:
        assert process_alive(_of(child))
        child.kill()


def test_identity_needs_the_standard_library_only() -> None:
    """Commands that only look ask whether a conductor lives, and may not load SQLAlchemy."""
    program = (
        "import sys, sweeper.state.process, sweeper.state.schema; "
        "print('sqlalchemy' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert said.stdout.decode().strip() == "False"
