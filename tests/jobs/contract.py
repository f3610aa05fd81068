"""What every executor owes the conductor; each executor's test module runs this over its own."""

from __future__ import annotations

import hashlib
import itertools
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from sweeper.jobs.executor import Executor
from sweeper.jobs.executor import JobReport
from sweeper.jobs.executor import JobSpec
from sweeper.jobs.executor import Stage
from sweeper.jobs.metrics import MetricReader
from sweeper.program import Training
from sweeper.state.ledger import Reservation

UID = "9f3a01bc"
STUDY = "digits"
#: Jobs are ended by their reservation: two test runs on one machine must not share any.
_SESSION = secrets.token_hex(8)
#: Nothing that is waited for here takes longer.
PATIENCE_S = 180.0


def reservation(
    trial: int | None = 0, attempt: str = "1", *, timeout_s: float = 60.0
) -> Reservation:
    """Return a reservation as the ledger would make it; its nonce follows from its purpose."""
    purpose = f"{STUDY}/{trial}/{attempt}" if trial is not None else f"task/{attempt}"
    nonce = hashlib.md5(f"{_SESSION} {purpose}".encode()).hexdigest()
    return Reservation(
        id=1,
        uid=UID,
        purpose=purpose,
        trial=trial,
        attempt=attempt,
        nonce=nonce,
        executor="local",
        flavor="local",
        timeout_s=timeout_s,
        micro_usd_per_minute=0,
        reserved_micro_usd=0,
        params={"lr": 0.1},
        seed=7,
    )


def job_spec(folder: Path, training: Training, paid: Reservation, **changes: object) -> JobSpec:
    """Return what `paid` runs, in a study at `folder`."""
    trial = "task" if paid.trial is None else str(paid.trial)
    values: dict[str, object] = {
        "study": STUDY,
        "uid": UID,
        "trial": paid.trial,
        "attempt": paid.attempt,
        "folder": folder,
        "job_folder": folder / "runs" / "trials" / trial / f"attempt-{paid.attempt}",
        "training": training,
        "params": paid.params,
        "metric": "loss",
        "seed": paid.seed,
    }
    return JobSpec(**{**values, **changes})  # type: ignore[arg-type]


class Bench:
    """An executor with what it needs to run three kinds of jobs, and a way to let time pass.

    A job that `completes` reports `loss` three times or more, one that `fails` ends by itself and
    not well, an `endless` one reports and then only ends when it is made to.
    """

    executor: Executor

    def reopen(self) -> Executor:
        """Return the executor as the next conductor would open it."""
        raise AssertionError("each executor's own")

    def submit(self, kind: str, paid: Reservation) -> str:
        """Submit a job of that kind."""
        raise AssertionError("each executor's own")

    def pass_time(self) -> None:
        """Let a little time pass."""
        time.sleep(0.02)

    def report(self, job_id: str) -> JobReport:
        """Poll one job."""
        return self.executor.poll([job_id])[job_id]

    def until(self, condition: Callable[[], object]) -> None:
        """Let time pass until something holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            self.pass_time()

    def ended(self, job_id: str) -> JobReport:
        """Wait for a job's end and return its last report."""
        self.until(lambda: self.report(job_id).stage.terminal)
        return self.report(job_id)

    def reads(self, job_id: str) -> list[str]:
        """Return all that a job has said until now."""
        return self.executor.tail(job_id, "").lines


