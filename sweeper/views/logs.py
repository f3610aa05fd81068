"""`sweeper logs N`: what a trial printed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sweeper.errors import StateError
from sweeper.summary import snapshot
from sweeper.sweep.folder import Folder

#: The file in an attempt's folder that holds its output.
_LOG = "log"


class Log(NamedTuple):
    """The last lines of one attempt."""

    attempt: str
    lines: list[str]


def read_log(path: Path, trial: int, attempt: str | None, lines: int) -> Log:
    """Return the last lines that a trial printed; all with `lines` 0.

    Raises:
        StateError: There is no such trial, attempt or log.
    """
    root = path if path.is_dir() else path.parent
    known = {each.number: each for each in snapshot.read(root, curves=False).trials}
    if trial not in known:
        numbers = f"0 to {max(known)}" if known else "none"
        raise StateError(f"There is no trial {trial}; there are {numbers}.", key="trial")
    jobs = known[trial].jobs
    wanted = attempt or (jobs[-1].attempt if jobs else "1")
    file = Folder(root).attempt(trial, wanted) / _LOG
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        raise StateError(
            f"Attempt {wanted} of trial {trial} has no log here.",
            hint="A trial that never started has none.",
        ) from None
    found = text.splitlines()
    return Log(wanted, found[-lines:] if lines else found)
