"""The plain forms of `status` are answered without the command-line framework."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sweeper.summary import document
from sweeper.summary.snapshot import read
from sweeper.views import glance
from sweeper.views import status
from tests.doubles.sweeps import RecordedSweep


def test_the_plain_forms_say_what_status_says(
    sweep: RecordedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder, the current folder and JSON, in any order."""
    folder = str(sweep.folder)
    look = read(sweep.folder, curves=False)
    first = status.text(look).splitlines()[0]
    for arguments in (["status", folder], ["status", f"{folder}/program.md"]):
        assert (glance.answer(arguments) or "").splitlines()[0] == first
    monkeypatch.chdir(sweep.folder)
    assert (glance.answer(["status"]) or "").splitlines()[0] == first
    for arguments in (["status", "--json", folder], ["status", folder, "--json"]):
        said = json.loads(glance.answer(arguments) or "")
        assert said["trials"] == document.status(look)["trials"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["run"], ["status", "--watch"], ["status", "--help"], ["status", "a", "b"], ["--help"]],
)
def test_anything_else_is_left_to_the_framework(arguments: list[str]) -> None:
    """Help, wrong usage and other commands are not answered here."""
    assert glance.answer(arguments) is None


def test_a_glance_imports_no_framework(sweep: RecordedSweep) -> None:
    """Neither typer nor pydantic nor rich, Optuna or SQLAlchemy are needed."""
    code = (
        "import sys; from sweeper.views.glance import answer; answer(sys.argv[1:]);"
        "print(sorted({'typer', 'pydantic', 'rich', 'optuna', 'sqlalchemy'} & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, "status", str(sweep.folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.strip() == "[]"


def test_the_program_answers_a_glance_before_it_imports_typer(sweep: RecordedSweep) -> None:
    """`python -m sweeper status` imports neither the framework nor what the sweep runs on."""
    printed = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "sweeper", "status", str(sweep.folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in printed.stderr.splitlines()}

    assert printed.stdout
    assert "sweeper.views.glance" in imported
    assert not {"typer", "pydantic", "rich", "optuna", "sqlalchemy", "plotly"} & imported


def test_the_program_tells_an_error_of_a_glance_in_one_sentence(tmp_path: Path) -> None:
    """A folder without a program.md is refused with exit code 1 and no traceback."""
    failed = subprocess.run(
        [sys.executable, "-m", "sweeper", "status", str(tmp_path)], capture_output=True, text=True
    )

    assert failed.returncode == 1
    assert failed.stderr
    assert "Traceback" not in failed.stderr
