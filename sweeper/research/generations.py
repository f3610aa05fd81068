"""Counts our own writes to a thing, so that no kept answer about it outlives one."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from sweeper.research.cache import folder
from sweeper.research.cache import key_of


def _path(name: str) -> Path:
    return folder() / "generations" / key_of(name)


def of(name: str) -> str:
    """Return the current generation of a thing."""
    try:
        return _path(name).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def raise_for(name: str) -> None:
    """Begin a new generation of a thing, before it is written to."""
    path = _path(name)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside.write_text(os.urandom(8).hex(), encoding="ascii")
        beside.replace(path)
