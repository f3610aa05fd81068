"""One job outside a sweep: booked before it is sent, sent once, settled in the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeper import program
from sweeper.state import approval
from sweeper.state import studies
from sweeper.state.approval import Covers
from sweeper.state.database import open_database
from sweeper.state.database import sqlite_url
from sweeper.state.ledger import JobRow
from sweeper.state.ledger import Ledger
from sweeper.task.door import main
from sweeper.task.request import raw_address
from tests.doubles.hub.fixtures import loopback
from tests.doubles.hub.server import Hub

PRICE = 167  # cpu-basic, micro-dollars a minute


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with loopback(monkeypatch, tmp_path) as double:
        yield double


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SWEEPER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SWEEPER_SETTLE_WINDOW_S", "0.3")
    monkeypatch.delenv("SWEEPER_STORAGE", raising=False)
    monkeypatch.chdir(tmp_path)


def rows(path: Path | None = None) -> list[JobRow]:
    """Everything that is booked, oldest first."""
    database = open_database(sqlite_url(path or Path("home/tasks.db")))
    try:
        found = [
            row
            for study in studies.everything(database)
            for row in Ledger(database, study.uid).jobs()
        ]
    finally:
        database.close()
    return found


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_script_is_run_followed_and_settled(
    hub: Hub,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "train.py").write_text("import sys; print('GOT', sys.argv[1:])")

    code = main(
        ["run", "--script", "train.py", "--script-arg=--lr", "--script-arg=a b", "--timeout",
         "2m30s", "--dep", "torch>=2.4", "--env", "MODE=x=y", "--secret", "HF_TOKEN",
         "--secret", "OTHER=secret-value"]
    )  # fmt: skip

    assert code == 0
    assert "GOT ['--lr', 'a b']" in capsys.readouterr().out
    (row,) = rows()
    assert (row.state, row.outcome, row.cost_micro_usd) == ("settled", "complete", PRICE)
    body = hub.jobs.all[0].body
    assert (body["timeoutSeconds"], body["flavor"]) == (150, "cpu-basic")
    assert body["environment"]["MODE"] == "x=y"
    assert body["environment"]["SWEEPER_RESERVATION"] == row.reservation
    assert body["secrets"] == {"HF_TOKEN": hub.token, "OTHER": "secret-value"}


def test_money_is_reserved_for_the_timeout_and_the_slack_before_anything_is_sent(
    hub: Hub,
    tmp_path: Path,
) -> None:
    hub.faults.arm("status", route="submit", status=402)

    assert main(["run", "--script-inline", "print()", "--timeout", "10m"]) == 1

    (row,) = rows()
    assert (row.state, row.reserved_micro_usd) == ("given_back", 12 * PRICE)


def test_a_command_runs_in_its_image_as_it_is(
    hub: Hub,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "--image", "alpine", "--", "sh", "-c", "echo hello; exit 3"]) == 1

    assert "hello" in capsys.readouterr().out
    body = hub.jobs.all[0].body
    assert (body["dockerImage"], body["command"][0]) == ("alpine", "sh")
    assert rows()[0].outcome == "failed"


def test_a_script_behind_an_address_is_fetched_without_the_token(
    hub: Hub,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.repos.add("model", "me/scripts").commit("main", {"a.py": b"print('FETCHED')"}, "x")

    assert main(["run", "--script-url", f"{hub.endpoint}/me/scripts/resolve/main/a.py"]) == 0

    assert "FETCHED" in capsys.readouterr().out
    fetched = next(r for r in hub.requests if r.route == "resolve")
    assert "authorization" not in fetched.headers


def test_pages_that_show_a_file_are_taken_as_the_file() -> None:
    assert raw_address("https://github.com/o/r/blob/main/a.py") == (
        "https://raw.githubusercontent.com/o/r/main/a.py"
    )
    assert raw_address("https://huggingface.co/o/r/blob/main/a.py") == (
        "https://huggingface.co/o/r/resolve/main/a.py"
    )


def test_what_no_wait_left_open_is_settled_by_the_next_command(
    hub: Hub,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "--script-inline", "print()", "--no-wait", "--json"]) == 0
    job_id = said(capsys)["job_id"]
    assert rows()[0].state == "submitted"
    hub.jobs.all[0].done.wait(10)

    assert main(["list", "--all", "--json"]) == 0

    assert [job["id"] for job in said(capsys)] == [job_id]
    assert (rows()[0].state, rows()[0].cost_micro_usd) == ("settled", PRICE)


@pytest.mark.parametrize("fault", ["lost_response", "status"])
def test_a_lost_answer_is_looked_for_and_never_sent_twice(hub: Hub, fault: str) -> None:
    hub.faults.arm(fault, route="submit", after=True, status=500)

    assert main(["run", "--script-inline", "print()"]) == 0

    assert len(hub.jobs.all) == hub.count("submit") == 1
    assert rows()[0].job_id == hub.jobs.all[0].id


def test_an_answer_that_stays_lost_keeps_its_money_until_it_is_known(
    hub: Hub,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.faults.arm("lost_response", route="submit", times=1)
    hub.faults.arm("status", route="submit", status=503, times=2)
    hub.faults.arm("list_lag", seconds=1e6, times=-1)

    assert main(["run", "--script-inline", "print()"]) == 1
    assert rows()[0].state == "submitting"
    hub.faults.clear()
    hub.jobs.all[0].done.wait(10)
    assert main(["list"]) == 0

    (row,) = rows()
    assert (row.state, row.job_id) == ("settled", hub.jobs.all[0].id)


def test_a_job_that_vanished_costs_its_worst_case_until_the_bill_says_otherwise(
    hub: Hub,
) -> None:
    hub.faults.arm("vanish", when="running", lines=1)
    hub.faults.arm("status", route="usage", status=500)
    script = "import time; print('x', flush=True); time.sleep(60)"

    assert main(["run", "--script-inline", script, "--timeout", "10m"]) == 1
    (row,) = rows()
    assert (row.cost_micro_usd, row.estimated) == (12 * PRICE, 1)

    assert main(["run", "--script-inline", "print()", "--no-wait"]) == 0
    hub.jobs.all[1].done.wait(10)
    assert main(["list"]) == 0

    corrected = rows()[0]
    assert (corrected.cost_micro_usd, corrected.estimated) == (PRICE, 0)


def test_logs_are_cut_to_their_end(
    hub: Hub,
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["run", "--script-inline", "for i in range(50): print('line', i)"])
    job_id = hub.jobs.all[0].id
    capsys.readouterr()

    assert main(["logs", job_id, "--tail", "3", "--json"]) == 0
    assert said(capsys)["lines"][:2] == ["line 48", "line 49"]
    assert main(["logs", job_id, "--tail", "0"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 51
    assert main(["inspect", job_id, "--json"]) == 0
    assert said(capsys)[0]["status"]["stage"] == "COMPLETED"


def test_cancelling_stops_the_billing_and_settles(
    hub: Hub,
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["run", "--script-inline", "import time; time.sleep(60)", "--no-wait", "--json"])
    job_id = said(capsys)["job_id"]

    assert main(["cancel", job_id]) == 0
    hub.jobs.all[0].done.wait(10)
    main(["list"])

    assert (rows()[0].state, rows()[0].ended_by) == ("settled", "person")


def test_an_unknown_job_is_said_in_a_sentence(
    hub: Hub,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["inspect", "0" * 24, "--json"]) == 1
    assert said(capsys)["error"]["message"] == f"There is no job {'0' * 24} in me."


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["run"], "Nothing is to be run"),
        (["run", "--script", "none.py"], "none.py is not a file"),
        (["run", "--script-inline", "1", "--", "ls"], "cannot both run"),
        (["run", "--script-inline", "1", "--timeout", "1w"], "1w"),
        (["run", "--script-inline", "1", "--env", "NOVALUE"], "lacks its value"),
        (["run", "--script-inline", "1", "--flavor", "zero-a10g"], "zero-a10g"),
        (["run", "--script-inline", "1", "--secret", "NOT_SET"], "NOT_SET"),
        (["run", "--script-url", "file:///etc/passwd"], "no http address"),
    ],
)
def test_wrong_input_is_refused_and_nothing_is_sent(
    hub: Hub,
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    sentence: str,
) -> None:
    assert main(argv) == 1

    assert sentence in capsys.readouterr().err
    assert hub.count("submit") == 0
    home = Path("home/tasks.db")
    assert not home.exists() or all(row.state == "given_back" for row in rows())


def test_flavors_come_with_live_prices(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hardware", "--json"]) == 0

    prices = {row["flavor"]: row["micro_usd_per_minute"] for row in said(capsys)}
    assert (prices["cpu-basic"], prices["t4-small"]) == (PRICE, 6667)


def test_a_scheduled_job_needs_a_person_and_no_study_pays_for_it(
    hub: Hub,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    create = ["scheduled", "run", "--schedule", "@daily", "--script-inline", "print()"]

    assert main(create) == 1
    assert "until somebody deletes it" in capsys.readouterr().err
    assert main([*create, "--yes", "--json"]) == 0
    made = said(capsys)["id"]
    for verb in ("inspect", "suspend", "resume", "delete"):
        assert main(["scheduled", verb, made]) == 0
    capsys.readouterr()
    assert main(["scheduled", "list", "--json"]) == 0
    assert said(capsys) == []

    approved(tmp_path)
    assert main([*create, "--yes"]) == 1
    assert "no finite worst case" in capsys.readouterr().err


PAGE = """
## Goal
```yaml
metric: loss
direction: minimize
```
## Training
```yaml
script: train.py
secrets: [HF_TOKEN]
```
## Search space
```yaml
lr: {low: 0.1, high: 1.0}
```
## Budget envelope
```yaml
max_jobs: 1
max_walltime: 20m
max_timeout: 20m
max_cost: 1
allowed_flavors: [cpu-basic]
```
"""


def approved(folder: Path) -> str:
    """Approve a study in a folder and return its uid."""
    (folder / "train.py").write_text("print('loss=1')")
    (folder / "program.md").write_text(PAGE)
    page = program.load(folder)
    (folder / "runs").mkdir(exist_ok=True)
    database = open_database(sqlite_url(folder / "runs" / "sweep.db"))
    uid = studies.new_uid()
    studies.create(
        database, uid=uid, name="s", folder=str(folder), metric="loss", direction="minimize",
        program_sha256=page.sha256, space="{}",
    )  # fmt: skip
    covers = Covers(
        envelope=page.envelope().as_document(), executor="hf", secrets=["HF_TOKEN"], namespace=None
    )
    approval.record(database, uid, covers, "a person", database.now())
    found = approval.current(database, uid)
    assert found is not None
    approval.write_projection(folder / "runs" / "approval.json", uid, found)
    database.close()
    return uid


def test_beside_a_program_its_envelope_pays_and_refuses(
    hub: Hub,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    uid = approved(tmp_path)
    run = ["run", "--script-inline", "print()"]

    assert main([*run, "--timeout", "30m"]) == 1
    assert "The budget that is left covers 20m" in capsys.readouterr().err
    assert main([*run, "--timeout", "5m", "--flavor", "t4-small"]) == 1
    assert main([*run, "--timeout", "5m", "--secret", "OTHER=x"]) == 1
    assert main([*run, "--timeout", "5m", "--namespace", "my-org"]) == 1
    assert hub.count("submit") == 0
    assert main([*run, "--timeout", "5m"]) == 0
    assert main([*run, "--timeout", "5m"]) == 1
    assert "max_jobs" in capsys.readouterr().err

    booked = [row for row in rows(tmp_path / "runs" / "sweep.db") if row.state == "settled"]
    assert [(row.uid, row.trial, row.cost_micro_usd) for row in booked] == [(uid, None, PRICE)]
    assert not Path("home/tasks.db").exists()
    assert len(hub.jobs.all) == 1


def test_an_unapproved_program_pays_for_nothing(
    hub: Hub,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "train.py").write_text("print('loss=1')")
    (tmp_path / "program.md").write_text(PAGE)

    assert main(["run", "--script-inline", "print()"]) == 1

    assert "Nobody has approved" in capsys.readouterr().err
    assert hub.count("submit") == 0


def test_the_door_is_a_script_that_answers_help() -> None:
    import subprocess

    door = Path(__file__).parents[1] / "scripts" / "hf_jobs.py"
    answer = subprocess.run(
        [sys.executable, str(door), "run", "--help"], capture_output=True, text=True, check=True
    )

    for flag in ("--script-url", "--hardware-flavor", "--no-wait", "--secret", "--namespace"):
        assert flag in answer.stdout
