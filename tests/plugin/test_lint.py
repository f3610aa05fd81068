"""The plugin has none of the faults that Claude Code overlooks, and its skills' commands exist."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main

from sweeper import cli
from tests.plugin.calls import ROOT
from tests.plugin.lint import faults

PROSE = sorted([*(ROOT / "skills").rglob("*.md"), *(ROOT / "agents").glob("*.md")])


def test_the_plugin_has_no_fault() -> None:
    assert faults(ROOT) == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("hooks", "skills", "agents"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def changed(path: str, old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        assert old in text
        (root / path).write_text(text.replace(old, new), encoding="utf-8")

    return change


TASK = "skills/ml-research-task/SKILL.md"


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda root: (root / "hooks" / "guard_spending.py").unlink(), "does not exist"),
        (changed("hooks/hooks.json", '"Bash|', '"bash|'), "no tool is called bash"),
        (changed("hooks/hooks.json", '"Bash|', '"Bash(|'), "is no pattern"),
        (changed("hooks/hooks.json", "SessionStart", "SessionBegins"), "unknown to older"),
        (changed("hooks/hooks.json", '\\"${CLAUDE', "${CLAUDE"), "without quotes"),
        (changed("hooks/hooks.json", '"timeout": 30', '"timeout": "30"'), "needs a timeout"),
        (changed(TASK, "name: ml-research-task", "name: task"), "name is 'task'"),
        (changed(TASK, "description: ", "description: " + "x" * 1024), "characters"),
        (changed(TASK, "## Steps", "\n" * 501), "lines"),
        (changed(TASK, "(references/trouble.md)", "(references/woe.md)"), "woe.md does not exist"),
        (changed(TASK, "references/trouble.md", "nowhere.md"), "does not mention trouble.md"),
        (changed("agents/researcher.md", "tools: Bash", "tools: Bahs"), "no tool is called"),
    ],
)
def test_each_fault_is_found(break_it: Callable[[Path], None], said: str, copy: Path) -> None:
    break_it(copy)

    assert any(said in fault for fault in faults(copy)), faults(copy)


def commands() -> list[tuple[str, str]]:
    """Return (file, command) for each command in the skills' and the agent's texts."""
    found = []
    for path in PROSE:
        text = re.sub(r"\n[ >]+", " ", path.read_text(encoding="utf-8"))
        for code in re.findall(r"`([^`\n]+)`", text):
            if re.match(r"(timeout \d+ )?sweeper |(uv run \S+/)?[a-z_]+\.py [a-zA-Z]", code):
                found.append((path.name, code))
    return found


def words_of(command: str) -> list[str]:
    named = {"FOLDER": "studies/digits", "N": "3", "OWNER/NAME": "me/x", "JOB_ID": "65f0"}
    words = shlex.split(command.replace("ARXIV_ID", "2106.09685"))
    return [named.get(word, word).replace("FOLDER/", "studies/digits/") for word in words]


@pytest.mark.parametrize(("file", "command"), commands())
def test_every_command_in_the_texts_is_understood(file: str, command: str) -> None:
    """The real parser takes it; what it would do is left undone."""
    words = words_of(command)
    words = words[2:] if words[0] == "timeout" else words
    if words[0] == "sweeper":
        group = typer.main.get_command(cli.app)
        verb = group.commands.get(words[1])  # type: ignore[attr-defined]
        assert verb is not None, f"{file}: sweeper has no command {words[1]}"
        verb.make_context(words[1], words[2:])
        return
    words = words[2:] if words[:2] == ["uv", "run"] else words
    script = ROOT / "scripts" / words[0].rsplit("/", 1)[-1]
    if not script.is_file():
        pytest.skip(f"{script.name} is not part of this checkout")
    operation = list(itertools.takewhile(re.compile("[a-z][a-z-]+$").match, words[1:3]))
    done = subprocess.run(
        [sys.executable, str(script), *operation, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{file}: {command}\n{done.stderr}"
    for option in (word for word in words if word.startswith("--")):
        assert option in done.stdout, f"{file}: {script.name} has no {option}"


def test_the_texts_name_commands_at_all() -> None:
    assert len(commands()) > 40


def test_manifest_and_marketplace_agree() -> None:
    folder = ROOT / ".claude-plugin"
    plugin = json.loads((folder / "plugin.json").read_text(encoding="utf-8"))
    market = json.loads((folder / "marketplace.json").read_text(encoding="utf-8"))

    assert plugin["name"] == "ml-research"
    assert market["name"] == "ml-plugins"
    assert [entry["name"] for entry in market["plugins"]] == ["ml-research"]
    assert market["plugins"][0]["source"] == "./"
