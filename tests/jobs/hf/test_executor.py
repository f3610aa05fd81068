"""A job as Hugging Face runs it, through the real client and a strict Hub."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
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
    header = (
        '# /// script\n# requires-python = ">=3.11"\n'
        '# dependencies = ["trl", "peft>=0.18"]\n# ///\n'
    )
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
