"""A task killed at any step: the next command books it right, and nothing runs twice."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeper.state.ledger import Ledger
from sweeper.task import course
from sweeper.task.door import main
from tests.doubles.hub.fixtures import loopback
from tests.doubles.hub.server import Hub
from tests.test_task import rows


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.setenv("SWEEPER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SWEEPER_SETTLE_WINDOW_S", "0.2")
    monkeypatch.chdir(tmp_path)
    with loopback(monkeypatch, tmp_path) as double:
        yield double


def killed_before(function: Callable[..., Any]) -> Callable[..., Any]:
    def dies(*args: Any, **kwargs: Any) -> Any:
        raise Killed

    return dies


def killed_after(function: Callable[..., Any]) -> Callable[..., Any]:
    def dies(*args: Any, **kwargs: Any) -> Any:
        function(*args, **kwargs)
        raise Killed

    return dies


STEPS = [(Ledger, "submitting"), (course, "post"), (Ledger, "submitted"), (course, "watch"),
         (Ledger, "terminal"), (Ledger, "settle"), (Ledger, "told")]  # fmt: skip


@pytest.mark.parametrize("kill", [killed_before, killed_after])
@pytest.mark.parametrize(("place", "step"), STEPS)
def test_a_kill_at_any_step_leaves_one_job_and_the_right_bill(
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
    kill: Callable[[Callable[..., Any]], Callable[..., Any]],
    place: Any,
    step: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(place, step, kill(getattr(place, step)))
        with pytest.raises(Killed):
            main(["run", "--script-inline", "print('hello')"])
    for job in hub.jobs.all:
        job.done.wait(10)

    for _ in range(3):
        assert main(["list"]) == 0
        course.time.sleep(0.25)

    (row,) = rows()
    assert len(hub.jobs.all) == hub.count("submit") <= 1
    billed = sum(job.billed_micro_usd for job in hub.jobs.all)
    assert row.cost_micro_usd == billed
    assert row.state == ("settled" if hub.jobs.all else "given_back")
    assert row.job_id == (hub.jobs.all[0].id if hub.jobs.all else None)
