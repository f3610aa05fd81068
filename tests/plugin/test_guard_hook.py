"""The hook as Claude Code starts it: the shell line, the token, and every way to fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.budget.guarded import study
from tests.plugin.calls import ROOT
from tests.plugin.calls import put
from tests.plugin.calls import shell_line


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the plugin's guard that a test may break; its path has a space in it."""
    root = tmp_path / "the plugin"
    shutil.copytree(ROOT / "hooks", root / "hooks")
    (root / "sweeper").mkdir()
    for name in ("__init__.py", "errors.py"):
        shutil.copy(ROOT / "sweeper" / name, root / "sweeper" / name)
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sweeper" / "budget", root / "sweeper" / "budget", ignore=skipped)
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return study(tmp_path / "study")


SPENDS = {"command": "hf jobs run img cmd"}


def test_the_three_answers_come_through_the_shell_line(folder: Path, copy: Path) -> None:
    assert put("Bash", {"command": "ls"}, folder, root=copy).decision == "silent"
    assert put("Bash", {"command": "sweeper run"}, folder, root=copy).decision == "allow"
    assert put("Bash", {"command": "sweeper approve"}, folder, root=copy).decision == "ask"
    refused = put("Bash", SPENDS, folder, root=copy)
    assert refused.decision == "deny"
    assert "sweeper run" in refused.reason


@pytest.mark.parametrize(
    "body",
    [
        "",
        "raise SystemExit(0)",
        "import nonsense",
        "print('hello')",
        "1 +",
        "import os; os._exit(1)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import _signal, time; _signal.alarm(1); time.sleep(60)",
        "print('guarded')",
    ],
)
def test_a_broken_hook_refuses(body: str, folder: Path, copy: Path) -> None:
    (copy / "hooks" / "guard_spending.py").write_text(body, encoding="utf-8")

    assert put("Bash", SPENDS, folder, root=copy).decision == "deny"


@pytest.mark.parametrize("body", ["", "1 +", "raise SystemExit(0)", "judge = None"])
def test_a_broken_room_refuses(body: str, folder: Path, copy: Path) -> None:
    (copy / "sweeper" / "budget" / "guard.py").write_text(body, encoding="utf-8")

    assert put("Bash", SPENDS, folder, root=copy).decision == "deny"


def test_a_missing_hook_refuses(folder: Path, copy: Path) -> None:
    (copy / "hooks" / "guard_spending.py").unlink()

    assert put("Bash", SPENDS, folder, root=copy).decision == "deny"


def test_a_machine_without_python_refuses(tmp_path: Path) -> None:
    done = subprocess.run(
        [shutil.which("sh") or "/bin/sh", "-c", shell_line()],
        input="{}",
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)},
        check=False,
    )

    assert done.returncode == 2
    assert "python3" in done.stderr


@pytest.mark.parametrize("raw", ["", "nonsense", "null", "[]", '{"tool_name": "Bash"}', "{"])
def test_a_call_that_cannot_be_read_is_refused(raw: str, folder: Path) -> None:
    assert put("Bash", {}, folder, raw=raw).decision == "deny"


def test_names_with_quotes_and_accents_survive(tmp_path: Path) -> None:
    folder = study(tmp_path / 'na"ïve')

    refused = put("Bash", {"command": "sweeper run 'ça\"'"}, folder)

    assert refused.decision == "deny"
    assert 'ça"' in refused.reason


def test_an_ordinary_call_loads_next_to_nothing(tmp_path: Path) -> None:
    """What makes the guard cheap: no regular expressions, no json, no pathlib."""
    code = (
        "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]);"
        "from sweeper.budget import guard;"
        "guard.judge({'tool_name': 'Bash', 'tool_input': {'command': 'ls -la'}}, '/p', '');"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == [
        "__future__",
        "sweeper",
        "sweeper.budget",
        "sweeper.budget.guard",
    ]


def test_the_guard_imports_no_other_room(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from sweeper.budget import guard, markers, protected, roads, shell, approved;"
        "print(*(n for n in sys.modules if n.startswith('sweeper.') "
        "and not n.startswith('sweeper.budget')))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT)],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )

    assert done.stdout.split() == []
