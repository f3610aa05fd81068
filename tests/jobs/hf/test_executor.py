"""A job as Hugging Face runs it, through the real client and a strict Hub."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import AccountError
from sweeper.errors import NothingCreatedError
from sweeper.errors import OutcomeUnknownError
from sweeper.errors import UnavailableError
from sweeper.jobs.executor import JobSpec
from sweeper.jobs.executor import Stage
from sweeper.jobs.hf.executor import HfExecutor
from sweeper.jobs.metrics import MetricReader
from tests.doubles.hub.server import Hub
from tests.jobs.hf.conftest import UID
from tests.jobs.hf.conftest import ended
from tests.jobs.hf.conftest import reservation
from tests.jobs.hf.conftest import until
from tests.jobs.hf.conftest import whole_log

Make = Callable[..., JobSpec]

ODD = [
    "torch>=2.4",
    'pkg[extra]<4; python_version<"3.13"',
    "a b",
    "it's $HOME",
    "two\nlines",
    "ü—\u2028",
]
SAYS_ITS_ARGUMENTS = "import json, sys; print('ARGS', json.dumps(sys.argv[1:]))"
SAYS_A_LOSS = "print('loss=0.25')"


def readings(lines: list[str]) -> list[tuple[int, float]]:
    reader = MetricReader("loss")
    return [(r.step, r.value) for line in lines for r in reader.feed(line)]


def test_arguments_and_dependencies_arrive_as_written(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    attempt = spec(SAYS_ITS_ARGUMENTS, args=ODD, dependencies=ODD[:2], python="3.12")

    job_id = executor.submit(attempt, reservation(attempt))
    assert ended(executor, job_id).stage is Stage.COMPLETED
    said = next(line for line in whole_log(executor, job_id) if line.startswith("ARGS "))

    assert json.loads(said[5:]) == ODD
    command = hub.jobs.all[0].body["command"]
    assert command[:8] == ["uv", "run", "--with", ODD[0], "--with", ODD[1], "--python", "3.12"]


def test_the_dependencies_in_a_script_s_header_are_installed(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    header = '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["trl", "peft>=0.18"]\n# ///\n'
    attempt = spec(header + SAYS_A_LOSS, dependencies=["trl"])

    ended(executor, executor.submit(attempt, reservation(attempt)))

    command = hub.jobs.all[0].body["command"]
    assert command[2:8] == ["--with", "trl", "--with", "peft>=0.18", "--python", ">=3.11"]


@pytest.mark.parametrize("size", [1_000, 1_048_576])
def test_a_script_of_any_size_is_shipped_once(
    hub: Hub, executor: HfExecutor, spec: Make, size: int
) -> None:
    # What does not compress: a mebibyte of it is far more than a command holds.
    attempt = spec(f"BLOB = {os.urandom(size // 2).hex()!r}\nprint('loss=', len(BLOB))")

    executor.prepare(attempt)
    commits = hub.count("commit")
    ids = [executor.submit(attempt, reservation(attempt)) for _ in range(2)]

    assert [ended(executor, job_id).stage for job_id in ids] == [Stage.COMPLETED] * 2
    assert readings(whole_log(executor, ids[0])) == [(1, float(size // 2 * 2))]
    assert hub.count("commit") == commits == (1 if size > 500_000 else 0)


def test_files_go_along_and_secrets_of_the_folder_do_not(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    attempt = spec("import os; print('FILES', sorted(os.listdir('data')))", files=["data"])
    data = attempt.folder / "data"
    (data / "__pycache__").mkdir(parents=True)
    for name in ("a.txt", ".env", "__pycache__/x.pyc"):
        (data / name).write_text("1")

    job_id = executor.submit(attempt, reservation(attempt))
    ended(executor, job_id)

    assert "FILES ['a.txt']" in whole_log(executor, job_id)


def test_a_token_goes_nowhere_unless_the_program_asks_for_it(
    hub: Hub, executor: HfExecutor, spec: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "wandb-secret-value")
    script = "import os; print('HAS', 'HF_TOKEN' in os.environ, 'WANDB_API_KEY' in os.environ)"
    without, with_it = spec(script), spec(script, secrets=["HF_TOKEN", "WANDB_API_KEY"], trial=2)

    ids = [executor.submit(s, reservation(s)) for s in (without, with_it)]
    for job_id in ids:
        ended(executor, job_id)

    assert "HAS False False" in whole_log(executor, ids[0])
    assert "HAS True True" in whole_log(executor, ids[1])
    shown = json.dumps([hub.jobs.document(job) for job in hub.jobs.all])
    assert hub.token not in shown
    assert "wandb-secret-value" not in shown


def test_a_token_written_into_the_environment_is_refused_before_anything_is_sent(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    attempt = spec(SAYS_A_LOSS, env={"MY_TOKEN": hub.token})

    with pytest.raises(NothingCreatedError, match="secret"):
        executor.submit(attempt, reservation(attempt))

    assert hub.count("submit") == 0


def test_a_job_carries_the_pinned_labels_and_its_reservation(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    attempt = spec(SAYS_A_LOSS, trial=3)
    paid = reservation(attempt, timeout_s=777.9)

    executor.submit(attempt, paid)

    body = hub.jobs.all[0].body
    assert {key: value for key, value in body["labels"].items() if key != "name"} == {
        "sweeper-study": "digits",
        "sweeper-uid": UID,
        "sweeper-purpose": f"{UID}-3-1",
    }
    assert body["environment"]["SWEEPER_RESERVATION"] == paid.nonce
    assert (body["flavor"], body["timeoutSeconds"], body["attempts"]) == ("t4-small", 777, 1)


def test_params_reach_the_script_in_all_four_ways(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    scripts = {
        "args": "import sys; print('GOT', sys.argv[1:])",
        "env": "import os; print('GOT', [os.environ['lr'], os.environ['x']])",
        "json": "import os; print('GOT', os.environ['SWEEPER_PARAMS'])",
        "constants": "# ü\nlr = 1\nother = 5\nx = 2\nprint('GOT', lr, other, x)",
    }
    wanted = {
        "args": "GOT ['--lr', '0.003', '--x', 'a b']",
        "env": "GOT ['0.003', 'a b']",
        "json": 'GOT {"lr": 0.003, "x": "a b"}',
        "constants": "GOT 0.003 5 a b",
    }
    for way, script in scripts.items():
        attempt = spec(script, parameters=way, params={"lr": 0.003, "x": "a b"})
        job_id = executor.submit(attempt, reservation(attempt))
        ended(executor, job_id)
        log = whole_log(executor, job_id)
        assert any(line.endswith(wanted[way]) for line in log), way


def test_a_launcher_stands_in_front_of_the_script(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    attempt = spec("import sys; print('FLAGS', sys.flags.optimize)", launcher=["python", "-OO"])

    job_id = executor.submit(attempt, reservation(attempt))
    ended(executor, job_id)

    assert "FLAGS 2" in whole_log(executor, job_id)


def test_a_volume_is_mounted_as_the_program_writes_it(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    repo = hub.repos.add("dataset", "me/data")
    repo.commit("main", {"train/a.txt": b"hello"}, "data")
    attempt = spec(
        "import sys; print('READ', open(sys.argv[1]).read())",
        args=["/data/train/a.txt"],
        volumes=["hf://datasets/me/data:/data:ro"],
    )

    job_id = executor.submit(attempt, reservation(attempt))
    ended(executor, job_id)

    log = whole_log(executor, job_id)
    assert hub.jobs.all[0].body["volumes"][0]["source"] == "me/data"
    assert hub.jobs.all[0].body["volumes"][0]["readOnly"] is True
    assert any("READ" in line or "Error" in line for line in log)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"status": 400}, NothingCreatedError),
        ({"status": 401}, AccountError),
        ({"status": 402}, AccountError),
        ({"status": 403}, AccountError),
        ({"status": 404}, NothingCreatedError),
        ({"status": 408}, OutcomeUnknownError),
        ({"status": 409}, NothingCreatedError),
        ({"status": 429, "retry_after": 7}, UnavailableError),
        ({"status": 500}, OutcomeUnknownError),
        ({"status": 503, "after": True}, OutcomeUnknownError),
    ],
)
def test_a_refused_submission_says_what_became_of_it(
    hub: Hub, executor: HfExecutor, spec: Make, settings: dict[str, Any], error: type[Exception]
) -> None:
    hub.faults.arm("status", route="submit", **settings)
    attempt = spec(SAYS_A_LOSS)

    with pytest.raises(error) as raised:
        executor.submit(attempt, reservation(attempt))

    assert hub.count("submit") == 1
    if isinstance(raised.value, UnavailableError):
        assert raised.value.retry_after_s == 7
    if isinstance(raised.value, AccountError):
        assert f"{hub.endpoint}/settings/" in str(raised.value.hint)


def test_a_job_whose_answer_was_lost_is_found_by_its_purpose_and_reservation(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    hub.faults.arm("lost_response", route="submit")
    attempt = spec(SAYS_A_LOSS)
    paid = reservation(attempt)

    with pytest.raises(OutcomeUnknownError):
        executor.submit(attempt, paid)

    found = executor.matches(paid.purpose)
    assert [job.reservation for job in found] == [paid.nonce]
    assert executor.find(paid.purpose) == hub.jobs.all[0].id
    assert executor.find("digits/1/2") is None


def test_an_answer_after_the_deadline_leaves_the_outcome_unknown(
    hub: Hub, executor: HfExecutor, spec: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import get_session

    monkeypatch.setattr(get_session(), "_timeout", __import__("httpx2").Timeout(0.3))
    hub.faults.arm("delay", route="submit", seconds=1.0)
    attempt = spec(SAYS_A_LOSS)

    with pytest.raises(OutcomeUnknownError):
        executor.submit(attempt, reservation(attempt))

    until(lambda: executor.find("digits/1/1"))


def test_a_hub_that_cannot_be_reached_created_nothing(
    hub: Hub, executor: HfExecutor, spec: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = spec(SAYS_A_LOSS)
    executor.prepare(attempt)
    executor.connection.api.endpoint = "http://127.0.0.1:9"

    with pytest.raises(UnavailableError):
        executor.submit(attempt, reservation(attempt))


def test_all_jobs_are_polled_with_one_request(hub: Hub, executor: HfExecutor, spec: Make) -> None:
    ids = [
        executor.submit(s, reservation(s)) for s in (spec(SAYS_A_LOSS, trial=n) for n in range(5))
    ]
    before = len(hub.requests)

    reports = executor.poll(ids)

    assert set(reports) == set(ids)
    assert len(hub.requests) == before + 1


def test_a_listing_in_pages_is_read_no_further_than_needed(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    hub.page_size = 2
    ids = [
        executor.submit(s, reservation(s)) for s in (spec(SAYS_A_LOSS, trial=n) for n in range(5))
    ]

    assert set(executor.poll(ids)) == set(ids)
    before = hub.count("list")
    executor.poll(ids[-1:])

    assert hub.count("list") == before + 1


def test_a_job_that_the_listing_lacks_is_asked_for_itself(
    hub: Hub, executor: HfExecutor, spec: Make
) -> None:
    hub.faults.arm("list_lag", seconds=1e6, times=-1)
    attempt = spec(SAYS_A_LOSS)

    job_id = executor.submit(attempt, reservation(attempt))

    assert job_id in executor.poll([job_id])
    assert "0" * 24 not in executor.poll([job_id, "0" * 24])


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
        executor.poll([job_id])

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


def test_whose_token_it_is_is_asked_once_for_all_processes(hub: Hub) -> None:
    from sweeper.jobs.hf.connection import connect

    assert [connect().namespace for _ in range(9)] == ["me"] * 9
    assert hub.count("whoami") == 1
