"""What was read before, kept on disk for a while.

One file per entry, written beside its place and renamed, so that a reader sees a whole entry or
none. Whatever is wrong with an entry makes it absent. Files are readable by their owner only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path

# Raise it when the form of an entry, or the meaning of an answer, changes.
FORMAT = 1
MAX_BYTES = 512 * 1024 * 1024
_LOOK_EVERY = 200


def folder() -> Path:
    """Return the folder that cache and rate limiter share."""
    given = os.environ.get("SWEEPER_CACHE_DIR")
    if given:
        return Path(given).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "sweeper" / "research"


def key_of(*parts: object) -> str:
    """Return the name of the entry that `parts` identify."""
    text = json.dumps([FORMAT, *parts], sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def identity(secret: str | None) -> str:
    """Return a name for an account that does not give its credential away."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16] if secret else "anonymous"


class Cache:
    """A folder of entries; each has a time of reading and a body.

    Args:
        root: The folder; it is made when something is first kept.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or folder()) / "entries"

    def load(self, key: str, max_age_s: float) -> tuple[float, bytes] | None:
        """Return when the entry was kept (UTC seconds) and its body; None if absent or too old."""
        try:
            blob = self._path(key).read_bytes()
            head, _, body = blob.partition(b"\n")
            kept_at, size = (float(part) for part in head.split())
        except (OSError, ValueError):
            return None
        age_s = time.time() - kept_at
        if len(body) != size or not -60 <= age_s <= max_age_s:
            return None
        return kept_at, body

    def keep(self, key: str, body: bytes) -> None:
        """Keep a body. A disk that refuses costs only the next call's time."""
        path = self._path(key)
        beside = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(f"{time.time():.3f} {len(body)}\n".encode())
                file.write(body)
            beside.replace(path)
            if os.urandom(1)[0] < 256 / _LOOK_EVERY:
                self.trim()

    def trim(self, max_bytes: int = MAX_BYTES) -> None:
        """Drop the oldest entries until the folder holds at most `max_bytes`."""
        entries = []
        for path in self.root.rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file():
                    entries.append((path.stat().st_mtime, path.stat().st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries, key=lambda entry: entry[0]):
            if total <= max_bytes:
                return
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / key[2:]
