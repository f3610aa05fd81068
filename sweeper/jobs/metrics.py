"""The line a job prints and the line we read.

Three forms, the strongest first:

    [sweeper] {"step": 100, "eval_loss": 1.23}     what `inside/sweeper_report.py` writes (3)
    {'eval_loss': '1.23', 'epoch': 0.5}            a trainer's own print, rounded (2)
    epoch=3 eval_loss=1.23   eval_loss: 1.23       what people print (1)

The strongest form in which a job reports the objective counts; the weaker ones repeat the same
readings with fewer digits. Standard library only and fit for Python 3.9, because the runner reads
lines inside a job too.
"""

from __future__ import annotations

import json
import math
import re
from typing import NamedTuple

from sweeper.jobs.inside.sweeper_report import MARK
from sweeper.jobs.inside.sweeper_report import RESERVED
from sweeper.jobs.inside.sweeper_report import format_line

__all__ = ["Line", "MetricReader", "Reading", "format_line", "numbered", "parse_line"]

#: Characters of a line that are read; of a longer one the end, where a progress bar's text stops.
LINE_LIMIT = 65_536
#: Names of which the last value is remembered, and characters of each.
SEEN_LIMIT = 64
NAME_LIMIT = 128
#: What an epoch is multiplied by, so that fractions become whole steps.
EPOCH_SCALE = 1000
#: The largest step that every storage holds (PostgreSQL's INTEGER).
STEP_LIMIT = 2**31 - 1

REPORTED, TRAINER, PRINTED = 3, 2, 1

_NUMBER = r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|nan|inf(?:inity)?)"
_number = re.compile(_NUMBER, re.IGNORECASE).fullmatch
_pairs = re.compile(
    r"(?<![\w./\-])([^\W\d][\w./\-]*)\s{0,8}[=:]\s{0,8}(" + _NUMBER + r")(?!\w|\.\w)",
    re.IGNORECASE,
).findall
_tokens = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[{}\[\](),:]|[^\s'"{}\[\](),:]+"""
).finditer
_colours = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]").sub
_sequence = re.compile(r"\[sweeper ([0-9]{1,15})\] ").search
_decode = json.JSONDecoder().raw_decode


class Line(NamedTuple):
    """What one line says.

    Attributes:
        values: Numbers by name, `step` and `epoch` among them, and the texts of a strong line.
        form: Strength of the form: 3, 2 or 1.
        seq: Number that the runner inside a job gave the line, or None.
    """

    values: dict[str, float | str]
    form: int
    seq: int | None = None


class Reading(NamedTuple):
    """One value of the objective.

    Attributes:
        step: Where on the resource axis it stands; a repeated step overwrites.
        value: The value; NaN and infinity mean that the training diverged.
        restart: Whether earlier readings of this attempt came in a weaker form and are void.
        seq: Number that the runner inside a job gave the line, or None.
    """

    step: int
    value: float
    restart: bool = False
    seq: int | None = None


def numbered(line: str, seq: int) -> str:
    """Return a metric line that carries its number, so that a repeated log is told apart."""
    return f"[sweeper {seq}] {line}"


def parse_line(line: str) -> Line | None:
    """Return what a line says in the strongest form that it contains, or None.

    Args:
        line: One line; colours and a progress bar in front do not matter.
    """
    if len(line) > LINE_LIMIT:
        line = line[-LINE_LIMIT:]
    if "\x1b" in line:
        line = _colours("", line)
    seq = None
    if "[sweeper" in line:
        found = _sequence(line)
        if found:
            seq, line = int(found[1]), line[found.end() :]
        if MARK in line:
            return _reported(line, seq)
    if "{" in line:
        values = _trainer(line)
        if values:
            return Line(values, TRAINER, seq)
    if "=" not in line and ":" not in line:
        return None
    printed: dict[str, float | str] = {name: float(text) for name, text in _pairs(line)}
    return Line(printed, PRINTED, seq) if printed else None


def _reported(line: str, seq: int | None) -> Line | None:
    """Read the strong form; what follows the JSON document is a progress bar's."""
    try:
        document, _ = _decode(line, line.index(MARK) + len(MARK))
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    own = document.pop("seq", None)
    if isinstance(own, int) and not isinstance(own, bool) and own >= 0:
        seq = own
    values = {name: _plain(value) for name, value in document.items()}
    return Line({name: v for name, v in values.items() if v is not None}, REPORTED, seq)


def _plain(value: object) -> float | str | None:
    if isinstance(value, str):
        return float(value) if _number(value) else value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _trainer(line: str) -> dict[str, float | str] | None:
    """Read the first complete dict of names on the line; what is nested in it is not read."""
    start = min((at for at in (line.find("{'"), line.find('{"')) if at >= 0), default=-1)
    if start < 0:
        return None
    values: dict[str, float | str] = {}
    depth = 0
    item: list[str] = []
    for match in _tokens(line, start):
        token = match[0]
        if token in "{[(":
            depth += 1
        elif token in "}])":
            depth -= 1
        if depth == 0 or (depth == 1 and token == ","):
            _take(item, values)
            item = []
            if depth == 0:
                return values
        elif len(item) < 6 and not (depth == 1 and token == "{"):
            item.append(token)
    return None


