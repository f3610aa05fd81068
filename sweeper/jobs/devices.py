"""Which of this machine's devices a trial gets: each belongs to one running trial.

A device is taken by a lock on a file that the trial's own processes hold open, so it is free again
the moment the last of them is gone, however they went.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sweeper.errors import NothingCreatedError
from sweeper.errors import UnavailableError

_RETRY_S = 5.0


class Taken(NamedTuple):
    """Devices of one trial.

    Attributes:
        names: As `CUDA_VISIBLE_DEVICES` lists them.
        locks: File descriptors that hold them; to be inherited by the trial's processes.
    """

    names: list[str]
    locks: list[int]


def known(environ: Mapping[str, str]) -> list[str]:
    """Return this machine's devices, those of `SWEEPER_DEVICES` if it is set.

    Raises:
        NothingCreatedError: There are none.
    """
    for variable in ("SWEEPER_DEVICES", "CUDA_VISIBLE_DEVICES"):
        if variable in environ:
            return _listed(environ[variable], variable)
    return _nvidia()


def _listed(text: str, variable: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise NothingCreatedError(
            f"{variable}={text!r} does not list devices, each once",
            key=variable,
            hint=f"Write it like {variable}=0,1 or take gpus_per_trial out of the program.",
        )
    return names


def _nvidia() -> list[str]:
    program = shutil.which("nvidia-smi")
    shown = ""
    if program:
        listing = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30)
        shown = listing.stdout
    names = re.findall(r"^GPU (\d+):", shown, re.MULTILINE)
    if not names:
        raise NothingCreatedError(
            "gpus_per_trial is set, and this machine shows no GPU",
            key="gpus_per_trial",
            hint="Name the devices in SWEEPER_DEVICES (as in 0,1), or take gpus_per_trial out.",
        )
    return names


@contextmanager
def taken(count: int, names: list[str], folder: Path | None = None) -> Iterator[Taken]:
    """Take devices and hold them while the block runs; whoever inherits the locks keeps them.

    Args:
        count: How many.
        names: The devices to choose from.
        folder: Where the locks lie; by default one folder per user, for all sweeps together.

    Raises:
        NothingCreatedError: There are not that many.
        UnavailableError: There are, but other trials have them.
    """
    if count > len(names):
        raise NothingCreatedError(
            f"a trial needs {count} devices, and there are {len(names)}: {', '.join(names)}",
            key="gpus_per_trial",
            hint="Lower gpus_per_trial.",
        )
    locks = _locks(count, names, folder or _folder())
    try:
        if len(locks) < count:
            raise UnavailableError(
                f"{count} devices are needed, and {len(locks)} of {len(names)} are free",
                retry_after_s=_RETRY_S,
                hint="Another trial or another sweep of yours has them; max_parallel may be high.",
            )
        yield Taken(list(locks), list(locks.values()))
    finally:
        for lock in locks.values():
            os.close(lock)


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"sweeper-devices-{os.getuid()}"


def _locks(count: int, names: list[str], folder: Path) -> dict[str, int]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found: dict[str, int] = {}
    for name in names:
        lock = None if len(found) == count else _lock(folder / re.sub(r"[^\w.-]", "_", name))
        if lock is not None:
            found[name] = lock
    return found


def _lock(path: Path) -> int | None:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
