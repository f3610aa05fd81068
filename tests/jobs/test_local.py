"""Local jobs keep the contract, outlive their conductor and are ended whole."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest

from sweeper.errors import NothingCreatedError
from sweeper.errors import ScriptError
from sweeper.errors import UnavailableError
from sweeper.jobs import runner
from sweeper.jobs.executor import Stage
from sweeper.program import Training
from tests.jobs.contract import ExecutorContract
from tests.jobs.contract import job_spec
from tests.jobs.contract import reservation
from tests.jobs.local_bench import LocalBench
from tests.jobs.local_bench import bearers


@pytest.fixture
def bench(local: LocalBench) -> LocalBench:
    """The local executor, for the contract."""
    return local


class TestContract(ExecutorContract):
    """The contract, over real processes."""


def test_a_script_runs_in_the_programs_folder_with_what_it_was_promised(local: LocalBench) -> None:
    """Arguments, variables, an output folder that exists."""
    paid = reservation(4, "2")
    script = """
        import json, os, sys
        names = [n for n in os.environ if n.startswith("SWEEPER_")]
        print(json.dumps({n: os.environ[n] for n in names}))
        print(os.getcwd(), os.path.isdir(os.environ["SWEEPER_OUTPUT_DIR"]), sys.argv[1:])
    """
    job = local.run(script, paid, args=["--out", "{output_dir}"])
    local.ended(job)
    environment, line = local.reads(job)
    output = local.job_folder(paid) / "output"

    said = json.loads(environment)
    assert json.loads(said["SWEEPER_PARAMS"]) == {"lr": 0.1}
    assert (said["SWEEPER_TRIAL"], said["SWEEPER_ATTEMPT"], said["SWEEPER_SEED"]) == (
        "4",
        "2",
        "7",
    )
    assert said["SWEEPER_RESERVATION"] == paid.nonce
    assert line == f"{local.folder} True ['--out', '{output}', '--lr', '0.1']"


def test_no_file_of_a_job_holds_a_secret(
    local: LocalBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logs and specs stay for the audit."""
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    paid = reservation()
    local.ended(local.run("pass", paid, secrets=["HF_TOKEN"]))

    files = [path for path in local.job_folder(paid).rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert not any(b"hf_very_secret" in path.read_bytes() for path in files)


def test_every_file_of_a_job_bears_uid_and_reservation(local: LocalBench) -> None:
    """So that a copied folder's are told apart."""
    paid = reservation()
    job = local.submit("endless", paid)
    local.group(paid)
    local.executor.cancel(job)
    local.ended(job)

    for name in (runner.SPEC, runner.CLAIM, runner.GROUP, runner.CANCEL, runner.EXIT):
        document = runner.read(str(local.job_folder(paid)), name)
        assert (document["uid"], document["reservation"]) == (paid.uid, paid.nonce), name


def test_a_program_that_cannot_be_started_says_so_in_the_log(local: LocalBench) -> None:
    """Where a person looks."""
    paid = reservation()
    job = local.give(paid, Training(command=["no-such-program-here"]))
    report = local.ended(job)

    assert (report.stage, report.exit_code) == (Stage.ERROR, 127)
    assert "no-such-program-here" in local.reads(job)[0]


def test_a_script_that_is_missing_is_said_before_anything_starts(local: LocalBench) -> None:
    """And leaves no job behind."""
    paid = reservation()
    with pytest.raises(ScriptError, match=r"nowhere\.py"):
        local.give(paid, Training(script="nowhere.py"))

    assert local.executor.find(paid.purpose) is None


def test_the_memory_and_the_seconds_of_a_job_are_noted(local: LocalBench) -> None:
    """As the kernel counts them."""
    paid = reservation()
    report = local.ended(local.run("import time; x = b'x' * 50_000_000; time.sleep(0.2)", paid))

    assert runner.read(str(local.job_folder(paid)), runner.EXIT)["max_rss_bytes"] > 50_000_000
    assert 0.2 <= report.running_s < 10


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_script_killed_from_outside_is_an_error_with_that_signal(
    local: LocalBench, number: int
) -> None:
    """The conductor takes it for a lost attempt."""
    paid = reservation()
    job = local.submit("endless", paid)
    local.until(lambda: local.reads(job))
    os.kill(local.group(paid), number)
    report = local.ended(job)

    assert (report.stage, report.signal, report.exit_code) == (Stage.ERROR, number, None)


def test_a_runner_asked_to_end_by_somebody_else_ends_its_script_and_says_so(
    local: LocalBench,
) -> None:
    """A machine that shuts down asks in this way."""
    paid = reservation()
    job = local.submit("endless", paid)
    local.until(lambda: local.reads(job))
    os.kill(local.runner_of(paid), signal.SIGTERM)
    report = local.ended(job)

    assert (report.stage, report.signal) == (Stage.ERROR, signal.SIGTERM)
    local.until(lambda: bearers(paid) == [])


def test_a_script_that_ignores_the_request_is_killed_after_its_grace(local: LocalBench) -> None:
    """Money and devices do not wait for it."""
    paid = reservation()
    script = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready"); time.sleep(600)
    """
    job = local.run(script, paid)
    local.until(lambda: local.reads(job))
    local.executor.cancel(job)

    report = local.ended(job)
    assert (report.stage, report.signal) == (Stage.CANCELED, signal.SIGKILL)


def test_a_script_that_tidies_up_on_request_is_cancelled_all_the_same(local: LocalBench) -> None:
    """Its exit code 0 does not make a cut run complete."""
    script = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("saved") or 0))
        print("ready"); time.sleep(600)
    """
    job = local.run(script, reservation())
    local.until(lambda: local.reads(job))
    local.executor.cancel(job)
    report = local.ended(job)

    assert (report.stage, report.exit_code) == (Stage.CANCELED, 0)
    assert local.reads(job) == ["ready", "saved"]


@pytest.mark.parametrize("own_session", [False, True], ids=["same group", "session of its own"])
def test_what_a_script_leaves_behind_ends_with_it(local: LocalBench, own_session: bool) -> None:
    """In its group or out of it."""
    paid = reservation()
    script = f"""
        import subprocess, sys
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        subprocess.Popen(command, start_new_session={own_session})
    """
    report = local.ended(local.run(script, paid))

    assert report.stage is Stage.COMPLETED
    local.until(lambda: bearers(paid) == [])


def test_a_job_goes_on_when_the_conductors_whole_session_is_killed(local: LocalBench) -> None:
    """It has a session and a group of its own."""
    paid = reservation()
    local.submit("endless", paid)
    group = local.group(paid)

    assert os.getsid(group) not in (os.getsid(0), 0)
    assert os.getpgid(group) == group != os.getpgid(0)


def test_many_submissions_of_one_reservation_at_once_start_one_script(local: LocalBench) -> None:
    """The claim decides, and all get the same id."""
    paid = reservation()
    script = "import os, time; open('starts', 'a').write('x'); time.sleep(0.5)"
    (local.folder / "train.py").write_text(script)
    local.paid.append(paid)
    spec = job_spec(local.folder, Training(script="train.py"), paid)
    ids: list[str] = []
    threads = [
        threading.Thread(target=lambda: ids.append(local.reopen().submit(spec, paid)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ids) == 6
    assert set(ids) == {ids[0]}
    local.ended(ids[0])
    assert (local.folder / "starts").read_text() == "x"


def test_a_folder_of_another_reservation_is_refused(local: LocalBench) -> None:
    """A copied folder must not adopt what it did not pay."""
    paid = reservation()
    local.ended(local.submit("completes", paid))
    claim = local.job_folder(paid) / runner.CLAIM
    claim.write_text(claim.read_text().replace(paid.nonce, "f" * 32))

    with pytest.raises(NothingCreatedError, match="belongs to another job"):
        LocalBench(local.folder).submit("completes", paid)


def test_jobs_of_another_uid_are_ignored(local: LocalBench) -> None:
    """Whoever put them there."""
    paid = reservation()
    job = local.submit("completes", paid)
    local.ended(job)
    claim = local.job_folder(paid) / runner.CLAIM
    claim.write_text(claim.read_text().replace(paid.uid, "00000000"))

    assert local.reopen().find(paid.purpose) is None
    assert local.reopen().poll([job]) == {}


def test_a_task_outside_a_sweep_is_found_again(local: LocalBench) -> None:
    """It has no number of a trial."""
    paid = reservation(None, "0123abcd")
    job = local.submit("completes", paid)
    local.executor = local.reopen()

    assert local.ended(job).stage is Stage.COMPLETED
    assert local.executor.find(paid.purpose) == job


def test_each_trial_gets_devices_of_its_own(
    local: LocalBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And gives them back with its end."""
    monkeypatch.setenv("SWEEPER_DEVICES", "0,1,2")
    script = "import os, time; print(os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(600)"
    first = local.run(script, reservation(0), gpus_per_trial=2)
    second = local.run(script, reservation(1), gpus_per_trial=1)
    local.until(lambda: local.reads(first) and local.reads(second))
    assert local.reads(first) + local.reads(second) == ["0,1", "2"]

    with pytest.raises(UnavailableError, match="0 of 3 are free"):
        local.run(script, reservation(2), gpus_per_trial=1)
    assert local.executor.find(reservation(2).purpose) is None

    local.executor.cancel(first)
    local.ended(first)
    third = local.run(script, reservation(2), gpus_per_trial=1)
    local.until(lambda: local.reads(third))
    assert local.reads(third) == ["0"]


def test_a_device_stays_taken_while_the_script_of_a_dead_runner_lives(
    local: LocalBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script holds it, not the runner."""
    monkeypatch.setenv("SWEEPER_DEVICES", "0")
    paid = reservation()
    local.run("import time; time.sleep(600)", paid, gpus_per_trial=1)
    local.group(paid)
    os.kill(local.runner_of(paid), signal.SIGKILL)

    with pytest.raises(UnavailableError):
        local.run("pass", reservation(1), gpus_per_trial=1)


def test_no_device_at_all_is_said_with_the_way_out(
    local: LocalBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than training on the processor."""
    monkeypatch.setenv("SWEEPER_DEVICES", "")
    with pytest.raises(NothingCreatedError, match="SWEEPER_DEVICES") as caught:
        local.run("pass", reservation(), gpus_per_trial=1)

    assert caught.value.hint
