"""Runs an unmodified script for a short while with the defaults, and says what was seen.

No job, no database and no budget: it runs here, in a temporary folder, and pushes nothing.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

from sweeper.draft.findings import Findings
from sweeper.draft.findings import as_document
from sweeper.draft.findings import text
from sweeper.draft.findings import worked
from sweeper.draft.observer import Ended
from sweeper.draft.observer import Observer
from sweeper.errors import ScriptError
from sweeper.jobs import command
from sweeper.jobs import runner
from sweeper.jobs.executor import JobSpec
from sweeper.program import Program
from sweeper.program import Training

__all__ = ["Findings", "as_document", "run_briefly", "text", "worked"]

_GRACE_S = 3.0
#: How long output is still read after the script has ended; what it left behind may hold the pipe.
_DRAIN_S = 0.5
_LOOK_AGAIN_S = 0.1
_CHUNK = 65_536


def run_briefly(
    program: Program, seconds: float = 60.0, on_line: Callable[[str], None] | None = None
) -> Findings:
    """Run the program's script with the defaults for at most `seconds`.

    Args:
        program: What to run.
        seconds: When it is ended, with everything it started.
        on_line: Called with each line that it prints.

    Raises:
        ScriptError: The script is missing, cannot take its parameters or cannot be started.
    """
    training, left_out = _without_pushing(program.training)
    with tempfile.TemporaryDirectory(prefix="sweeper-try-", ignore_cleanup_errors=True) as folder:
        spec = _spec(program, training, Path(folder))
        observer = Observer(program, on_line, time.monotonic())
        ended = _run(spec, seconds, observer)
    return replace(observer.findings(ended), left_out=left_out)


def _spec(program: Program, training: Training, folder: Path) -> JobSpec:
    (folder / command.OUTPUT).mkdir()
    return JobSpec(
        study=program.name,
        uid="",
        trial=None,
        attempt="1",
        folder=program.folder,
        job_folder=folder,
        training=training,
        params=program.defaults(),
        metric=program.goal.metric,
        seed=0,
    )


def _without_pushing(training: Training) -> tuple[Training, tuple[str, ...]]:
    """Take out the arguments that name the output repository or ask for a push."""
    options: list[list[str]] = []
    for word in training.args:
        if word.startswith("-") or not options:
            options.append([word])
        else:
            options[-1].append(word)
    kept = [word for option in options if not _pushes(option) for word in option]
    left_out = tuple(word for option in options if _pushes(option) for word in option)
    return training.model_copy(update={"args": kept}), left_out


def _pushes(option: list[str]) -> bool:
    name = option[0].partition("=")[0].lstrip("-").replace("-", "_")
    return name == "push_to_hub" or any("{output_repo}" in word for word in option)


def _run(spec: JobSpec, seconds: float, observer: Observer) -> Ended:
    # Everything that the script starts inherits this, so that none of it is left behind.
    mark = secrets.token_hex(16)
    environment = {**command.environment(spec, None), "SWEEPER_RESERVATION": mark}
    argv = command.argv(spec)
    started = time.monotonic()
    process, output = _start(argv, spec, environment)
    try:
        _listen(process, output, started + seconds, observer)
        cut = process.poll() is None
    finally:
        output.close()
        _end(process, mark)
    return Ended(time.monotonic() - started, None if cut else process.returncode, cut)


def _start(
    argv: list[str], spec: JobSpec, environment: dict[str, str]
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    output = os.fdopen(reading, "rb", buffering=0)
    try:
        process = subprocess.Popen(
            argv,
            cwd=spec.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        output.close()
        raise ScriptError(
            f"{argv[0]} cannot be started: {error.strerror}.",
            key="launcher" if spec.training.launcher else "command",
            hint="Install it, or correct the Training block.",
        ) from error
    finally:
        os.close(writing)
    return process, output


def _listen(
    process: subprocess.Popen[bytes], output: IO[bytes], deadline: float, observer: Observer
) -> None:
    """Hand on what the script says until it has ended or its time is over."""
    ended = False
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while (now := time.monotonic()) < deadline:
            if not ended and process.poll() is not None:
                ended, deadline = True, min(deadline, now + _DRAIN_S)
            if selector.select(min(_LOOK_AGAIN_S, deadline - now)):
                chunk = output.read(_CHUNK)
                if not chunk:
                    break
                observer.take(chunk, time.monotonic())
    observer.close(time.monotonic())
    if not ended:
        _wait(process, deadline)


def _wait(process: subprocess.Popen[bytes], deadline: float) -> None:
    """Wait for a script that has closed its output."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline - time.monotonic()))


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    """End the script and everything it started: asked first, then made to."""
    _signal(process, signal.SIGTERM)
    _wait(process, time.monotonic() + _GRACE_S)
    _signal(process, signal.SIGKILL)
    process.wait()
    # a process that was killed takes a moment to go
    deadline = time.monotonic() + _GRACE_S
    while runner.end_bearers(mark) and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN_S / 10)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
