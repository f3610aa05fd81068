"""`run` and what goes with it: the live view, the pages that follow the sweep, the background."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from sweeper.errors import RefusedError
from sweeper.errors import SweeperError
from sweeper.program import Program
from sweeper.summary import snapshot
from sweeper.summary.records import Event as Shown
from sweeper.summary.records import Snapshot
from sweeper.sweep.conductor import Options
from sweeper.sweep.folder import Folder
from sweeper.sweep.running import conducting
from sweeper.views.page import SummaryPage
from sweeper.views.terminal import LiveView

#: How long `--detach` waits for the conductor to hold the study, seconds.
_DETACH_WITHIN_S = 60.0
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def run(
    program: Program,
    executor: str | None,
    options: Options,
    *,
    quiet: bool,
    join: str | None = None,
) -> tuple[str, str | None]:
    """Conduct the sweep, showing it live; the pages are kept in step.

    Args:
        program: What to run.
        executor: Where, or None for as fixed or declared.
        options: What the command line said.
        quiet: Whether stdout belongs to somebody else.
        join: Uid of a study in a shared database that this folder joins.

    Returns:
        The sweep's state and stop reason.
    """
    folder = Folder(program.folder)
    with conducting(program, executor, options, join=join) as (_, conductor), _interruptible():
        stream = sys.stderr if quiet else sys.stdout
        with _pages(folder) as changed, LiveView(lambda: _look(folder), stream) as view:
            for event in conductor.run():
                changed()
                view.show(Shown(event.kind, event.trial, dict(event.detail), time.time()))
        state, reason = conductor.state, conductor.stop_reason
    _try("report.html", lambda: write_report(program.path))
    return state, reason


def _look(folder: Folder) -> Snapshot:
    return snapshot.read(folder.root)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Make SIGTERM and Ctrl-C the same: the lease is released, jobs go on.

    Also where SIGINT was ignored, as shells do for what they start in the background.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _pages(folder: Folder) -> Iterator[Callable[[], None]]:
    """Rewrite summary.md as the sweep goes on, beside the conductor's own work.

    Yields:
        What is to be called when something has changed.
    """
    page = SummaryPage(folder.summary, lambda: snapshot.read(folder.root, curves=False))
    changed, ended = threading.Event(), threading.Event()

    def follow() -> None:
        while not ended.wait(0.5):
            if changed.is_set():
                changed.clear()
                _try("summary.md", page.changed)
            else:
                _try("summary.md", page.tick)

    thread = threading.Thread(target=follow, name="summary.md", daemon=True)
    thread.start()
    try:
        yield changed.set
    finally:
        ended.set()
        thread.join(timeout=10)
        _try("summary.md", page.write)


def _try(name: str, write: Callable[[], object]) -> None:
    """A page that cannot be written must not fail the sweep that it is about."""
    try:
        write()
    except (SweeperError, OSError) as error:
        print(f"{name} was not written: {error}", file=sys.stderr)


def watch(path: Path) -> None:
    """Show a sweep until it ends or the viewer leaves."""
    with LiveView(lambda: snapshot.read(path), sys.stdout):
        while snapshot.read(path, curves=False).study.state in ("running", "paused"):
            time.sleep(1.0)


def write_report(path: Path) -> Path:
    """Write runs/report.html and return where it lies."""
    from sweeper.views.report import document

    look = snapshot.read(path)
    folder = Folder(path if path.is_dir() else path.parent)
    document.write(folder.report, look)
    return folder.report


def detach(program: Program, arguments: list[str]) -> dict[str, object]:
    """Start a conductor in the background and wait until it holds the study.

    Raises:
        RefusedError: It ended at once; its last words are in the message.
    """
    folder = Folder(program.folder)
    folder.runs.mkdir(parents=True, exist_ok=True)
    kept = [word for word in arguments if word not in ("--detach", "--json")]
    begun = time.time()
    with folder.conductor_log.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "sweeper", *kept],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    while time.time() - begun < _DETACH_WITHIN_S:
        if _holds(folder, process.pid):
            return {
                "pid": process.pid,
                "log": str(folder.conductor_log),
                "state": "running",
            }
        if process.poll() is not None:
            return _ended(folder, process, begun)
        time.sleep(0.1)
    raise RefusedError(
        f"The conductor (pid {process.pid}) does not hold the study after"
        f" {_DETACH_WITHIN_S:.0f} s.",
        hint=f"Look into {folder.conductor_log}.",
    )


def _holds(folder: Folder, pid: int) -> bool:
    try:
        conductor = snapshot.read(folder.root, curves=False).conductor
    except SweeperError:
        return False
    return conductor is not None and conductor.pid == pid


def _ended(folder: Folder, process: subprocess.Popen[bytes], begun: float) -> dict[str, object]:
    if process.returncode == 0:
        state = snapshot.read(folder.root, curves=False).study.state
        return {"pid": process.pid, "log": str(folder.conductor_log), "state": state}
    words = folder.conductor_log.read_text(encoding="utf-8", errors="replace").strip()
    last = "\n".join(words.splitlines()[-5:])
    raise RefusedError(last or "The conductor ended at once.", hint=f"See {folder.conductor_log}.")


def detached_text(document: dict[str, object]) -> str:
    """Say where the background conductor is and how to follow it."""
    return (
        f"The sweep runs in the background (pid {document['pid']}, log {document['log']}).\n"
        "`sweeper status --watch` follows it, `sweeper stop` ends it."
    )
