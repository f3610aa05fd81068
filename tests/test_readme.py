"""What README.md says is what the product does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sweep.sweeps import SCRIPT
from tests.sweep.sweeps import Sweep

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def first_block(heading: str) -> str:
    section = README.split(f"\n## {heading}\n", 1)[1]
    found = re.search(r"```\w*\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1].strip()


def test_every_command_in_the_readme_exists() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "sweeper", "--help"], capture_output=True, text=True, cwd=ROOT
    ).stdout
    for command in set(re.findall(r"sweeper ([a-z]+)", README)):
        assert re.search(rf"^\W*{command}\b", shown, re.MULTILINE), command


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_the_quickstart_is_one_command_on_the_shipped_study() -> None:
    command = first_block("Quickstart")

    assert "\n" not in command
    assert "sweeper approve studies/digits --yes" in command
    assert command.endswith("sweeper run studies/digits")
    assert (ROOT / "studies" / "digits" / "program.md").exists()


def test_the_test_command_runs_this_suite() -> None:
    command = first_block("Tests")

    assert "\n" not in command
    assert "-m pytest" in command


def test_a_sweep_of_your_own_goes_as_the_readme_says(tmp_path: Path) -> None:
    """The five commands of the README, one after the other, on an untouched script."""
    (tmp_path / "train.py").write_text(SCRIPT)
    sweep = Sweep(tmp_path)
    section = README.split("\n## A sweep of your own\n", 1)[1]
    block = re.search(r"```bash\n(.*?)```", section, re.DOTALL)
    assert block is not None
    for line in block[1].strip().splitlines():
        words = shlex.split(line, comments=True)[1:]
        more = {
            "try": ["--seconds", "20"],
            "approve": ["--yes"],
            "run": ["--trials", "2"],
        }.get(words[0], [])

        done = sweep.sweeper(*words, *more)

        assert done.returncode == 0, (line, done.stdout, done.stderr)
    assert (tmp_path / "runs" / "summary.md").exists()
