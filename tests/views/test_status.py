"""The text of `status` fits a terminal and says what is to be done."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.summary.records import Limit
from sweeper.summary.snapshot import read
from sweeper.views import status
from tests.doubles.sweeps import NOW
from tests.doubles.sweeps import RecordedSweep


def said(sweep: RecordedSweep) -> str:
    """Return the text."""
    return status.text(read(sweep.folder, curves=False, now=NOW))


def test_no_line_is_wider_than_a_terminal(sweep: RecordedSweep) -> None:
    """80 columns hold everything, hostile and long texts too."""
    sweep.proposal("long", {"learning_rate": 0.1}, why="because " * 60)
    assert max(map(len, said(sweep).splitlines())) <= 80
    assert "\x1b" not in said(sweep)


def test_it_tells_best_budget_forecast_and_queue(sweep: RecordedSweep) -> None:
    """What a person looks for first is there, in words of the field."""
    text = said(sweep)
    assert "Best: 0.2 (trial 1)" in text
    assert "0.1 better than the default (0.3); noise floor 0.01" in text
    assert "5 used, 1 reserved, of 12" in text
    assert "about 7 trials, done by" in text
    assert "6 trials: 3 complete, 1 pruned, 1 failed, 1 running" in text
    assert "1 proposal queued" in text
    assert "oom" in text


def test_a_running_sweep_without_a_conductor_says_how_to_go_on(sweep: RecordedSweep) -> None:
    """State `running` and nobody alive means: run it again."""
    assert "nobody conducts it: `sweeper run` goes on" in said(sweep)


@pytest.mark.parametrize(
    ("limit", "drawn"),
    [
        (Limit(3, 1, 8), "[###=....]"),
        (Limit(0, 0, 8), "[........]"),
        (Limit(9, 4, 8), "[########]"),
        (Limit(5, 0, None), "[        ]"),
    ],
)
def test_the_gauge_tells_used_from_reserved(limit: Limit, drawn: str) -> None:
    """Used, set aside and left are three marks; too much is full, no limit is blank."""
    assert status.gauge(limit, 8) == drawn


def test_a_limit_without_cost_is_not_shown(tmp_path: Path) -> None:
    """A free sweep has no line about money."""
    sweep = RecordedSweep(tmp_path, envelope={"max_jobs": 2, "max_walltime_s": 60.0})
    assert "cost" not in said(sweep)
    assert "elapsed" not in said(sweep)
    sweep.close()
