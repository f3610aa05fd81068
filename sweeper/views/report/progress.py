"""How the sweep went: the staircase of the best so far, and every learning curve."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sweeper.summary import findings
from sweeper.summary.findings import Improvement
from sweeper.summary.records import Snapshot
from sweeper.summary.records import Trial
from sweeper.views import wording
from sweeper.views.report import plot
from sweeper.views.report.plot import Figure
from sweeper.views.report.plot import NothingToShow
from sweeper.views.report.plot import Trace

#: How many curves are drawn with a name of their own; the rest share a line style.
NAMED = 5


def staircase(snapshot: Snapshot) -> Figure:
    """Draw every complete trial by its origin and the best so far with its noise band."""
    done = _in_order(trial for trial in snapshot.trials if trial.counts)
    steps = findings.improvements(snapshot)
    if not steps:
        raise NothingToShow("No trial is complete yet.")
    place = {trial.number: index for index, trial in enumerate(done, start=1)}
    corners = [(place[step.trial.number], step.trial.value) for step in steps]
    corners.append((len(done), corners[-1][1]))
    traces = [
        *_band(corners, snapshot),
        {
            "type": "scatter",
            "mode": "lines",
            "name": "best so far",
            "x": [x for x, _ in corners],
            "y": [y for _, y in corners],
            "line": {"shape": "hv", "width": 2.5, "color": plot.GOOD},
            "hoverinfo": "skip",
        },
        *_points(done, place),
    ]
    values = plot.finite(trial.value for trial in done)
    layout = {
        "xaxis": {"title": {"text": "finished trials"}, "rangemode": "tozero"},
        "yaxis": plot.value_axis(values, snapshot.study.metric),
        "annotations": _annotations(steps, place),
    }
    return Figure(traces, layout, 400)


def _in_order(trials: Iterable[Trial]) -> list[Trial]:
    return sorted(trials, key=lambda trial: (trial.finished_at or 0.0, trial.number))


def _band(corners: list[tuple[int, float | None]], snapshot: Snapshot) -> list[Trace]:
    """Return the band within which a difference is noise, as stairs above and below."""
    floor = snapshot.best.noise_floor if snapshot.best else None
    if not floor:
        return []
    x = [x for x, _ in corners]
    edge = {"width": 0, "shape": "hv"}
    common = {"type": "scatter", "mode": "lines", "line": edge, "hoverinfo": "skip", "x": x}
    return [
        {**common, "y": [(y or 0.0) - floor for _, y in corners], "showlegend": False},
        {
            **common,
            "y": [(y or 0.0) + floor for _, y in corners],
            "name": "noise",
            "fill": "tonexty",
            "fillcolor": "rgba(47,158,110,0.16)",
        },
    ]


def _points(done: list[Trial], place: dict[int, int]) -> list[Trace]:
    traces: list[Trace] = []
    for origin, colour in plot.ORIGINS.items():
        own = [trial for trial in done if findings.origin_label(trial) == origin]
        if own:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": origin,
                    "x": [place[trial.number] for trial in own],
                    "y": [trial.value for trial in own],
                    "text": [plot.hover(trial) for trial in own],
                    "hoverinfo": "text",
                    "marker": {"color": colour, "size": 7},
                }
            )
    return traces


def _annotations(steps: list[Improvement], place: dict[int, int]) -> list[dict[str, Any]]:
    """Label the first step and the latest real ones with what changed.

    `report.js` leaves the labels out where the page is too narrow; the table below repeats them.
    """
    real = [step for step in steps[1:] if step.real is not False][-6:]
    return [
        {
            "x": place[step.trial.number],
            "y": step.trial.value,
            "text": plot.label(_caption(step)),
            "ax": 34,
            "ay": -26 - 20 * (index % 3),
            "xanchor": "left",
            "arrowwidth": 1,
            "arrowhead": 0,
            "font": {"size": 11},
        }
        for index, step in enumerate([steps[0], *real])
    ]


def _caption(step: Improvement) -> str:
    origin = findings.origin_label(step.trial)
    if not step.changed:
        return f"#{step.trial.number} {origin}"
    name, _, after = step.changed[0]
    more = f" +{len(step.changed) - 1}" if len(step.changed) > 1 else ""
    change = plot.shortened(f"{name} {wording.scalar(after)}", 24)
    return f"#{step.trial.number} {change}{more} ({origin})"


def curves(snapshot: Snapshot) -> Figure:
    """Draw every learning curve: the best ones by name, pruned and failed ones dimmed."""
    drawn = [trial for trial in snapshot.trials if len(trial.curve) > 1]
    if not drawn:
        raise NothingToShow("No trial has reported more than one reading yet.")
    most = plot.MOST_POINTS // len(drawn)
    sign = snapshot.study.sign
    ranked = sorted(
        (trial for trial in drawn if trial.counts),
        key=lambda trial: (sign * (trial.value or 0.0), trial.number),
    )
    best = ranked[:NAMED]
    groups = [
        ("pruned", [each for each in drawn if each.state == "pruned"], plot.QUIET, 0.35, "dot"),
        ("failed", [each for each in drawn if each.state == "failed"], "#d9534f", 0.45, "dot"),
        ("complete", ranked[NAMED:] + _uncounted(drawn), plot.ACCENT, 0.4, "solid"),
        ("running", [each for each in drawn if not each.finished], "#d97706", 0.9, "solid"),
    ]
    traces = [_group(*group, most) for group in groups if group[1]]
    # The best comes last, on top of the others.
    traces += [_named(trial, index, most) for index, trial in reversed(list(enumerate(best)))]
    values = plot.finite(value for trial in drawn for _, value in trial.curve)
    resource = snapshot.study.resource
    layout = {
        "xaxis": {"title": {"text": plot.label(resource.name if resource else "step")}},
        "yaxis": plot.value_axis(values, snapshot.study.metric),
        "hovermode": "closest",
    }
    return Figure(traces, layout, 400)


def _uncounted(drawn: list[Trial]) -> list[Trial]:
    return [trial for trial in drawn if trial.state == "complete" and not trial.counts]


def _group(
    name: str, trials: list[Trial], colour: str, opacity: float, dash: str, most: int
) -> Trace:
    """Return many curves as one trace: gaps between them, one entry in the legend."""
    x: list[int | None] = []
    y: list[float | None] = []
    text: list[str] = []
    for trial in trials:
        points = plot.thinned(trial.curve, most)
        x += [*(step for step, _ in points), None]
        y += [*(value for _, value in points), None]
        text += [f"trial {trial.number} ({name})"] * (len(points) + 1)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{name} ({len(trials)})",
        "x": x,
        "y": y,
        "text": text,
        "hoverinfo": "text+x+y",
        "opacity": opacity,
        "line": {"color": colour, "width": 1.3, "dash": dash},
    }


def _named(trial: Trial, rank: int, most: int) -> Trace:
    points = plot.thinned(trial.curve, most)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"trial {trial.number}{' (best)' if rank == 0 else ''}",
        "x": [step for step, _ in points],
        "y": [value for _, value in points],
        "text": [f"trial {trial.number}"] * len(points),
        "hoverinfo": "text+x+y",
        "line": {
            "color": plot.GOOD if rank == 0 else plot.ACCENT,
            "width": 3 if rank == 0 else 1.8,
        },
        "opacity": 1 if rank == 0 else 0.85,
        "showlegend": rank == 0,
    }
