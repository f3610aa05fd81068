"""The played executor keeps the contract, survives restarts and meets the faults it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.errors import NothingCreatedError
from sweeper.errors import OutcomeUnknownError
from sweeper.jobs.dry import DryExecutor
from sweeper.jobs.dry import Fault
from sweeper.jobs.dry import curve
from sweeper.jobs.executor import Stage
from sweeper.jobs.metrics import MetricReader
from sweeper.program import Training
from sweeper.state.ledger import Reservation
from tests.jobs.contract import STUDY
from tests.jobs.contract import UID
from tests.jobs.contract import Bench
from tests.jobs.contract import ExecutorContract
from tests.jobs.contract import job_spec
from tests.jobs.contract import reservation

KINDS: dict[str, dict[Fault, int]] = {
    "completes": {},
    "fails": {"crash": 1},
    "endless": {"stall": 1},
}


class DryBench(Bench):
    """A dry executor whose clock moves only when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 1_000_000.0
        self.executor: DryExecutor = self.reopen()

    def reopen(self) -> DryExecutor:
        """Return a fresh executor over the same file."""
        return DryExecutor(self.folder / "runs", UID, STUDY, clock=lambda: self.now)

    def submit(self, kind: str, paid: Reservation) -> str:
        """Submit a job of that kind."""
        self.executor.faults = dict(KINDS[kind])
        return self.give(paid)

    def give(self, paid: Reservation, training: Training | None = None) -> str:
        """Submit with the faults that are on."""
        training = training or Training(script="train.py")
        return self.executor.submit(job_spec(self.folder, training, paid), paid)

    def pass_time(self) -> None:
        """Move the clock."""
        self.now += 0.1


@pytest.fixture
def bench(tmp_path: Path) -> DryBench:
    """A dry executor with a clock of its own."""
    return DryBench(tmp_path)


class TestContract(ExecutorContract):
    """The contract, over played jobs."""


def test_a_curve_depends_on_its_parameters_and_seed_alone() -> None:
    """A rehearsal can be repeated."""
    params = {"lr": 1e-3, "rank": 8, "scheduler": "cosine", "peft": None, "warm": True}

    assert curve(params, 1, 0.5) == curve(dict(params), 1, 0.5)
    assert curve(params, 1, 0.5) != curve(params, 2, 0.5)
    assert curve(params, 1, 0.5) != curve({**params, "lr": 1e-2}, 1, 0.5)
    assert curve(params, 1, 0.05) > curve(params, 1, 1.0)


def test_a_refused_submission_makes_no_job(bench: DryBench) -> None:
    """Also not in the file."""
    bench.executor.faults = {"refuse": 1}
    paid = reservation()
    with pytest.raises(NothingCreatedError):
        bench.give(paid)

    assert bench.executor.matches(paid.purpose) == []
    assert bench.reopen().find(paid.purpose) is None


def test_a_job_whose_answer_was_lost_is_found(bench: DryBench) -> None:
    """By its purpose, by the next conductor."""
    bench.executor.faults = {"lose answer": 1}
    paid = reservation()
    with pytest.raises(OutcomeUnknownError):
        bench.give(paid)

    assert bench.reopen().find(paid.purpose) == bench.give(paid)


def test_a_duplicate_bears_the_same_reservation_and_is_the_younger(bench: DryBench) -> None:
    """Both can be seen, to be booked."""
    bench.executor.faults = {"duplicate": 1}
    paid = reservation()
    job = bench.give(paid)
    found = bench.executor.matches(paid.purpose)

    assert [each.reservation for each in found] == [paid.nonce] * 2
    assert found[0].job_id == job
    assert len(bench.executor.poll([each.job_id for each in found])) == 2


def test_a_vanished_job_is_absent_from_reports(bench: DryBench) -> None:
    """After half of its curve."""
    bench.executor.faults = {"vanish": 1}
    job = bench.give(reservation())
    assert bench.report(job).stage is Stage.RUNNING
    bench.until(lambda: not bench.executor.poll([job]))


def test_a_diverging_job_reports_nan(bench: DryBench) -> None:
    """In the second half of its curve."""
    bench.executor.faults = {"diverge": 1}
    job = bench.give(reservation())
    bench.ended(job)
    reader = MetricReader("loss")
    values = [reading.value for line in bench.reads(job) for reading in reader.feed(line)]

    assert values[0] == values[0]
    assert values[-1] != values[-1]


def test_readings_end_at_the_end_of_the_axis(bench: DryBench) -> None:
    """Twenty of them, whatever the axis."""
    training = Training(script="train.py", resource={"name": "epoch", "max": 3})
    job = bench.give(reservation(), training)
    bench.ended(job)
    reader = MetricReader("loss", "epoch")
    steps = [reading.step for line in bench.reads(job) for reading in reader.feed(line)]

    assert steps[-1] == training.resource.scaled_max == 3000
    assert len(steps) == 20
