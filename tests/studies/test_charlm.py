"""The character model really trains, with its constants set in a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeper import program
from sweeper.draft import attempt
from tests.studies.shipped import changed
from tests.studies.shipped import copied

pytestmark = pytest.mark.torch
pytest.importorskip("torch", reason="the extra `torch` is not installed")


def test_it_learns_the_harbour_log(tmp_path: Path):
    """Within sixty steps the loss falls far below that of guessing among its characters."""
    folder = copied("charlm", tmp_path)
    changed(folder / "train.py", **{"STEPS = 200": "STEPS = 60"})
    changed(folder / "program.md", **{"step, max: 200": "step, max: 60"})

    found = attempt.run_briefly(program.load(folder), 120)

    assert attempt.worked(found), attempt.text(found)
    assert (found.steps, found.passing.arrived) == (60, True)
    assert found.metrics[0].count == 3
    assert found.metrics[0].last < 2.4
