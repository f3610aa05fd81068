"""A platform that loses answers, hides jobs, refuses or breaks: nothing goes unbooked."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from sweeper.errors import OutcomeUnknownError
from sweeper.jobs.dry import DryExecutor
from sweeper.jobs.executor import FoundJob
from sweeper.jobs.executor import JobSpec
from sweeper.state import approval
from sweeper.state.ledger import Reservation
from sweeper.sweep import launch
from sweeper.sweep import running
from sweeper.sweep.conductor import Conductor
from sweeper.sweep.conductor import Options
from sweeper.sweep.events import Event
from sweeper.sweep.running import conducting
from tests.sweep.sweeps import Sweep
from tests.sweep.sweeps import make_sweep


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    monkeypatch.setattr(launch, "SETTLE_WINDOW_S", 0.2)
    return make_sweep(tmp_path / "s", max_jobs=3).approve()


def conduct(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, make: Callable[..., DryExecutor]
) -> tuple[list[Event], Conductor]:
    monkeypatch.setattr(
        running,
        "make_executor",
        lambda opened, name: make(opened.folder.runs, opened.uid, opened.row.name, reading_s=0.01),
    )
    with conducting(sweep.program(), "dry", Options()) as (_, conductor):
        return list(conductor.run()), conductor


def rows(sweep: Sweep, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(sweep.folder / "runs" / "sweep.db") as connection:
        return connection.execute(query).fetchall()


def faulty(**faults: int) -> Callable[..., DryExecutor]:
    spelled: Any = {name.replace("_", " "): count for name, count in faults.items()}
    return lambda *args, **kwargs: DryExecutor(*args, faults=spelled, **kwargs)


class Hiding(DryExecutor):
    """Loses its first answer, and shows that job only once a second request has made another."""

    posts = 0

    def submit(self, spec: JobSpec, paid: Reservation) -> str:
        self.posts += 1
        if self.posts == 1:
            super().submit(spec, paid)
            raise OutcomeUnknownError("the answer was lost")
        if self.posts == 2:
            second = replace(self._job(spec, paid, None), job_id=f"dry-{paid.nonce[:12]}-second")
            self._put(second)
            return second.job_id
        return super().submit(spec, paid)

    def matches(self, purpose: str) -> list[FoundJob]:
        return super().matches(purpose) if self.posts > 1 else []


def test_a_lost_answer_is_looked_for_and_the_job_adopted(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, conductor = conduct(sweep, monkeypatch, faulty(lose_answer=2))

    assert conductor.state == "finished"
    assert [event.kind for event in events].count("job_adopted") == 2
    assert rows(sweep, "SELECT state, COUNT(*) FROM sweeper_job GROUP BY state") == [
        ("settled", 3)
    ]
    assert rows(sweep, "SELECT COUNT(*) FROM trials WHERE state = 'COMPLETE'") == [(3,)]


def test_a_late_duplicate_is_booked_ended_and_settled_in_the_same_run(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its readings are nobody's: the trial keeps those of the job that was kept."""
    _, conductor = conduct(sweep, monkeypatch, Hiding)

    assert conductor.state == "finished"
    assert rows(sweep, "SELECT COUNT(*) FROM sweeper_job WHERE duplicate_of IS NOT NULL") == [(1,)]
    assert rows(sweep, "SELECT DISTINCT state FROM sweeper_job") == [("settled",)]
    assert rows(sweep, "SELECT COUNT(*) FROM sweeper_job") == [(3,)]
    assert rows(sweep, "SELECT COUNT(*) FROM trials WHERE state = 'COMPLETE'") == [(2,)]


