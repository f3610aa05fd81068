"""Runs trials as detached processes on this machine.

Nothing is remembered that the files of a job do not say, so a sweep that was killed finds its jobs
again. `runner.py` writes those files; looking at a job costs a file and a line of `/proc`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextlib import nullcontext
from pathlib import Path

from sweeper.errors import ExecutorError
from sweeper.errors import NothingCreatedError
from sweeper.errors import OutcomeUnknownError
from sweeper.jobs import command
from sweeper.jobs import devices
from sweeper.jobs import logfile
from sweeper.jobs import runner
from sweeper.jobs.executor import FoundJob
from sweeper.jobs.executor import JobReport
from sweeper.jobs.executor import JobSpec
from sweeper.jobs.executor import Tail
from sweeper.jobs.localjob import LocalJob
from sweeper.state import process
from sweeper.state.ledger import Reservation

_START_LIMIT_S = 20.0


class LocalExecutor:
    """Detached processes on this machine, one runner beside each.

    Args:
        run_folder: The `runs/` folder; jobs are found below it.
        uid: The study's uid; jobs of others are ignored.
        study: The study's name.
        device_locks: Where devices are claimed; by default one folder for all sweeps of a user.

    Raises:
        ExecutorError: This is not Linux.
    """

    name = "local"
    tick_s = 0.1

    def __init__(
        self, run_folder: Path, uid: str, study: str, *, device_locks: Path | None = None
    ) -> None:
        if not sys.platform.startswith("linux"):
            raise ExecutorError(
                f"local jobs need Linux, and this is {sys.platform}",
                hint="Run the trials as Hugging Face Jobs: `executor: hf` under Sweep.",
            )
        self.study = study
        self._runs = run_folder.absolute()
        self._uid = uid
        self._device_locks = device_locks
        self._machine = (process.machine_id(), process.boot_id())
        self._jobs: dict[str, LocalJob] = {}

    def submit(self, spec: JobSpec, paid: Reservation) -> str:
        """Start one attempt; handing in the same reservation again starts nothing.

        Raises:
            ScriptError: The script cannot be run as the program says; nothing was started.
            NothingCreatedError: Nothing was started.
            UnavailableError: Other trials have the devices; nothing was started.
            OutcomeUnknownError: The runner did not say in time whether it has started.
        """
        folder = spec.job_folder.absolute()
        claimed = self._claimed(folder, paid)
        if claimed is not None:
            return claimed.job_id
        _make(folder / command.OUTPUT)
        argv, environment = command.argv(spec), command.environment(spec, paid)
        runner.write(str(folder), runner.SPEC, self._document(spec, paid, argv))
        with self._devices(spec) as taken:
            shown = {"CUDA_VISIBLE_DEVICES": ",".join(taken.names)} if taken else {}
            said = _start(folder, {**environment, **shown}, taken.locks if taken else [])
        job = self._claimed(folder, paid)
        if job is None:
            raise NothingCreatedError(f"the runner did not start: {said or 'it said nothing'}")
        return job.job_id

    def _claimed(self, folder: Path, paid: Reservation) -> LocalJob | None:
        """Return the job in a folder, None if there is none yet.

        Raises:
            NothingCreatedError: It is not this reservation's.
        """
        job = LocalJob.load(folder)
        if job is None:
            return None
        if (job.uid, job.reservation) != (paid.uid, paid.nonce):
            raise NothingCreatedError(
                f"{folder} belongs to another job ({job.purpose} of study {job.uid})",
                hint="Was the folder copied? A study of its own needs a folder of its own.",
            )
        return self._jobs.setdefault(job.job_id, job)

    def _document(self, spec: JobSpec, paid: Reservation, argv: list[str]) -> dict[str, object]:
        machine_id, boot_id = self._machine
        return {
            "uid": paid.uid,
            "reservation": paid.nonce,
            "purpose": paid.purpose,
            "machine_id": machine_id,
            "boot_id": boot_id,
            "created_at": time.time(),
            "argv": argv,
            "cwd": str(spec.folder.absolute()),
            "timeout_s": paid.timeout_s,
            "params": spec.params,
            "seed": spec.seed,
        }

    def _devices(self, spec: JobSpec) -> AbstractContextManager[devices.Taken | None]:
        count = spec.training.gpus_per_trial
        if not count:
            return nullcontext()
        return devices.taken(count, devices.known(os.environ), self._device_locks)

    def poll(self, job_ids: Collection[str]) -> dict[str, JobReport]:
        """Report on jobs from their files; one whose runner is dead is ended and lost."""
        jobs = ((job_id, self._job(job_id)) for job_id in job_ids)
        return {job_id: job.report(self._machine) for job_id, job in jobs if job is not None}

    def tail(self, job_id: str, cursor: str) -> Tail:
        """Return the complete log lines behind `cursor`, a count of bytes."""
        job = self._job(job_id)
        if job is None:
            return Tail([], cursor, complete=False)
        ended = job.report(self._machine).stage.terminal
        return logfile.tail(job.folder / runner.LOG, cursor, ended)

    def cancel(self, job_id: str) -> None:
        """Ask a job's runner to end it; it gets `SWEEPER_GRACE_S` seconds (10) to do so itself."""
        job = self._job(job_id)
        if job is not None:
            job.cancel(self._machine)

    def find(self, purpose: str) -> str | None:
        """Return the id of the oldest job of this study that bears `purpose`, or None."""
        return next((found.job_id for found in self.matches(purpose)), None)

    def matches(self, purpose: str) -> list[FoundJob]:
        """Return every job of this study that bears `purpose`, oldest first."""
        jobs = [job for job in self._scan() if job.purpose == purpose]
        found = [FoundJob(job.job_id, job.reservation, job.created_at) for job in jobs]
        return sorted(found, key=lambda job: job.created_at)

    def close(self) -> None:
        """Do nothing: jobs hold no part of this process."""

    def _job(self, job_id: str) -> LocalJob | None:
        """Return a job by its id, from memory, from its folder's name, or by looking around."""
        if job_id not in self._jobs:
            likely = LocalJob.load(self._runs / LocalJob.likely_folder(job_id))
            jobs = [likely] if likely and likely.job_id == job_id else self._scan()
            self._jobs.update({job.job_id: job for job in jobs if job.uid == self._uid})
        return self._jobs.get(job_id)

    def _scan(self) -> Iterator[LocalJob]:
        """Yield the jobs of this study below `runs/`, whoever started them."""
        for pattern in ("*/*/*/", "*/*/"):
            for path in self._runs.glob(pattern + runner.CLAIM):
                job = LocalJob.load(path.parent)
                if job is not None and job.uid == self._uid:
                    yield job


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NothingCreatedError(f"{folder} cannot be made: {error.strerror}") from error


def _start(folder: Path, environment: Mapping[str, str], locks: list[int]) -> str:
    """Start a runner and wait until it has the claim or gives up; return what it complained of.

    Raises:
        NothingCreatedError: The machine refused to start a process.
        OutcomeUnknownError: It has not answered in time.
    """
    argv = [sys.executable, "-I", "-S", runner.__file__, str(folder)]
    try:
        ended = subprocess.run(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=locks,
            timeout=_START_LIMIT_S,
            start_new_session=True,
            check=False,
        )
    except OSError as error:
        raise NothingCreatedError(f"no process can be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise OutcomeUnknownError(
            f"the runner in {folder} has not answered in {_START_LIMIT_S:.0f} s"
        ) from error
    return ended.stderr.decode(errors="replace").strip().rpartition("\n")[2]
