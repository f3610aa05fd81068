"""The log of a job and its server-sent events, with the ways in which a replay can go wrong."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from tests.doubles.hub.clock import iso


@dataclass(frozen=True)
class Line:
    """One event of the stream."""

    at: float
    text: str

    def event(self) -> bytes:
        """Return the line as JavaScript's JSON.stringify would send it: nothing escaped twice."""
        document = {"data": self.text, "timestamp": iso(self.at)}
        return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"


@dataclass
class Log:
    """Everything a job said, growing."""

    lines: list[Line] = field(default_factory=list)
    closed: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, at: float, text: str) -> None:
        """Append one line and wake those who follow."""
        with self.changed:
            self.lines.append(Line(at, text))
            self.changed.notify_all()

    def close(self) -> None:
        """Nothing more will be said."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def wait(self, known: int, timeout_s: float) -> list[Line]:
        """Return the lines behind `known`, waiting for the first of them."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.lines) > known or self.closed, timeout_s)
            return self.lines[known:]


def replayed(lines: list[Line], fault: dict[str, Any]) -> list[Line]:
    """Return the lines that stand when a connection opens, as a fault distorts them."""
    mode = fault.get("mode", "whole")
    said = int(fault.get("lines", 3))
    if mode == "tail":
        return [*lines[:1], *lines[1:][-said:]]
    if mode == "shifted":
        return [*lines[:1], *lines[1 + said :]]
    if mode == "doubled":
        return [line for line in lines for _ in range(2)]
    if mode == "repeated":
        return [*lines, *lines]
    return list(lines)
