"""One job on this machine, as its files and `/proc` tell of it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from sweeper.jobs import runner
from sweeper.jobs.executor import JobReport
from sweeper.jobs.executor import Stage

#: Machine id and boot id, as `state.process` names them.
Machine = tuple[str, str]
Document = dict[str, object]


class LocalJob:
    """A claimed attempt.

    Args:
        folder: The attempt's folder.
        claim: What its claim says.

    Attributes:
        folder: The attempt's folder.
        uid: The study's uid.
        reservation: The reservation it bears.
        purpose: Its purpose.
        created_at: When it was submitted, UTC seconds.
        job_id: `local-<attempt folder>-<reservation>`, the latter cut to 12 characters.
    """

    def __init__(self, folder: Path, claim: Document) -> None:
        self.folder = folder
        self.uid = str(claim["uid"])
        self.reservation = str(claim["reservation"])
        self.purpose = str(claim["purpose"])
        self.created_at = _number(claim["created_at"])
        self.job_id = f"local-{_place(self.purpose)}-{self.reservation[:12]}"
        self._machine = (claim["machine_id"], claim["boot_id"])
        self._runner = (int(_number(claim["pid"])), claim["process_started"])
        self._group: Document | None = None
        self._ended: Document | None = None
        self._killed = False

    @classmethod
    def load(cls, folder: Path) -> LocalJob | None:
        """Return the job in a folder, or None if nobody has claimed the attempt."""
        claim = runner.read(str(folder), runner.CLAIM)
        return None if claim is None else cls(folder, claim)

    @staticmethod
    def likely_folder(job_id: str) -> Path:
        """Return where the job of that id most likely lies, relative to `runs/`."""
        _, trial, attempt, _ = [*job_id.split("-"), "", "", ""][:4]
        return Path("trials") / (trial or "-") / f"attempt-{attempt}"

    def report(self, machine: Machine) -> JobReport:
        """Return how the job stands; a job whose runner is dead is ended first."""
        deserted = not self._exit() and self._here(machine) and not self._runner_alive(machine)
        # The runner may have written its last word between the two looks.
        if deserted and not self._exit() and not self._end(machine):
            self._lose(machine)
        return self._terminal() if self._exit() else self._running(machine)

    def cancel(self, machine: Machine) -> None:
        """Make the request durable and wake the runner; a dead one needs no waking."""
        if self._exit() or not self._here(machine):
            return
        mine: Document = {"uid": self.uid, "reservation": self.reservation}
        runner.write(str(self.folder), runner.CANCEL, {**mine, "asked_at": time.time()})
        if self._runner_alive(machine):
            _signal(self._runner[0], signal.SIGTERM)

    def _here(self, machine: Machine) -> bool:
        """Whether the job is this machine's; of another's nothing can be said from here."""
        return self._machine[0] == machine[0]

    def _runner_alive(self, machine: Machine) -> bool:
        pid, started = self._runner
        return self._machine == machine and runner.process_started(pid) == started != ""

    def _exit(self) -> Document | None:
        if self._ended is None and (self.folder / runner.EXIT).exists():
            self._ended = self._own(runner.EXIT)
        return self._ended

    def _let_go(self) -> Document:
        """Return what is known of the script's group; empty until it has one."""
        if self._group is None:
            self._group = self._own(runner.GROUP)
        return self._group or {}

    def _own(self, name: str) -> Document | None:
        document = runner.read(str(self.folder), name)
        ours = document is not None and document.get("reservation") == self.reservation
        return document if ours else None

    def _end(self, machine: Machine) -> bool:
        """Kill what a dead runner left behind; True while there was something to kill."""
        if self._machine != machine:
            return False
        group = self._let_go()
        pgid = int(_number(group.get("pgid", 0)))
        alive = pgid > 0 and runner.process_started(pgid) == group.get("process_started") != ""
        if alive:
            _signal(-pgid, signal.SIGKILL)
        killed = runner.end_bearers(self.reservation) > 0 or alive
        self._killed = self._killed or killed
        return killed

    def _lose(self, machine: Machine) -> None:
        """Write down that the job is lost, unless its runner has written how it ended."""
        started = self._let_go().get("started_at")
        finished = time.time() if self._killed else self._last_sign()
        running = max(0.0, finished - _number(started)) if started else 0.0
        restarted = self._machine[1] != machine[1]
        message = "the machine was restarted" if restarted else "the process beside it is gone"
        times = {"started_at": started, "finished_at": finished, "running_s": running}
        mine = {"uid": self.uid, "reservation": self.reservation}
        lost = {**mine, **times, "lost": True, "message": message}
        runner.write_once(str(self.folder), runner.EXIT, lost)

    def _last_sign(self) -> float:
        """Return when the job was last seen to do something, UTC seconds."""
        signs = [self.folder / name for name in (runner.CLAIM, runner.GROUP, runner.LOG)]
        return max((sign.stat().st_mtime for sign in signs if sign.exists()), default=time.time())

    def _running(self, machine: Machine) -> JobReport:
        started = self._let_go().get("started_at")
        elsewhere = None if self._here(machine) else "it belongs to another machine"
        stage = Stage.RUNNING if started or elsewhere else Stage.SCHEDULING
        at = _number(started) if started else None
        return JobReport(self.job_id, stage, started_at=at, message=elsewhere)

    def _terminal(self) -> JobReport:
        ended = self._ended or {}
        message = ended.get("message")
        if ended.get("oom_kill") and ended.get("exit_code") != 0:
            message = "the kernel killed a process because memory ran out"
        return JobReport(
            self.job_id,
            _stage(ended),
            started_at=_optional(ended, "started_at"),
            finished_at=_optional(ended, "finished_at"),
            running_s=_optional(ended, "running_s"),
            charged_s=_optional(ended, "running_s"),
            exit_code=_whole(ended, "exit_code"),
            signal=_whole(ended, "signal"),
            timed_out=ended.get("timed_out") is True,
            message=None if message is None else str(message),
        )


def _stage(ended: Document) -> Stage:
    if ended.get("lost"):
        return Stage.LOST
    if ended.get("cancelled"):
        return Stage.CANCELED
    completed = ended.get("exit_code") == 0 and not ended.get("timed_out")
    return Stage.COMPLETED if completed else Stage.ERROR


def _place(purpose: str) -> str:
    """Return trial and attempt of a purpose, as they stand in an id."""
    parts = purpose.split("/")
    return f"{parts[-2]}-{parts[-1]}"


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _number(value: object) -> float:
    if isinstance(value, (int, float)):
        return float(value)
    raise TypeError(f"{value!r} is not a number")


def _optional(document: Document, name: str) -> float | None:
    value = document.get(name)
    return None if value is None else _number(value)


def _whole(document: Document, name: str) -> int | None:
    value = document.get(name)
    return None if value is None else int(_number(value))
