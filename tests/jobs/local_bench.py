"""A local executor with scripts to run, and ways to look at and kill what it started."""

from __future__ import annotations

import textwrap
from pathlib import Path

from sweeper.jobs import runner
from sweeper.jobs.local import LocalExecutor
from sweeper.program import Training
from sweeper.state.ledger import Reservation
from tests.jobs.contract import STUDY
from tests.jobs.contract import UID
from tests.jobs.contract import Bench
from tests.jobs.contract import job_spec

SCRIPTS = {
    "completes": "for step in range(1, 6):\n    print(f'step={step} loss={1 / step}')",
    "fails": "raise SystemExit(3)",
    "endless": "import time\nprint('loss=1.0')\ntime.sleep(600)",
}


class LocalBench(Bench):
    """Runs scripts that tests write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.executor: LocalExecutor = self.reopen()
        self.paid: list[Reservation] = []

    def reopen(self) -> LocalExecutor:
        """Return a fresh executor of the same study."""
        return LocalExecutor(
            self.folder / "runs", UID, STUDY, device_locks=self.folder / "device-locks"
        )

    def submit(self, kind: str, paid: Reservation) -> str:
        """Submit a job of that kind."""
        return self.run(SCRIPTS[kind], paid, name=f"{kind}.py")

    def run(
        self, script: str, paid: Reservation, *, name: str = "train.py", **training: object
    ) -> str:
        """Submit a script that is written for it."""
        (self.folder / name).write_text(textwrap.dedent(script), encoding="utf-8")
        return self.give(paid, Training(script=name, **training))

    def give(self, paid: Reservation, training: Training) -> str:
        """Submit what a Training block says."""
        self.paid.append(paid)
        return self.executor.submit(job_spec(self.folder, training, paid), paid)

    def job_folder(self, paid: Reservation) -> Path:
        """Return where an attempt's files lie."""
        return job_spec(self.folder, Training(script="train.py"), paid).job_folder

    def group(self, paid: Reservation) -> int:
        """Return the script's process group, once it has been let go."""
        self.until(lambda: runner.read(str(self.job_folder(paid)), runner.GROUP))
        return runner.read(str(self.job_folder(paid)), runner.GROUP)["pgid"]

    def runner_of(self, paid: Reservation) -> int:
        """Return the process id of a job's runner."""
        return runner.read(str(self.job_folder(paid)), runner.CLAIM)["pid"]

    def clean_up(self) -> None:
        """End whatever a test has left."""
        for paid in self.paid:
            runner.end_bearers(paid.nonce)


def bearers(paid: Reservation) -> list[int]:
    """Return the processes that bear a reservation."""
    mark = f"SWEEPER_RESERVATION={paid.nonce}".encode()
    found = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in found if mark in runner._environment(pid)]
