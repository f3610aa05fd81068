"""Where jobs stand and how they ended, asked with as few requests as can be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import AccountError
from sweeper.errors import UnavailableError
from sweeper.jobs.executor import JobSpec
from sweeper.jobs.executor import Stage
from sweeper.jobs.hf.executor import HfExecutor
from tests.doubles.hub.server import Hub
from tests.jobs.hf.conftest import UID
from tests.jobs.hf.conftest import ended
from tests.jobs.hf.conftest import reservation
from tests.jobs.hf.conftest import until
from tests.jobs.hf.conftest import whole_log

Make = Callable[..., JobSpec]

SAYS_A_LOSS = "print('loss=0.25')"


def another(executor: HfExecutor) -> HfExecutor:
    """The executor as the next conductor opens it: it knows of no job yet."""
    return HfExecutor(executor.connection, uid=UID, study="digits")


def test_all_jobs_are_polled_with_one_request_and_not_again_for_a_while(
    hub: Hub, executor: HfExecutor, spec: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEPER_POLL_S", "60")
    attempts = [spec(SAYS_A_LOSS, trial=n) for n in range(5)]
    ids = [executor.submit(attempt, reservation(attempt)) for attempt in attempts]
    for job in hub.jobs.all:
        job.done.wait(10)
    other, before = another(executor), len(hub.requests)

    for _ in range(50):
        assert set(other.poll(ids)) == set(ids)

    assert len(hub.requests) == before + 1
    other.close()


def test_a_listing_in_pages_is_read_no_further_than_needed(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    hub.page_size = 2
    attempts = [spec(SAYS_A_LOSS, trial=n) for n in range(5)]
    ids = [executor.submit(attempt, reservation(attempt)) for attempt in attempts]
    first, second = another(executor), another(executor)

    assert set(first.poll(ids)) == set(ids)
    first.close()
    before = hub.count("list")
    assert set(second.poll(ids[-1:])) == set(ids[-1:])
    second.close()

    assert hub.count("list") == before + 1


def test_a_listing_that_fails_now_and_then_is_not_a_platform_that_is_away(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    attempt = spec("import time; time.sleep(0.5)")
    job_id = executor.submit(attempt, reservation(attempt))
    hub.faults.arm("status", route="list", status=500, times=2)

    assert ended(executor, job_id).stage is Stage.COMPLETED
    hub.faults.arm("status", route="list", status=503, times=-1)
    other = another(executor)
    with pytest.raises(UnavailableError):
        other.poll([job_id])
    other.close()


def test_a_job_that_the_listing_lacks_is_asked_for_itself(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    hub.faults.arm("list_lag", seconds=1e6, times=-1)
    attempt = spec(SAYS_A_LOSS)

    job_id = executor.submit(attempt, reservation(attempt))

    other = another(executor)

    assert set(other.poll([job_id, "0" * 24])) == {job_id}
    other.close()


def test_the_ends_of_a_job_are_told_apart(hub: Hub, executor: HfExecutor, spec: Make) -> None:
    ends = {
        "completed": "print('loss=1')",
        "error": "raise SystemExit(3)",
        "killed": "import os; os.kill(os.getpid(), 9)",
        "timeout": "import time; time.sleep(60)",
        "person": "import time; print('x', flush=True); time.sleep(60)",
        "no_credits": "import time; print('x', flush=True); time.sleep(60)",
        "spend_limit": "import time; print('x', flush=True); time.sleep(60)",
    }
    reports = {}
    for trial, (name, script) in enumerate(ends.items()):
        if name in ("person", "no_credits", "spend_limit"):
            hub.faults.arm(name, lines=1, job=f"sweeper-purpose={UID}-{trial}-1")
        attempt = spec(script, trial=trial)
        timeout_s = 5.0 if name == "timeout" else 600.0
        job_id = executor.submit(attempt, reservation(attempt, timeout_s=timeout_s))
        ended(executor, job_id)
        whole_log(executor, job_id)
        reports[name] = executor.poll([job_id])[job_id]

    stages = {name: report.stage.value for name, report in reports.items()}
    assert stages == {
        "completed": "COMPLETED",
        "error": "ERROR",
        "killed": "ERROR",
        "timeout": "ERROR",
        "person": "CANCELED",
        "no_credits": "CANCELED",
        "spend_limit": "CANCELED",
    }
    assert (reports["error"].exit_code, reports["killed"].signal) == (3, 9)
    assert [name for name, report in reports.items() if report.timed_out] == ["timeout"]
    assert {n: r.cancel_reason for n, r in reports.items() if r.cancel_reason} == {
        "no_credits": "NO_CREDITS",
        "spend_limit": "RESOURCE_GROUP_LIMIT",
    }


def test_seconds_count_from_the_start_and_not_from_the_queue(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    hub.jobs.scheduling_s = 8.0
    attempt = spec("import time; time.sleep(0.5); print('loss=1')")

    job_id = executor.submit(attempt, reservation(attempt))
    assert executor.poll([job_id])[job_id].charged_s is None
    report = ended(executor, job_id)

    job = hub.jobs.all[0]
    assert report.charged_s == pytest.approx(job.running_s, abs=0.01)
    assert report.running_s == int(job.running_s or 0)
    assert report.finished_at - report.started_at < 30 * 10


def test_a_job_cancelled_in_the_queue_costs_nothing(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    hub.faults.arm("stuck")
    attempt = spec(SAYS_A_LOSS)
    job_id = executor.submit(attempt, reservation(attempt))

    executor.cancel(job_id)

    report = ended(executor, job_id)
    assert (report.stage, report.charged_s) == (Stage.CANCELED, 0.0)


@pytest.mark.parametrize("status", [0, 400, 409])
def test_cancelling_what_has_ended_or_is_gone_does_nothing(
    hub: Hub, executor: HfExecutor, spec: Make, status: int
) -> None:
    hub.cancel_finished_status = status
    attempt = spec(SAYS_A_LOSS)
    job_id = executor.submit(attempt, reservation(attempt))
    ended(executor, job_id)

    executor.cancel(job_id)
    executor.cancel("0" * 24)

    assert executor.poll([job_id])[job_id].stage is Stage.COMPLETED


def test_a_revoked_token_is_an_account_error_with_the_page_to_visit(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    attempt = spec("import time; time.sleep(1)")
    job_id = executor.submit(attempt, reservation(attempt))
    hub.account.tokens[hub.token].revoked = True

    with pytest.raises(AccountError) as raised:
        until(lambda: executor.poll([job_id]) and False)

    assert f"{hub.endpoint}/settings/tokens" in str(raised.value.hint)
    hub.account.tokens[hub.token].revoked = False


def test_two_studies_of_one_name_in_one_namespace_do_not_see_each_other(
    hub: Hub, executor: HfExecutor, spec: Make, tmp_path: Path
) -> None:
    other = HfExecutor(executor.connection, uid="0badcafe", study="digits")
    attempt = spec(SAYS_A_LOSS)
    job_id = executor.submit(attempt, reservation(attempt))

    assert other.matches("digits/1/1") == []
    assert executor.find("digits/1/1") == job_id
    other.close()


def test_a_slow_hub_holds_nobody_up(
    hub: Hub, executor: HfExecutor, spec: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sweeper.jobs.hf import stages

    monkeypatch.setattr(stages, "PATIENCE_S", 0.1)
    attempt = spec(SAYS_A_LOSS)
    job_id = executor.submit(attempt, reservation(attempt))
    assert executor.poll([job_id])[job_id].stage is Stage.SCHEDULING
    hub.faults.arm("delay", route="list", seconds=0.5, times=-1)
    other = another(executor)

    with pytest.raises(UnavailableError):
        other.poll([job_id])

    def answered() -> Any:
        try:
            return other.poll([job_id])
        except UnavailableError:
            return None

    assert job_id in until(answered)
    other.close()


def test_whose_token_it_is_is_asked_once_for_all_processes(hub: Hub) -> None:
    from sweeper.jobs.hf.connection import connect

    assert [connect().namespace for _ in range(9)] == ["me"] * 9
    assert hub.count("whoami") == 1