def test_a_refused_request_pauses_the_sweep_and_leaves_nothing_reserved(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, conductor = conduct(sweep, monkeypatch, faulty(refuse=1))

    assert conductor.state == "paused"
    assert (conductor.stop_reason or "").startswith("refused")
    assert rows(sweep, "SELECT state FROM sweeper_job") == [("given_back",)]
    _, conductor = conduct(sweep, monkeypatch, DryExecutor)
    assert conductor.state == "finished"
    assert rows(sweep, "SELECT COUNT(*) FROM trials") == [(3,)]
    assert rows(sweep, "SELECT COUNT(*) FROM sweeper_job WHERE state = 'settled'") == [(3,)]


def test_what_an_unforeseen_error_leaves_behind_stays_booked(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether the request left, so its money is not given back."""

    class Breaking(DryExecutor):
        def submit(self, spec: JobSpec, paid: Reservation) -> str:
            super().submit(spec, paid)
            raise RuntimeError("a fault of ours after the request left")

    with pytest.raises(RuntimeError):
        conduct(sweep, monkeypatch, Breaking)

    assert rows(sweep, "SELECT state FROM sweeper_job") == [("submitting",)]
    _, conductor = conduct(sweep, monkeypatch, DryExecutor)
    assert conductor.state == "finished"
    assert rows(sweep, "SELECT state, COUNT(*) FROM sweeper_job GROUP BY state") == [
        ("settled", 3)
    ]


def test_a_lost_request_is_not_sent_again_under_a_narrower_envelope(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is nowhere passes the rules again; what they no longer allow is reserved anew."""
    monkeypatch.setattr(launch, "SETTLE_WINDOW_S", 1.5)
    timeouts: list[float] = []

    class Losing(DryExecutor):
        def submit(self, spec: JobSpec, paid: Reservation) -> str:
            timeouts.append(paid.timeout_s)
            if len(timeouts) > 1:
                return super().submit(spec, paid)
            page = sweep.folder / "program.md"
            page.write_text(page.read_text().replace("max_timeout: 30s", "max_timeout: 10s"))
            raise OutcomeUnknownError("the request was lost")

    _, conductor = conduct(sweep, monkeypatch, Losing)

    assert conductor.state == "finished"
    assert timeouts == [30.0, 10.0, 10.0, 10.0]
    assert rows(sweep, "SELECT state, COUNT(*) FROM sweeper_job GROUP BY state") == [
        ("given_back", 1),
        ("settled", 3),
    ]


def test_a_trial_told_by_somebody_else_keeps_their_value_and_its_job_is_ended(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()

    class Telling(DryExecutor):
        """Somebody tells trial 0 in the dashboard as soon as it reports."""

        def tail(self, job_id: str, cursor: str) -> Any:
            found = super().tail(job_id, cursor)
            if found.lines and not told.is_set():
                told.set()
                url = f"sqlite:///{sweep.folder / 'runs' / 'sweep.db'}"
                study = optuna.load_study(study_name="s", storage=url)
                study.tell(0, 123.0)
            return found

    events, conductor = conduct(sweep, monkeypatch, Telling)

    assert conductor.state == "finished"
    assert [event.trial for event in events if event.kind == "foreign_tell"] == [0]
    assert rows(
        sweep,
        "SELECT value FROM trial_values JOIN trials USING (trial_id) WHERE number = 0",
    ) == [(123.0,)]
    assert rows(sweep, "SELECT stage FROM sweeper_job WHERE trial = 0") == [("CANCELED",)]
    assert rows(sweep, "SELECT DISTINCT state FROM sweeper_job") == [("settled",)]


def test_a_price_that_nobody_knows_refuses(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "prices", lambda opened, name: lambda flavor: None)
    monkeypatch.setattr("sweeper.sweep.session.Session.flavor", property(lambda self: "h200"))

    _, conductor = conduct(sweep, monkeypatch, DryExecutor)

    assert conductor.state == "paused"
    assert "h200" in (conductor.stop_reason or "")
    assert rows(sweep, "SELECT COUNT(*) FROM sweeper_job") == [(0,)]
    assert approval.read_projection(sweep.folder / "runs" / "approval.json") is not None
