r"""Reads a growing log file in whole lines, from where the last reading stopped.

The cursor is a count of bytes, so it holds over restarts of the reader. Both `\n` and `\r` end a
line, U+2028 and its like do not.
"""

from __future__ import annotations

from pathlib import Path

from sweeper.jobs.executor import Tail

#: Bytes read at once; an unended line of that many is cut there.
CHUNK = 1_048_576


def tail(path: Path, cursor: str, ended: bool) -> Tail:
    """Return the lines behind `cursor`.

    Args:
        path: The log; one that is not there yet is empty.
        cursor: What the last call returned, "" at first.
        ended: Whether the file's writers are gone, so that its last line need not end.
    """
    offset = int(cursor or 0)
    before, data = _chunk(path, offset)
    skipped = 1 if before == b"\r" and data.startswith(b"\n") else 0
    whole = len(data) < CHUNK
    end = len(data) if ended and whole else _end(data, whole)
    lines = _lines(data[skipped:end]) if end > skipped else []
    return Tail(lines, str(offset + max(end, skipped)), complete=ended and whole)


def _chunk(path: Path, offset: int) -> tuple[bytes, bytes]:
    """Return the byte before `offset` and those behind it."""
    try:
        with path.open("rb") as file:
            file.seek(max(offset - 1, 0))
            before = file.read(1) if offset else b""
            return before, file.read(CHUNK)
    except FileNotFoundError:
        return b"", b""


def _end(data: bytes, whole: bool) -> int:
    """Return where the last complete line ends; a line too long is cut between two characters."""
    end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    if end or whole:
        return end
    end = len(data)
    while end > len(data) - 4 and data[end - 1] & 0b1100_0000 == 0b1000_0000:
        end -= 1
    return end - 1 if data[end - 1] >= 0b1100_0000 else end


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines
