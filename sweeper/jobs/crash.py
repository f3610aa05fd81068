"""Finds the crash of a Python program in the lines it left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

_frame = re.compile(r'\s*(?:\||\+)?\s*File "([^"]+)", line (\d+)').match
_exception = re.compile(r"([^\W\d][\w.]*)(?::|$)").match
#: What launchers put in front of the lines of a rank: `[rank0]: `, `[default0]:`, `0: `.
_rank = re.compile(r"^(?:\[[a-z]*\d+\]:?|\d+:)\s?", re.IGNORECASE)

#: Characters of an exception's line that are shown.
WIDTH = 300


class Crash(NamedTuple):
    """One exception that ended a program.

    Attributes:
        line: The exception's type and words.
        shape: Type and places without words, paths and addresses: the same for the same fault.
    """

    line: str
    shape: str


def without_rank(line: str) -> str:
    """Return a line without what a launcher put in front of it."""
    return _rank.sub("", line)


def last_crash(lines: Sequence[str]) -> Crash | None:
    """Return the last exception that is shown with its places, or None.

    Of chained exceptions the last one counts: it is the one that ended the program.
    """
    places = [(at, found) for at, line in enumerate(lines) if (found := _frame(line))]
    if not places:
        return None
    end = places[-1][0]
    line = next((text for text in lines[end + 1 :] if _exception(text)), None)
    if line is None:
        return None
    start = max((at for at in range(end) if lines[at].startswith("Traceback")), default=-1)
    # a script that is shipped lies elsewhere each time, so only the file's name counts
    frames = [f"{PurePath(f[1]).name}:{f[2]}" for at, f in places if at > start]
    kind = _exception(line)
    return Crash(line.strip()[:WIDTH], " ".join([kind[1] if kind else "", *frames]))
