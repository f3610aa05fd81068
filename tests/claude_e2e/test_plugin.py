"""The plugin in the real Claude Code CLI, against a scripted model on this machine.

Set CLAUDE_CLI to a Claude Code executable; without one these tests are skipped. In `-p` an "ask"
refuses, so a refusal here means "denied or put to a person".
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.budget.guarded import study
from tests.claude_e2e.driver import CLIMissing
from tests.claude_e2e.driver import Run
from tests.claude_e2e.driver import Sandbox
from tests.claude_e2e.driver import find_cli
from tests.claude_e2e.driver import run_script
from tests.claude_e2e.mock_api import agent
from tests.claude_e2e.mock_api import bash
from tests.claude_e2e.mock_api import skill
from tests.claude_e2e.mock_api import tool

pytestmark = pytest.mark.claude

ROOT = Path(__file__).resolve().parents[2]
PARTS = (".claude-plugin", "agents", "bin", "hooks", "skills", "sweeper")
MODES = ("default", "acceptEdits", "bypassPermissions")


@pytest.fixture(scope="session")
def cli() -> Path:
    try:
        return find_cli()
    except CLIMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def box(cli: Path) -> Iterator[Sandbox]:
    with Sandbox(cli, env={"SWEEPER_NO_BUILD": "1"}) as sandbox:
        yield sandbox


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A copy of the plugin that a test may break; its path has a space in it."""
    root = tmp_path / "the plugin"
    root.mkdir()
    for name in PARTS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, root / name)
    # The command is played: what is tested here is who may call it.
    (root / "bin" / "sweeper").write_text("#!/bin/sh\necho sweeper ran: $*\n", encoding="utf-8")
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return study(tmp_path / "study")


def play(box: Sandbox, plugin: Path | None, folder: Path, turns: object, mode: str) -> Run:
    run = run_script(plugin, folder, turns, sandbox=box, permission_mode=mode)  # type: ignore[arg-type]
    assert run.plugin_errors == []
    assert "ml-research" in run.plugins
    return run


def test_it_validates_installs_and_loads(box: Sandbox, folder: Path, plugin: Path) -> None:
    strict = box.claude("plugin", "validate", "--strict", str(plugin))
    assert strict.returncode == 0, strict.stdout + strict.stderr

    assert box.install(plugin, "ml-research") == "ml-research@ml-plugins"
    run = play(box, None, folder, [bash("hf jobs run img"), "done"], "default")

    assert run.call().denied
    assert "ml-research:researcher" in json.dumps(run.init)
    assert "ml-research:ml-research-loop" in json.dumps(run.init)


@pytest.mark.parametrize("mode", MODES)
def test_decisions_hold_in_every_mode(mode: str, box: Sandbox, plugin: Path, folder: Path) -> None:
    turns = [
        bash("sweeper run . --detach"),
        bash("hf jobs run img"),
        bash("sweeper approve . --yes"),
        bash("for i in 1 2; do sweeper run; done"),
        tool("Write", file_path=str(folder / "runs" / "sweep.db"), content="{}"),
        bash("grep -rn 'hf jobs run' ."),
        "done",
    ]

    run = play(box, plugin, folder, turns, mode)

    allowed, *refused, searched = run.calls
    assert "sweeper ran: run . --detach" in allowed.output
    assert [call.denied for call in refused] == [True] * 4
    assert "sweeper run" in refused[0].reason
    assert not (folder / "runs" / "sweep.db").exists()
    assert searched.executed


@pytest.mark.parametrize("background", [False, True])
def test_decisions_hold_in_agents(
    background: bool, box: Sandbox, plugin: Path, folder: Path
) -> None:
    lane = "ml-research:researcher"
    turns = {
        "main": [agent(lane, "GO THERE", run_in_background=background), "waiting", "done", "end"],
        lane: [bash("hf jobs run img"), bash("sweeper run ."), "found nothing"],
    }

    run = play(box, plugin, folder, turns, "bypassPermissions")

    spent = run.call(0, name="Bash", lane=lane)
    assert not spent.executed
    assert "ml-research" in spent.text
    assert "sweeper ran" in run.call(1, name="Bash", lane=lane).output


@pytest.mark.parametrize(
    "body",
    [
        "",
        "raise SystemExit(1)",
        "print('ok')",
        "import _signal, time\n_signal.alarm(2)\ntime.sleep(90)",
    ],
)
def test_a_broken_guard_still_refuses(body: str, box: Sandbox, plugin: Path, folder: Path) -> None:
    (plugin / "hooks" / "guard_spending.py").write_text(body, encoding="utf-8")

    run = play(box, plugin, folder, [bash("hf jobs run img"), "done"], "bypassPermissions")

    assert run.call().denied


def test_a_session_is_told_the_state(box: Sandbox, plugin: Path, folder: Path) -> None:
    run = play(box, plugin, folder, ["done"], "default")

    assert "This folder holds a sweep" in run.told()


@pytest.mark.parametrize("name", ["ml-research-task", "ml-research-loop"])
def test_the_skills_load(name: str, box: Sandbox, plugin: Path, folder: Path) -> None:
    run = play(box, plugin, folder, [skill(f"ml-research:{name}"), "done"], "default")

    assert run.call().executed
    assert "${CLAUDE_PLUGIN_ROOT}" not in run.told(n=1).split("# ", 1)[1][:6000]
