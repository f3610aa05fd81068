"""A conductor killed before or after any durable step loses nothing and runs nothing twice."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.sweep.sweeps import Sweep
from tests.sweep.sweeps import make_sweep

STEPS = [
    "sweeper.sweep.launch:create_owned_trial",
    "sweeper.sweep.launch:parameters",
    "sweeper.state.ledger:Ledger.reserve",
    "sweeper.state.ledger:Ledger.submitting",
    "sweeper.jobs.local:LocalExecutor.submit",
    "sweeper.state.ledger:Ledger.submitted",
    "sweeper.state.ledger:Ledger.running",
    "sweeper.sweep.flight:set_intermediate_values",
    "sweeper.state.cursors:store_many",
    "sweeper.state.ledger:Ledger.terminal",
    "sweeper.state.ledger:Ledger.settle",
    "sweeper.sweep.closing:set_trial_attrs",
    "sweeper.sweep.closing:_tell",
    "sweeper.state.ledger:Ledger.told",
]


def conduct(sweep: Sweep, *death: str) -> int:
    """Conduct the sweep, to its end or to the death that is given; return the exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.sweep.killed", *death],
        cwd=sweep.folder,
        env=sweep.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def rows(sweep: Sweep, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(sweep.folder / "runs" / "sweep.db") as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_killed_conductor_is_taken_up_where_it_stopped(
    tmp_path: Path, step: str, moment: str
) -> None:
    """After the kill one more run ends the sweep with every trial run once and told in full."""
    sweep = make_sweep(tmp_path / "sweep", max_jobs=3).approve()

    assert conduct(sweep, step, moment, "2") == -signal.SIGKILL
    assert conduct(sweep) == 0

    assert max(Counter(sweep.ran()).values()) == 1
    assert len(sweep.ran()) == 3
    states = rows(sweep, "SELECT state, COUNT(*) FROM trials GROUP BY state")
    assert dict(states).get("COMPLETE") == 3  # type: ignore[arg-type]
    assert "RUNNING" not in dict(states)  # type: ignore[arg-type]
    open_rows = (
        "SELECT purpose, state FROM sweeper_job WHERE state NOT IN ('settled','given_back')"
    )
    assert rows(sweep, open_rows) == []
    assert rows(sweep, "SELECT COUNT(*) FROM sweeper_job WHERE state = 'settled'") == [(3,)]
    readings = rows(
        sweep,
        "SELECT trial_id, COUNT(*) FROM trial_intermediate_values GROUP BY trial_id",
    )
    assert [count for _, count in readings] == [3, 3, 3]


DIVERGING = """\
import os, time
with open("ran.txt", "a") as ran:
    ran.write(f"{os.environ['SWEEPER_TRIAL']} {os.environ['SWEEPER_ATTEMPT']}\\n")
print('[sweeper] {"step": 1, "loss": NaN}', flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "step",
    ["sweeper.state.ledger:Ledger.cancelling", "sweeper.jobs.local:LocalExecutor.cancel"],
)
def test_what_was_to_be_ended_is_ended_by_the_next_conductor(
    tmp_path: Path, step: str, moment: str
) -> None:
    """Ending a job is durable before the request, and repeated until the job is terminal."""
    sweep = make_sweep(
        tmp_path / "sweep", script=DIVERGING, training="parameters: json", max_jobs=1
    ).approve()

    assert conduct(sweep, step, moment, "1") == -signal.SIGKILL
    assert conduct(sweep) == 0

    assert sweep.ran() == [("0", "1")]
    assert rows(sweep, "SELECT state FROM trials") == [("FAIL",)]
    assert rows(sweep, "SELECT state, ended_by FROM sweeper_job") == [("settled", "diverged")]
