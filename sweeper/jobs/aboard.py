"""Runs a training script inside a job: unpacked, with its metric lines numbered.

The job's command is `python -c BOOTSTRAP SPEC ARCHIVE…`; the bootstrap unpacks the archive and
hands over to `main`. Each metric line gets a number that no other line of the job has, so that
whoever reads the log can tell a repeated line from a new one and sees when one is missing; the
last line says how the script ended, because the platform does not. Standard library only and fit
for Python 3.9: this runs in whatever image the job has.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from sweeper.jobs import metrics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO
    from typing import Any

#: Stand in a spec for what is only known inside the job.
JOB_FOLDER = "@sweeper-job@"
PYTHON = "@sweeper-python@"
#: A number is RUN * NUMBERS_A_RUN + n: a platform that starts the job again begins another run.
NUMBERS_A_RUN = 1_000_000
NOT_STARTED = 127  # what a shell answers when a program cannot be started
CHUNK = 65_536
UNENDED_LIMIT = 1_048_576  # bytes of a line without an end before it is cut

#: Unpacks and hands over; the archive is base64 in the arguments, or in mounted files.
BOOTSTRAP = """\
import base64, io, json, os, sys, tarfile, tempfile
spec, parts = json.loads(sys.argv[1]), sys.argv[2:]
if parts[0].startswith("/"):
    parts = [open(part).read() for part in parts]
data = base64.b64decode("".join(parts))
job = tempfile.mkdtemp(prefix="sweeper-")
tarfile.open(fileobj=io.BytesIO(data), mode="r:gz").extractall(job)
sys.path.insert(0, os.path.join(job, "runtime.zip"))
from sweeper.jobs import aboard
sys.exit(aboard.main(spec, job))
"""

_exit = re.compile(r"\[sweeper \d{1,15}\] job ended: exit (-?\d+)").match
_number = re.compile(r"\[sweeper (\d{1,15})\] ").match
_ends = re.compile(rb"([\r\n])").split


def number_of(line: str) -> int | None:
    """Return the number that a line of the log carries, or None."""
    found = _number(line)
    return int(found[1]) if found else None


def exit_of(line: str) -> int | None:
    """Return the exit code that the last line of the log tells, negative for a signal; or None."""
    found = _exit(line)
    return int(found[1]) if found else None


def main(spec: dict[str, Any], job: str) -> int:
    """Run what a spec says and return the exit code for the job.

    Args:
        spec: "argv"; "env" on top of the job's own environment; "edits" of the shipped files.
        job: Folder of the unpacked archive.
    """
    folder = prepared(spec, Path(job))
    out = Printer(sys.stdout.buffer, time.time())
    argv = [filled(argument, job) for argument in spec["argv"]]
    try:
        child = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment(spec, Path(job)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        out.line(f"{argv[0]} cannot be started: {error.strerror}")
        out.ended(NOT_STARTED)
        return NOT_STARTED
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    assert child.stdout is not None
    for text in texts(child.stdout):
        out.line(text)
    code = child.wait()
    out.ended(code)
    return code if code >= 0 else 128 - code


def prepared(spec: dict[str, Any], job: Path) -> Path:
    """Lay out a job's folder and return that of its files."""
    (job / "output").mkdir(exist_ok=True)
    folder = job / "files"
    folder.mkdir(exist_ok=True)
    for name, edit in spec["edits"].items():
        apply(folder / name, *edit)
    with zipfile.ZipFile(job / "runtime.zip") as runtime:
        runtime.extractall(job / "runtime")
    return folder


def environment(spec: dict[str, Any], job: Path) -> dict[str, str]:
    """Return the environment of the script."""
    env = dict(os.environ)
    env.update({name: filled(value, str(job)) for name, value in spec["env"].items()})
    runtime = job / "runtime"
    inside = runtime / "sweeper" / "jobs" / "inside"
    paths = [str(inside), str(runtime), env.get("PYTHONPATH", "")]
    env["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    env["PYTHONUNBUFFERED"] = "1"
    return env


def apply(path: Path, front: int, end: int, between: str) -> None:
    """Rewrite a file: its first bytes, a new piece (base64), its last bytes."""
    data = path.read_bytes()
    path.write_bytes(data[:front] + base64.b64decode(between) + data[len(data) - end :])


def filled(text: str, job: str) -> str:
    """Return a text with what is only known here."""
    return text.replace(JOB_FOLDER, job).replace(PYTHON, sys.executable)


def texts(pipe: IO[bytes]) -> Iterator[str]:
    """Yield what a script prints, piece by piece, as soon as a line end or a return comes."""
    rest, cutter = b"", Cutter()
    while True:
        chunk = os.read(pipe.fileno(), CHUNK)
        if not chunk:
            break
        *pieces, rest = _ends(rest + chunk)
        for text, end in zip(pieces[::2], pieces[1::2]):  # noqa: B905 - Python 3.9 has no strict
            yield from cutter.lines(text.decode("utf-8", "replace"), end == b"\n")
        if len(rest) > UNENDED_LIMIT:
            yield rest.decode("utf-8", "replace")
            rest = b""
    if rest or cutter.drawn:
        yield from cutter.lines(rest.decode("utf-8", "replace"), True)


class Cutter:
    """Turns pieces that end in a line end or a carriage return into lines.

    Of pieces that a return overwrites, only metric lines and the last one are kept: a progress
    bar is drawn ten times a second.

    Attributes:
        drawn: The piece that the next one may overwrite.
    """

    def __init__(self) -> None:
        self.drawn = ""
        self._returned = False

    def lines(self, text: str, ended: bool) -> Iterator[str]:
        """Yield the lines that are complete with this piece.

        Args:
            text: The piece without its end.
            ended: Whether a line end stood behind it, rather than a carriage return.
        """
        if not ended:
            self._returned = True
            if metrics.parse_line(text) is not None:
                yield text
                self.drawn = ""
            else:
                self.drawn = text or self.drawn
            return
        last = text or self.drawn
        if last or not self._returned:
            yield last
        self.drawn, self._returned = "", False


class Printer:
    """Prints lines at once, the metric lines numbered.

    Args:
        stream: Where to.
        now: When this run of the command began, UTC seconds.
    """

    def __init__(self, stream: IO[bytes], now: float) -> None:
        self._stream = stream
        self._next = int(now) % 1_000_000_000 * NUMBERS_A_RUN + 1

    def line(self, text: str) -> None:
        """Print one line."""
        self._print(self._numbered(text) if metrics.parse_line(text) is not None else text)

    def ended(self, code: int) -> None:
        """Say how the script ended: its exit code, or minus the number of a signal."""
        self._print(self._numbered(f"job ended: exit {code}"))

    def _numbered(self, text: str) -> str:
        text = metrics.numbered(text, self._next)
        self._next += 1
        return text

    def _print(self, text: str) -> None:
        self._stream.write(text.encode("utf-8", "replace") + b"\n")
        self._stream.flush()