class ExecutorContract:
    """The claims; a subclass gives the fixture `bench`."""

    def test_a_job_that_ends_well_is_completed(self, bench: Bench) -> None:
        """With exit code 0 and its times."""
        job = bench.submit("completes", reservation())
        report = bench.ended(job)

        assert (report.stage, report.exit_code, report.signal) == (Stage.COMPLETED, 0, None)
        assert not report.timed_out
        assert report.started_at is not None
        assert report.finished_at is not None
        assert 0 <= report.running_s <= report.charged_s
        assert report.finished_at >= report.started_at

    def test_a_job_that_fails_is_an_error_with_its_exit_code(self, bench: Bench) -> None:
        """The script's own word is passed on."""
        report = bench.ended(bench.submit("fails", reservation()))

        assert report.stage is Stage.ERROR
        assert report.exit_code not in (0, None)
        assert not report.timed_out

    def test_a_job_is_cut_by_its_timeout(self, bench: Bench) -> None:
        """The timeout that was paid for, and not before."""
        report = bench.ended(bench.submit("endless", reservation(timeout_s=1.0)))

        assert (report.stage, report.timed_out) == (Stage.ERROR, True)
        assert report.running_s >= 1.0

    def test_a_cancelled_job_ends_however_often_it_is_asked(self, bench: Bench) -> None:
        """A request is repeated until the job is terminal."""
        job = bench.submit("endless", reservation())
        bench.until(lambda: bench.reads(job))
        bench.executor.cancel(job)
        bench.executor.cancel(job)

        assert bench.ended(job).stage is Stage.CANCELED

    def test_cancelling_what_has_ended_changes_nothing(self, bench: Bench) -> None:
        """A job that completes beats our wish to end it."""
        job = bench.submit("completes", reservation())
        before = bench.ended(job)
        bench.executor.cancel(job)

        assert bench.report(job) == before

    def test_unknown_jobs_are_absent_from_reports_and_not_found(self, bench: Bench) -> None:
        """Absence is an answer, not an error."""
        assert bench.executor.poll(["nobody", "local-1-1-x"]) == {}
        assert bench.executor.find(f"{STUDY}/99/1") is None
        assert bench.executor.matches(f"{STUDY}/99/1") == []

    def test_a_job_is_found_by_its_purpose_with_its_reservation(self, bench: Bench) -> None:
        """A lost answer is resolved by looking."""
        paid = reservation(3, "2")
        job = bench.submit("completes", paid)
        bench.submit("completes", reservation(3, "1"))

        assert bench.executor.find(paid.purpose) == job
        assert [(f.job_id, f.reservation) for f in bench.executor.matches(paid.purpose)] == [
            (job, paid.nonce)
        ]

    def test_the_same_reservation_never_starts_a_second_job(self, bench: Bench) -> None:
        """Neither while it runs nor after it has ended."""
        paid = reservation()
        job = bench.submit("endless", paid)
        bench.executor = bench.reopen()

        assert bench.submit("endless", paid) == job
        assert len(bench.executor.matches(paid.purpose)) == 1
        bench.executor.cancel(job)
        bench.ended(job)
        assert bench.submit("endless", paid) == job
        assert bench.report(job).stage is Stage.CANCELED

    def test_another_conductor_finds_the_job_and_reads_on(self, bench: Bench) -> None:
        """From the cursor that the first one kept."""
        job = bench.submit("endless", reservation())
        bench.until(lambda: bench.reads(job))
        first = bench.executor.tail(job, "")
        bench.executor = bench.reopen()

        assert bench.report(job).stage is Stage.RUNNING
        bench.executor.cancel(job)
        bench.ended(job)
        rest = bench.executor.tail(job, first.cursor)
        assert first.lines + rest.lines == bench.reads(job)

    def test_every_line_comes_once_and_the_last_tail_says_so(self, bench: Bench) -> None:
        """However the reading falls between the lines."""
        job = bench.submit("completes", reservation())
        cursor, lines, complete = "", [], False
        while not complete:
            new = bench.executor.tail(job, cursor)
            lines, cursor, complete = lines + new.lines, new.cursor, new.complete
            bench.pass_time()

        assert lines == bench.reads(job)
        assert bench.executor.tail(job, cursor).lines == []
        assert bench.report(job).stage.terminal

    def test_what_a_job_reports_is_read_as_the_objective(self, bench: Bench) -> None:
        """Writer and reader meet."""
        job = bench.submit("completes", reservation())
        bench.ended(job)
        reader = MetricReader("loss")
        steps = [r.step for r in itertools.chain(*map(reader.feed, bench.reads(job)))]

        assert len(steps) >= 3
        assert steps == sorted(set(steps))

    def test_jobs_of_another_study_are_not_seen(self, bench: Bench) -> None:
        """A purpose begins with its study."""
        paid = reservation()
        bench.submit("completes", paid)

        assert bench.executor.matches(f"other/{paid.trial}/{paid.attempt}") == []
