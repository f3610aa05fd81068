"""What the sweep cost and when: spend over time, spend against value, the jobs' time line."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from sweeper.summary.records import Job
from sweeper.summary.records import Snapshot
from sweeper.views import wording
from sweeper.views.report import plot
from sweeper.views.report.plot import Figure
from sweeper.views.report.plot import NothingToShow
from sweeper.views.report.plot import Trace


def over_time(snapshot: Snapshot) -> Figure:
    """Draw what was spent by when, and the limit if it is in sight."""
    settled = _settled(snapshot)
    if not settled:
        raise NothingToShow("No job is settled yet.")
    unit = _Unit(snapshot)
    spent = list(accumulate(unit.of(job) for job in settled))
    moments = [plot.moment(job.settled_at or 0.0) for job in settled]
    traces: list[Trace] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "spent",
            "x": moments,
            "y": spent,
            "text": [f"{job.purpose}: {unit.say(job)}" for job in settled],
            "hoverinfo": "x+y+text",
            "line": {"shape": "hv", "width": 2.5, "color": plot.ACCENT},
            "fill": "tozeroy",
            "fillcolor": "rgba(59,130,246,0.12)",
        }
    ]
    if unit.limit is not None and unit.limit < 4 * spent[-1]:
        traces.append(_limit_line(moments, unit.limit))
    layout = {
        "yaxis": {"title": {"text": unit.title}, "rangemode": "tozero"},
        "xaxis": {"type": "date"},
    }
    return Figure(traces, layout, 300)


def _limit_line(moments: list[str], limit: float) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "limit",
        "x": [moments[0], moments[-1]],
        "y": [limit, limit],
        "hoverinfo": "y+name",
        "line": {"color": "#d9534f", "dash": "dash", "width": 1.5},
    }


def against_value(snapshot: Snapshot) -> Figure:
    """Draw the best so far over what had been spent when it was found."""
    unit = _Unit(snapshot)
    spent, corners = 0.0, []
    best: float | None = None
    for job in _settled(snapshot):
        spent += unit.of(job)
        trial = None if job.trial is None else snapshot.trial(job.trial)
        if trial is None or not trial.counts or trial.value is None:
            continue
        if best is None or snapshot.study.better(trial.value, best):
            best = trial.value
            corners.append((spent, best, f"trial {trial.number}"))
    if best is None:
        raise NothingToShow("No trial is complete yet.")
    corners.append((spent, best, "now"))
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [each[0] for each in corners],
        "y": [each[1] for each in corners],
        "text": [each[2] for each in corners],
        "hoverinfo": "x+y+text",
        "line": {"shape": "hv", "width": 2.5, "color": plot.GOOD},
        "marker": {"size": 7, "color": plot.GOOD},
    }
    layout = {
        "xaxis": {"title": {"text": unit.title}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": plot.label(f"best {snapshot.study.metric}")}},
        "showlegend": False,
    }
    return Figure([trace], layout, 300)


def timeline(snapshot: Snapshot) -> Figure:
    """Draw when each job waited and ran; jobs side by side ran at the same time."""
    jobs = [job for job in snapshot.jobs if job.submitted_at is not None]
    if not jobs:
        raise NothingToShow("No job was submitted yet.")
    lanes = _lanes(jobs, snapshot.taken_at)
    traces = [_waits(jobs, lanes, snapshot.taken_at)]
    for outcome, colour in plot.OUTCOMES.items():
        own = [job for job in jobs if _outcome(job) == outcome and job.started_at is not None]
        if own:
            traces.append(_runs(own, lanes, outcome, colour, snapshot.taken_at))
    count = 1 + max(lanes.values())
    layout: dict[str, Any] = {
        "barmode": "overlay",
        "bargap": 0.25,
        "xaxis": {"type": "date"},
        "yaxis": {"visible": False, "range": [count - 0.4, -0.6]},
        "hovermode": "closest",
    }
    return Figure([trace for trace in traces if trace["x"]], layout, 120 + 34 * min(count, 14))


def _lanes(jobs: list[Job], now: float) -> dict[int, int]:
    """Give each job, by its place in the list, the first lane that is free when it begins."""
    free_from: list[float] = []
    lanes: dict[int, int] = {}
    for job in sorted(jobs, key=lambda job: job.submitted_at or 0.0):
        begun = job.submitted_at or 0.0
        lane = next((i for i, free in enumerate(free_from) if free <= begun), len(free_from))
        if lane == len(free_from):
            free_from.append(0.0)
        free_from[lane] = _ended(job, now)
        lanes[id(job)] = lane
    return lanes


def _ended(job: Job, now: float) -> float:
    return job.finished_at or job.settled_at or now


def _outcome(job: Job) -> str:
    return "running" if job.open else (job.outcome or "failed")


def _waits(jobs: list[Job], lanes: dict[int, int], now: float) -> Trace:
    spans = [(job, job.submitted_at or 0.0, job.started_at or _ended(job, now)) for job in jobs]
    return _bars("waiting", plot.QUIET, spans, lanes)


def _runs(jobs: list[Job], lanes: dict[int, int], outcome: str, colour: str, now: float) -> Trace:
    spans = [(job, job.started_at or 0.0, _ended(job, now)) for job in jobs]
    return _bars(outcome, colour, spans, lanes)


def _bars(
    name: str, colour: str, spans: list[tuple[Job, float, float]], lanes: dict[int, int]
) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "base": [plot.moment(begun) for _, begun, _ in spans],
        # On a date axis a bar's length is in milliseconds.
        "x": [max(0.0, ended - begun) * 1000 for _, begun, ended in spans],
        "y": [lanes[id(job)] for job, _, _ in spans],
        "text": [
            plot.label(f"{job.purpose} {name} {wording.duration(ended - begun)} ({job.flavor})")
            for job, begun, ended in spans
        ],
        "textposition": "none",
        "hoverinfo": "text",
        "marker": {"color": colour, "line": {"width": 0}},
    }


def _settled(snapshot: Snapshot) -> list[Job]:
    settled = [job for job in snapshot.jobs if job.state == "settled" and job.settled_at]
    return sorted(settled, key=lambda job: job.settled_at or 0.0)


class _Unit:
    """What spending is measured in: dollars, or hours of run time where nothing costs money."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._paid = any(job.cost_micro_usd for job in snapshot.jobs)
        budget = snapshot.budget
        limit = budget.micro_usd.limit if self._paid else budget.walltime_s.limit
        self._per = 1e6 if self._paid else 3600.0
        self.title = "USD" if self._paid else "hours of run time"
        self.limit = None if limit is None else limit / self._per

    def of(self, job: Job) -> float:
        """Return what a job spent, in this unit."""
        amount = job.cost_micro_usd if self._paid else job.billed_s
        return (amount or 0.0) / self._per

    def say(self, job: Job) -> str:
        """Write what a job spent."""
        return wording.usd(job.cost_micro_usd) if self._paid else wording.duration(job.billed_s)