def _take(item: list[str], values: dict[str, float | str]) -> None:
    """Add `'name': number` to the values; the number may be quoted or wrapped as numpy does."""
    if len(item) < 3 or item[1] != ":" or item[0][0] not in "'\"":
        return
    wrapped = len(item) > 4 and item[3] == "(" and item[2].replace(".", "").isidentifier()
    text = item[4] if wrapped else item[2]
    if (len(item) == 3 or wrapped) and _number(text.strip("'\"")):
        values[item[0][1:-1]] = float(text.strip("'\""))


class MetricReader:
    """Reads a job's lines in order and says what they mean for the objective.

    Args:
        metric: Name of the objective.
        resource_name: Name of the axis that the program declares, or None.
        state: What an earlier reader's `state()` returned, to read on where it stopped.
    """

    def __init__(
        self,
        metric: str,
        resource_name: str | None = None,
        state: dict[str, object] | None = None,
    ) -> None:
        self._metric = metric
        self._resource = resource_name
        self._form = 0
        self._last: int | None = None
        self._void = False
        self._reports: str | None = None
        self._seen: dict[str, float] = {}
        self._numbers: list[list[int]] = []
        if state:
            self._resume(state)

    def _resume(self, state: dict[str, object]) -> None:
        form, last, seen, numbers = (state.get(k) for k in ("form", "last", "seen", "numbers"))
        self._form = form if isinstance(form, int) else 0
        self._last = last if isinstance(last, int) else None
        self._void = state.get("void") is True
        reports = state.get("reports")
        self._reports = reports if isinstance(reports, str) else None
        self._seen = {n: float(v) for n, v in seen.items()} if isinstance(seen, dict) else {}
        self._numbers = [list(pair) for pair in numbers] if isinstance(numbers, list) else []

    def state(self) -> dict[str, object]:
        """Return what a later reader needs to go on, as a small JSON document."""
        seen = {n: v if math.isfinite(v) else repr(v) for n, v in self._seen.items()}
        return {
            "form": self._form,
            "last": self._last,
            "void": self._void,
            "reports": self._reports,
            "seen": seen,
            "numbers": [list(pair) for pair in self._numbers],
        }

    @property
    def seen(self) -> dict[str, float]:
        """The numbers that the job printed by name, with their last values."""
        return dict(self._seen)

    @property
    def reports(self) -> str | None:
        """Who announced that it reports in full precision (`transformers`), or None."""
        return self._reports

    def feed(self, line: str) -> list[Reading]:
        """Return the readings of the objective on a line; a carriage return ends one too."""
        if "\r" in line or "\n" in line:
            return [r for part in re.split(r"[\r\n]", line) for r in self._read(part)]
        return self._read(line)

    def _read(self, text: str) -> list[Reading]:
        line = parse_line(text)
        if line is None or not self._new(line.seq):
            return []
        self._remember(line)
        value = line.values.get(self._metric)
        if not isinstance(value, float) or line.form < self._form:
            return []
        if line.form > self._form:
            self._strengthen(line.form)
        return [self._reading(line, value)]

    def _strengthen(self, form: int) -> None:
        """A stronger form voids what the weaker one said; counting begins anew."""
        self._void = self._last is not None
        self._form, self._last = form, None

    def _reading(self, line: Line, value: float) -> Reading:
        step = self._step(line.values)
        if step is None:
            step = 1 if self._last is None else min(self._last + 1, STEP_LIMIT)
        self._last = step if self._last is None else max(step, self._last)
        restart, self._void = self._void, False
        return Reading(step, value, restart, line.seq)

    def _step(self, values: dict[str, float | str]) -> int | None:
        for name in (self._resource, "step", "epoch"):
            value = values.get(name) if name else None
            if not isinstance(value, float):
                continue
            scaled = value * EPOCH_SCALE if name == "epoch" else value
            if -0.5 <= scaled <= STEP_LIMIT:
                return round(scaled)
        return None

    def _remember(self, line: Line) -> None:
        """Keep the last value of every name, the most recent ones when there are too many."""
        for name, value in line.values.items():
            if name == "reports" and isinstance(value, str) and line.form == REPORTED:
                self._reports = value[:NAME_LIMIT]
            if isinstance(value, float) and name not in RESERVED:
                self._seen.pop(name[:NAME_LIMIT], None)
                self._seen[name[:NAME_LIMIT]] = value
        while len(self._seen) > SEEN_LIMIT:
            del self._seen[next(iter(self._seen))]

    def _new(self, seq: int | None) -> bool:
        """Note a line's number; False when a line of that number was read before.

        The numbers are kept as ranges, so a log that is repeated or comes in pieces costs nothing.
        """
        if seq is None:
            return True
        if any(low <= seq <= high for low, high in self._numbers):
            return False
        merged: list[list[int]] = []
        for low, high in sorted([*self._numbers, [seq, seq]]):
            if merged and low == merged[-1][1] + 1:
                merged[-1][1] = high
            else:
                merged.append([low, high])
        self._numbers = merged
        return True
