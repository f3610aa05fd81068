"""The executor of Hugging Face Jobs keeps what every executor owes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeper.jobs.executor import Stage
from sweeper.jobs.hf.connection import connect
from sweeper.jobs.hf.executor import HfExecutor
from sweeper.program import Training
from sweeper.state.ledger import Reservation
from tests.doubles.hub.server import Hub
from tests.jobs.contract import STUDY
from tests.jobs.contract import UID
from tests.jobs.contract import Bench
from tests.jobs.contract import ExecutorContract
from tests.jobs.contract import job_spec
from tests.jobs.contract import reservation

SCRIPTS = {
    "completes": "for i in range(4): print(f'step={i} loss={1 / (i + 1)}', flush=True)",
    "fails": "print('loss=1', flush=True); raise SystemExit(4)",
    "endless": "import time; print('loss=1', flush=True); time.sleep(600)",
}


class HfBench(Bench):
    """Jobs on the loopback Hub."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: list[HfExecutor] = []
        self.executor: HfExecutor = self.reopen()

    def reopen(self) -> HfExecutor:
        opened = HfExecutor(connect(namespace="me"), uid=UID, study=STUDY)
        self._opened.append(opened)
        return opened

    def submit(self, kind: str, paid: Reservation) -> str:
        folder = self._folder / kind
        folder.mkdir(exist_ok=True)
        (folder / "train.py").write_text(SCRIPTS[kind])
        spec = job_spec(folder, Training(script="train.py"), paid)
        object.__setattr__(paid, "flavor", "t4-small")
        return self.executor.submit(spec, paid)

    def reads(self, job_id: str) -> list[str]:
        """Lines come a moment later than they are asked for; of an ended job all of them."""

        def said() -> bool:
            ended = self.report(job_id).stage.terminal
            tail = self.executor.tail(job_id, "")
            return tail.complete or bool(tail.lines and not ended)

        self.until(said)
        return self.executor.tail(job_id, "").lines

    def close(self) -> None:
        for opened in self._opened:
            opened.close()


class TestHf(ExecutorContract):
    """What the platform cannot do is said in the tests that stand in for the contract's."""

    @pytest.fixture
    def bench(self, hub: Hub, tmp_path: Path) -> Iterator[HfBench]:
        opened = HfBench(tmp_path)
        yield opened
        opened.close()

    def test_a_job_that_fails_is_an_error_with_its_exit_code(self, bench: HfBench) -> None:  # type: ignore[override]
        """The platform names no exit code; the runner's last line does, once the log was read."""
        job = bench.submit("fails", reservation())
        assert bench.ended(job).stage is Stage.ERROR

        bench.reads(job)

        assert bench.report(job).exit_code == 4

    def test_the_same_reservation_never_starts_a_second_job(self, bench: HfBench) -> None:  # type: ignore[override]
        """The platform has no idempotency key, so whoever is to submit again looks first."""
        paid = reservation()
        job = bench.submit("endless", paid)
        bench.executor = bench.reopen()

        found = bench.executor.matches(paid.purpose)

        assert [(f.job_id, f.reservation) for f in found] == [(job, paid.nonce)]
        bench.executor.cancel(job)
        bench.ended(job)
        assert bench.executor.find(paid.purpose) == job

    def test_every_line_comes_once_and_the_last_tail_says_so(self, bench: HfBench) -> None:  # type: ignore[override]
        """The end of a job is told by its stage: polled for, never read off the stream."""
        job = bench.submit("completes", reservation())
        cursor, lines, complete = "", [], False
        while not complete:
            bench.report(job)
            new = bench.executor.tail(job, cursor)
            lines, cursor, complete = lines + new.lines, new.cursor, new.complete
            bench.pass_time()

        assert lines == bench.reads(job)
        assert bench.report(job).stage.terminal

    def test_another_conductor_finds_the_job_and_reads_on(self, bench: HfBench) -> None:  # type: ignore[override]
        """The rest of a log comes in as many turns as it takes."""
        job = bench.submit("endless", reservation())
        bench.until(lambda: bench.reads(job))
        first = bench.executor.tail(job, "")
        bench.executor = bench.reopen()

        assert bench.report(job).stage is Stage.RUNNING
        bench.executor.cancel(job)
        bench.ended(job)
        rest, cursor, complete = [], first.cursor, False
        while not complete:
            bench.report(job)
            tail = bench.executor.tail(job, cursor)
            rest, cursor, complete = rest + tail.lines, tail.cursor, tail.complete
            bench.pass_time()
        assert first.lines + rest == bench.reads(job)
