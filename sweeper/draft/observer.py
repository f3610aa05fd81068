"""Follows a script while it is tried: its metrics, its pace, and what ended it."""

from __future__ import annotations

import codecs
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sweeper.budget.prices import format_duration
from sweeper.draft import passing
from sweeper.draft import reported
from sweeper.draft.findings import FORMS
from sweeper.draft.findings import Findings
from sweeper.draft.findings import SeenMetric
from sweeper.draft.findings import can_be_objective
from sweeper.jobs import failure
from sweeper.jobs import metrics
from sweeper.jobs.executor import JobReport
from sweeper.jobs.executor import Stage
from sweeper.program import Program

#: Lines that are kept to explain a failure; a whole traceback fits.
_KEPT_LINES = 200
#: A line without an end is cut here, in characters.
_LONGEST_LINE = 1 << 20
#: Reserve in a proposed timeout: other values of the parameters may be slower than the defaults.
_RESERVE = 1.5
#: Timeouts are proposed in whole units of this size, up to that many seconds.
_ROUNDING_S = ((600, 60), (3600, 300), (math.inf, 900))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a try ended.

    Attributes:
        seconds: How long it ran.
        exit_code: As `subprocess` says it (a signal is negative); None if it was cut.
        cut: Whether its time was over.
    """

    seconds: float
    exit_code: int | None
    cut: bool


@dataclass(slots=True)
class _Metric:
    count: int = 0
    last: float = math.nan
    form: int = 0
    finite: bool = True

    def see(self, value: float, form: int) -> None:
        self.count, self.last = self.count + 1, value
        self.form, self.finite = max(self.form, form), self.finite and math.isfinite(value)


class Observer:
    """Takes a script's output as it comes.

    Args:
        program: What is tried.
        on_line: Called with each line.
        started: When the script is started, on the clock of `take`.
    """

    def __init__(
        self, program: Program, on_line: Callable[[str], None] | None, started: float
    ) -> None:
        self._program = program
        self._on_line = on_line
        self._started = started
        resource = program.training.resource
        self._resource = resource.name if resource else None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._metrics: dict[str, _Metric] = {}
        self._axis = self._resource or "step"
        self._pace: list[tuple[float, float]] = []

    def take(self, chunk: bytes, now: float) -> None:
        """Read on; a carriage return ends a line too."""
        text = self._rest + self._decoder.decode(chunk)
        *lines, self._rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = ""
        for line in lines:
            self._read(line, now)

    def close(self, now: float) -> None:
        """Read what stands behind the last line end."""
        rest, self._rest = self._rest + self._decoder.decode(b"", True), ""
        if rest:
            self._read(rest, now)

    def _read(self, line: str, now: float) -> None:
        self._lines.append(line)
        if self._on_line is not None:
            self._on_line(line)
        parsed = metrics.parse_line(line)
        if parsed is None:
            return
        numbers = {name: v for name, v in parsed.values.items() if isinstance(v, float)}
        self._follow_axis(numbers, now)
        for name, value in numbers.items():
            if name not in (self._resource, "step", "epoch"):
                self._metrics.setdefault(name, _Metric()).see(value, parsed.form)

    def _follow_axis(self, numbers: dict[str, float], now: float) -> None:
        """Note when the axis moved on; the first axis that shows counts."""
        names = [self._resource, "step", "epoch"] if not self._pace else [self._axis]
        for name in names:
            value = numbers.get(name) if name else None
            if name and value is not None and math.isfinite(value):
                if not self._pace or value > self._pace[-1][0]:
                    self._axis = name
                    self._pace.append((value, now))
                return

    def findings(self, ended: Ended) -> Findings:
        """Return what was seen, once the script has ended."""
        metric = self._program.goal.metric
        came = metric in self._metrics
        went_on = bool(self._metrics) or ended.exit_code == 0
        pace = self._seconds_per_step()
        startup = None if pace is None else self._startup(pace)
        timeout, reason = self._timeout(ended, pace, startup)
        return Findings(
            metric=metric,
            metrics=tuple(self._seen()),
            passing=passing.judge(self._program, self._lines, went_on=went_on),
            ran_s=ended.seconds,
            cut=ended.cut,
            exit_code=None if ended.exit_code is None or ended.exit_code < 0 else ended.exit_code,
            steps=self._pace[-1][0] if self._pace else None,
            axis=self._axis,
            seconds_per_step=pace,
            startup_s=startup,
            proposed_max_timeout_s=timeout,
            timeout_reason=reason,
            failure=self._failure(ended, came=came),
        )

    def _seen(self) -> list[SeenMetric]:
        goal = self._program.goal.metric
        found = [
            SeenMetric(
                name,
                each.count,
                each.last,
                FORMS[each.form],
                each.finite,
                name == goal or can_be_objective(name, each.last),
            )
            for name, each in self._metrics.items()
        ]
        return sorted(found, key=lambda s: (s.name != goal, -reported.worth(s.name), s.name))

    def _seconds_per_step(self) -> float | None:
        """Between the first and the last value of the axis; of a lone one since the start."""
        if not self._pace:
            return None
        (first, began), (last, at) = self._pace[0], self._pace[-1]
        if last > first and at > began:
            return (at - began) / (last - first)
        return (at - self._started) / last if last > 0 and last == first else None

    def _startup(self, pace: float) -> float:
        first, at = self._pace[0]
        return max(0.0, at - self._started - pace * max(first, 0.0))

    def _timeout(
        self, ended: Ended, pace: float | None, startup: float | None
    ) -> tuple[float | None, str]:
        resource = self._program.training.resource
        if ended.exit_code == 0:
            whole = f"a whole run took {format_duration(max(1, round(ended.seconds)))}"
            return _rounded_up(ended.seconds * _RESERVE), f"{whole}, half as much again"
        if ended.exit_code is not None:
            return None, "the script failed"
        if pace is None or startup is None:
            return None, "no step was seen in this time; try it with more --seconds"
        if resource is None or resource.max is None or resource.name != self._axis:
            said = f"how many of {self._axis} a run has is not known"
            return None, f"{said}; give `resource: {{name: {self._axis}, max: …}}` under Training"
        whole_s = startup + pace * resource.max
        reason = (
            f"{resource.max:g} × {pace:.3g} s and {startup:.0f} s of start, half as much again"
        )
        return _rounded_up(whole_s * _RESERVE), reason

    def _failure(self, ended: Ended, *, came: bool) -> failure.Failure | None:
        if ended.cut or (ended.exit_code == 0 and came):
            return None
        code = ended.exit_code or 0
        report = JobReport(
            job_id="try",
            stage=Stage.COMPLETED if code == 0 else Stage.ERROR,
            running_s=ended.seconds,
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
        )
        seen = [name for name, each in self._metrics.items() if can_be_objective(name, each.last)]
        metric = self._program.goal.metric
        return failure.classify(report, list(self._lines), metric=metric, seen=seen)


def _rounded_up(seconds: float) -> float:
    """Return a duration that a person would write, not below `seconds`."""
    unit = next(unit for until, unit in _ROUNDING_S if seconds <= until)
    return float(max(unit, math.ceil(seconds / unit) * unit))
