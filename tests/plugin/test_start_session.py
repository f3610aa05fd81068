"""What a session is told of the sweep in its folder: three lines, the last one command."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sweeper.summary import document
from sweeper.summary import snapshot
from tests.plugin.calls import ROOT
from tests.sweep.sweeps import make_sweep

SCRIPT = ROOT / "hooks" / "start_session.py"


@pytest.fixture(scope="module")
def hook() -> Any:
    spec = importlib.util.spec_from_file_location("start_session", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def found(**more: Any) -> dict[str, Any]:
    return {
        "study": "digits",
        "state": "running",
        "stop_reason": None,
        "metric": "val_loss",
        "direction": "minimize",
        "conductor": {"alive": True, "host": "box"},
        "best": {"trial": 3, "value": 0.0812345, "params": {}},
        "budget": {
            "jobs": {"used": 3, "reserved": 1, "limit": 12},
            "walltime_s": {"used": 1.0, "reserved": 0.0, "limit": 9.0},
            "cost_usd": {"used": 0.34, "reserved": 0.0, "limit": 25.0},
        },
    } | more


def test_a_running_sweep_is_looked_at(hook: Any) -> None:
    assert hook.state_lines(found(), "/s") == [
        "Sweep digits is running: 3 of 12 jobs used, $0.34 spent of $25.00.",
        "Best val_loss so far: 0.0812345 (trial 3).",
        "Go on with: sweeper status /s",
    ]


def test_a_sweep_whose_conductor_died_is_run_again(hook: Any) -> None:
    lines = hook.state_lines(found(conductor={"alive": False}), "/a b")

    assert "interrupted" in lines[0]
    assert lines[2] == "Go on with: sweeper run '/a b' --detach"


def test_a_finished_sweep_is_not_started_again(hook: Any) -> None:
    lines = hook.state_lines(found(state="finished", stop_reason="target 0.1 reached"), "/s")

    assert "finished (target 0.1 reached)" in lines[0]
    assert lines[2] == "Go on with: sweeper status /s"


def test_a_real_status_document_is_understood(hook: Any, tmp_path: Path) -> None:
    """The lines come from the document that `sweeper status --json` prints today."""
    sweep = make_sweep(tmp_path / "s").approve()
    folder = sweep.folder

    real = document.status(snapshot.read(folder, curves=False))
    lines = hook.state_lines(json.loads(json.dumps(real)), str(folder))

    assert "is new" in lines[0]
    assert "0 of" in lines[0]
    assert lines[2] == f"Go on with: sweeper run {hook.quoted(str(folder))} --detach"


def said(folder: Path, home: Path) -> str:
    call = {"hook_event_name": "SessionStart", "source": "startup", "cwd": str(folder)}
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT)],
        input=json.dumps(call),
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "SWEEPER_NO_BUILD": "1", "HOME": str(home)},
        check=False,
        timeout=30,
    )
    assert done.returncode == 0
    return done.stdout


def test_a_folder_without_a_program_is_told_nothing(tmp_path: Path) -> None:
    assert said(tmp_path, tmp_path) == ""


def test_an_unapproved_program_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "program.md").write_text("# A sweep\n", encoding="utf-8")

    lines = said(tmp_path, tmp_path).splitlines()

    assert len(lines) == 3
    assert "not been approved" in lines[0]
    assert lines[2].startswith("Look at it with: sweeper check ")
