"""Jobs: records, stages, and the real local process that each one runs."""

from __future__ import annotations

import math
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from tests.doubles.hub.clock import Clock
from tests.doubles.hub.clock import iso
from tests.doubles.hub.faults import Faults
from tests.doubles.hub.jobspec import micro_usd_per_minute
from tests.doubles.hub.logs import Log

TERMINAL = {"COMPLETED", "CANCELED", "ERROR", "DELETED"}
DEFAULT_TIMEOUT_S = 1800


@dataclass
class Job:
    """One job, as the Hub keeps it."""

    index: int
    namespace: str
    body: dict[str, Any]
    created_at: float
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    labels: dict[str, str] = field(default_factory=dict)
    stage: str = "SCHEDULING"
    message: str | None = None
    cancel_reason: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    failures: int = 0
    exit_code: int | None = None
    gone: bool = False
    log: Log = field(default_factory=Log)
    process: subprocess.Popen[bytes] | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def running_s(self) -> float | None:
        """Seconds it ran, once it has ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at

    @property
    def billed_micro_usd(self) -> int:
        """What the job costs: started minutes times the price."""
        minutes = math.ceil((self.running_s or 0.0) / 60)
        return minutes * micro_usd_per_minute(self.body["flavor"])


class Jobs:
    """All jobs of the Hub.

    Attributes:
        scheduling_s: Seconds of the Hub between creation and start.
        oom_message: What status.message says after `oom`; unknown on the real platform.
        timeout_stage: Stage of a job cut by its timeout; unknown on the real platform.
    """

    def __init__(
        self,
        clock: Clock,
        faults: Faults,
        folder: Path,
        mount: Callable[[dict[str, Any], Path], Path],
    ) -> None:
        self.clock = clock
        self.faults = faults
        self.folder = folder
        self.endpoint = ""
        self.scheduling_s = 0.0
        self.timeout_stage = "ERROR"
        self.all: list[Job] = []
        self._mount = mount
        self._lock = threading.Lock()

    def create(self, namespace: str, body: dict[str, Any]) -> Job:
        """Keep a job and start its life in a thread of its own."""
        with self._lock:
            job = Job(
                len(self.all), namespace, body, self.clock.now(), labels=body.get("labels", {})
            )
            self.all.append(job)
        threading.Thread(target=self._live, args=(job,), daemon=True).start()
        return job

    def get(self, namespace: str, job_id: str) -> Job | None:
        """Return a job that still exists, or None."""
        for job in self.all:
            if job.id == job_id and job.namespace == namespace and not job.gone:
                return job
        return None

    def listed(self, namespace: str, stages: set[str], labels: dict[str, str]) -> list[Job]:
        """Return the jobs that all filters fit, newest first."""
        lag = self.faults.peek("list_lag").get("seconds", -math.inf)
        found = [
            job
            for job in self.all
            if job.namespace == namespace
            and not job.gone
            and self.clock.now() - job.created_at >= lag
            and (not stages or self.stage(job) in stages)
            and all(job.labels.get(key) == value for key, value in labels.items())
        ]
        return found[::-1]

    def cancel(self, job: Job) -> None:
        """End a job; one that has ended stays as it is."""
        job.cancelled.set()
        kill(job)

    def stage(self, job: Job) -> str:
        """Return the stage as the API shows it, which may lag behind."""
        lag = self.faults.peek("stage_lag", job=job).get("seconds", 0)
        if job.finished_at is not None and self.clock.now() < job.finished_at + lag:
            return "RUNNING" if job.started_at else "SCHEDULING"
        return job.stage

    def document(self, job: Job) -> dict[str, Any]:
        """Return the job object of the API."""
        now, stage = self.clock.now(), self.stage(job)
        finished = job.finished_at if stage in TERMINAL else None
        running = None if job.started_at is None else (finished or now) - job.started_at
        scheduling = None if job.started_at is None else job.started_at - job.created_at
        body = job.body
        status: dict[str, Any] = {"stage": stage, "message": job.message if finished else None}
        if stage in TERMINAL and job.cancel_reason:
            status["cancelReason"] = job.cancel_reason
        if job.failures:
            status["failureCount"] = job.failures
        owner = {"id": "5e9ecfc04957053f60648a3e", "name": job.namespace, "type": "user"}
        return {
            "id": job.id, "createdAt": iso(job.created_at), "startedAt": iso(job.started_at),
            "finishedAt": iso(finished), "dockerImage": body.get("dockerImage"),
            "spaceId": body.get("spaceId"), "command": body["command"],
            "arguments": body.get("arguments", []), "environment": body.get("environment", {}),
            "secrets": sorted(body.get("secrets", {})), "flavor": body["flavor"],
            "labels": job.labels, "volumes": body.get("volumes", []),
            "timeout": body.get("timeoutSeconds", DEFAULT_TIMEOUT_S),
            "retry": body.get("attempts", 1) - 1, "owner": {**owner, "avatarUrl": ""},
            "createdBy": owner, "initiator": {"type": "user", "id": owner["id"], "name": "me"},
            "durations": {
                "schedulingSecs": None if scheduling is None else int(scheduling),
                "runningSecs": None if running is None else int(running),
                "totalSecs": int((finished or now) - job.created_at),
            },
            "status": status,
        }  # fmt: skip

    def close(self) -> None:
        """Kill whatever still runs and wait for it."""
        for job in self.all:
            self.cancel(job)
        for job in self.all:
            job.done.wait(10)

    def _live(self, job: Job) -> None:
        try:
            self._schedule(job)
            if not job.cancelled.is_set():
                self._run(job)
            else:
                self._finish(job, "CANCELED", None)
        finally:
            job.log.close()
            job.done.set()

    def _schedule(self, job: Job) -> None:
        wait_s = self.clock.real_s(self.scheduling_s)
        if self.faults.strike("stuck", job=job):
            wait_s = 1e6
        if self.faults.peek("vanish", job=job).get("when") == "scheduling":
            self.faults.strike("vanish", job=job)
            job.gone = True
            job.cancelled.set()
        job.cancelled.wait(wait_s)

    def _run(self, job: Job) -> None:
        timeout_s = job.body.get("timeoutSeconds", DEFAULT_TIMEOUT_S)
        job.started_at = self.clock.now()
        job.stage = "RUNNING"
        vanish = self.faults.peek("vanish", job=job).get("when")
        timer = threading.Timer(self.clock.real_s(timeout_s), self._time_out, (job,))
        timer.daemon = True
        timer.start()
        again = True
        while again:
            again = self._once(job)
        timer.cancel()
        self._conclude(job)
        job.gone = job.gone or bool(vanish == "finished" and self.faults.strike("vanish", job=job))

    def _once(self, job: Job) -> bool:
        """Run the command once; True if the platform starts it again."""
        job.log.add(self.clock.now(), f"===== Job started at {marker(self.clock.now())} =====")
        command, env, cwd = self._prepared(job)
        try:
            job.process = subprocess.Popen(
                command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            job.log.add(self.clock.now(), f"exec {command[0]}: {error.strerror}")
            job.exit_code = 127
            return False
        if job.cancelled.is_set():
            kill(job)
        restarted = self._read(job)
        job.exit_code = job.process.wait()
        return restarted and not job.cancelled.is_set()

    def _read(self, job: Job) -> bool:
        """Take in what the process says, striking it down where a fault wants that."""
        assert job.process is not None
        assert job.process.stdout is not None
        restarted = False
        with job.process.stdout as pipe:
            for count, raw in enumerate(pipe, start=1):
                text = raw.decode("utf-8", "replace").removesuffix("\n")
                job.log.add(self.clock.now(), text)
                restarted = self._struck(job, count) or restarted
        return restarted

    def _struck(self, job: Job, count: int) -> bool:
        for kind, reason in (("no_credits", "NO_CREDITS"), ("spend_limit", "RESOURCE_GROUP_LIMIT"),
                             ("person", None), ("oom", None), ("restart", None)):  # fmt: skip
            fault = self.faults.peek(kind, job=job)
            if fault and count == fault.get("lines", 1):
                self.faults.strike(kind, job=job)
                job.cancel_reason = reason
                if kind in ("no_credits", "spend_limit", "person"):
                    job.cancelled.set()
                kill(job)
                return kind == "restart"
        vanish = self.faults.peek("vanish", job=job)
        if vanish.get("when") == "running" and count == vanish.get("lines", 1):
            self.faults.strike("vanish", job=job)
            job.gone = True
            job.cancelled.set()
            kill(job)
        return False

    def _time_out(self, job: Job) -> None:
        if job.finished_at is None:
            job.message = "Job timeout"
            kill(job)

    def _conclude(self, job: Job) -> None:
        if job.cancelled.is_set():
            self._finish(job, "CANCELED", None)
        elif job.message == "Job timeout":
            self._finish(job, self.timeout_stage, job.message)
        elif job.exit_code == 0:
            self._finish(job, "COMPLETED", None)
        else:
            job.failures += 1
            self._finish(job, "ERROR", f"Job failed with exit code: {job.exit_code}")

    def _finish(self, job: Job, stage: str, message: str | None) -> None:
        told = self.faults.strike("message", job=job)
        job.message = told.get("message") if told else message
        job.stage = "DELETED" if self.faults.strike("deleted", job=job) else stage
        job.finished_at = self.clock.now()

    def _prepared(self, job: Job) -> tuple[list[str], dict[str, str], Path]:
        """Return command, environment and folder of the process that plays the container."""
        body, cwd = job.body, self.folder / "containers" / job.id
        shutil.rmtree(cwd, ignore_errors=True)
        cwd.mkdir(parents=True)
        mounts = {v["mountPath"]: str(self._mount(v, cwd)) for v in body.get("volumes", [])}
        command = [
            mounted(item, mounts) for item in [*body["command"], *body.get("arguments", [])]
        ]
        given = {k: mounted(v, mounts) for k, v in body.get("environment", {}).items()}
        env = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(cwd), "TMPDIR": str(cwd), "LANG": "C.UTF-8", "HF_ENDPOINT": self.endpoint,
            "JOB_ID": job.id, "ACCELERATOR": "none", "CPU_CORES": "2", "MEMORY": "16Gi",
            **given, **body.get("secrets", {}),
        }  # fmt: skip
        return resolved(command), env, cwd


def mounted(text: str, mounts: dict[str, str]) -> str:
    """Return a text with each mount path replaced by the folder that plays the volume."""
    for path, folder in mounts.items():
        text = text.replace(path, folder)
    return text


def marker(at: float) -> str:
    """Return a moment as the line "Job started" writes it: whole seconds, no zone."""
    return str(iso(at))[:19].replace("T", " ")


UV_FLAGS = {"--no-project", "--isolated", "--quiet", "-q", "--no-cache"}
UV_VALUES = {"--with", "--python", "-p", "--with-requirements"}


def resolved(command: list[str]) -> list[str]:
    """Return the local command: `uv run` and `python` become this interpreter.

    An unknown option of `uv run` ends the job with uv's own exit code 2.
    """
    if command[:2] == ["uv", "run"]:
        command = without_uv(command[2:])
    if command[0] in ("python", "python3"):
        return [sys.executable, *command[1:]]
    return [sys.executable, *command] if command[0].endswith(".py") else command


def without_uv(rest: list[str]) -> list[str]:
    """Return what `uv run` would run, its own options taken away."""
    while rest and rest[0].startswith("-") and rest[0] != "-":
        if rest[0] in UV_VALUES and len(rest) > 1:
            rest = rest[2:]
        elif rest[0] in UV_FLAGS:
            rest = rest[1:]
        elif rest[0] in ("--script", "-s"):
            return ["python", *rest[1:]]
        else:
            return ["sh", "-c", f"echo 'error: unexpected argument {rest[0]}' >&2; exit 2"]
    return rest


def kill(job: Job) -> None:
    """Kill the process group of a job, if it has one."""
    if job.process is not None and job.process.poll() is None:
        try:
            os.killpg(job.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
