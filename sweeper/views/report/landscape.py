"""Where good values lie: parallel coordinates, importances and a slice of each parameter."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from sweeper.summary import findings
from sweeper.summary.records import Scalar
from sweeper.summary.records import Snapshot
from sweeper.summary.records import Trial
from sweeper.views import wording
from sweeper.views.report import plot
from sweeper.views.report.importance import FEWEST_TRIALS
from sweeper.views.report.plot import Figure
from sweeper.views.report.plot import NothingToShow
from sweeper.views.report.plot import Trace

#: Axes of the parallel coordinates and slices at most; the most important come first.
MOST_PARAMETERS = 12

# Worst to best, told apart by lightness too.
_RANKS = ("#6b7280", "#7c83a8", "#6d8fd0", "#4c9be8", "#35a7c9", "#2fae97", "#3fb56a", "#8ac926")


class Axis(NamedTuple):
    """One parameter as an axis from 0 to 1.

    Attributes:
        name: The parameter.
        place: Where a setting stands.
        ticks: (place, text) at least at both ends.
        kind: linear, log or choice.
        choices: Settings of a categorical parameter, as text.
    """

    name: str
    place: Callable[[Scalar], float | None]
    ticks: list[tuple[float, str]]
    kind: str
    choices: tuple[str, ...] = ()


def axes(snapshot: Snapshot) -> list[Axis]:
    """Return the parameters as axes, in the order in which they were declared."""
    return [_axis(name, json.loads(text)) for name, text in snapshot.distributions.items()]


def _axis(name: str, distribution: dict[str, Any]) -> Axis:
    attributes = distribution["attributes"]
    if distribution["name"] == "CategoricalDistribution":
        return _choice_axis(name, attributes["choices"])
    low, high = float(attributes["low"]), float(attributes["high"])
    scale = math.log if attributes.get("log") else float
    bottom, width = scale(low), scale(high) - scale(low)

    def place(setting: Scalar) -> float | None:
        if isinstance(setting, bool) or not isinstance(setting, int | float):
            return None
        return (scale(setting) - bottom) / width if width else 0.5

    ticks = [(0.0, wording.scalar(low)), (1.0, wording.scalar(high))]
    return Axis(name, place, ticks, "log" if attributes.get("log") else "linear")


def _choice_axis(name: str, choices: Sequence[Scalar]) -> Axis:
    texts = [wording.scalar(choice) for choice in choices]
    last = max(1, len(texts) - 1)
    places = {text: index / last for index, text in enumerate(texts)}
    ticks = [(place, plot.shortened(text, 12)) for text, place in places.items()]
    return Axis(
        name, lambda setting: places.get(wording.scalar(setting)), ticks, "choice", tuple(texts)
    )


def _shown_axes(snapshot: Snapshot, weights: Mapping[str, float]) -> list[Axis]:
    """Return at most `MOST_PARAMETERS` axes, the important ones if some must go."""
    every = axes(snapshot)
    if len(every) <= MOST_PARAMETERS:
        return every
    return sorted(every, key=lambda axis: -weights.get(axis.name, 0.0))[:MOST_PARAMETERS]


def parallel(snapshot: Snapshot, weights: Mapping[str, float]) -> Figure:
    """Draw each complete trial as a line over its parameters, coloured by its rank."""
    shown = _shown_axes(snapshot, weights)
    ranked = sorted(
        (trial for trial in snapshot.trials if trial.counts),
        key=lambda trial: -snapshot.study.sign * (trial.value or 0.0),
    )
    if len(ranked) < 2 or not shown:
        raise NothingToShow("Two complete trials are needed.")
    values = [trial.value or 0.0 for trial in ranked]
    low, high = min(values), max(values)
    objective = Axis(
        snapshot.study.metric,
        lambda value: (float(value or 0.0) - low) / (high - low) if high > low else 0.5,
        [(0.0, wording.value(low)), (1.0, wording.value(high))],
        "linear",
    )
    columns = [*shown, objective]
    count = len(_RANKS)
    traces = [
        _lines(
            [trial for index, trial in enumerate(ranked) if index * count // len(ranked) == rank],
            columns,
            colour,
            rank,
        )
        for rank, colour in enumerate(_RANKS)
    ]
    return Figure([trace for trace in traces if trace["x"]], _parallel_layout(columns), 380)


def _lines(trials: list[Trial], columns: list[Axis], colour: str, rank: int) -> Trace:
    x: list[int | None] = []
    y: list[float | None] = []
    text: list[str] = []
    for trial in trials:
        places = [axis.place(trial.params.get(axis.name)) for axis in columns[:-1]]
        # An inactive parameter is a gap that the line passes over.
        known = [(index, place) for index, place in enumerate(places) if place is not None]
        known.append((len(columns) - 1, columns[-1].place(trial.value) or 0.0))
        x += [*(index for index, _ in known), None]
        y += [*(place for _, place in known), None]
        text += [plot.hover(trial)] * (len(known) + 1)
    best = rank == len(_RANKS) - 1
    return {
        "type": "scatter",
        "mode": "lines",
        "name": {0: "worst", len(_RANKS) - 1: "best"}.get(rank, ""),
        "showlegend": rank in (0, len(_RANKS) - 1),
        "x": x,
        "y": y,
        "text": text,
        "hoverinfo": "text",
        "line": {"color": colour, "width": 2 if best else 1},
        "opacity": 0.95 if best else 0.45,
    }


def _parallel_layout(columns: list[Axis]) -> dict[str, Any]:
    names = [plot.label(plot.shortened(axis.name, 16)) for axis in columns]
    return {
        "xaxis": {
            "tickvals": list(range(len(columns))),
            "ticktext": names,
            "range": [-0.35, len(columns) - 0.65],
            "showgrid": True,
            "zeroline": False,
            "tickangle": 28 if len(columns) > 5 else 0,
        },
        "yaxis": {"visible": False, "range": [-0.09, 1.09]},
        "annotations": [
            {
                "x": index,
                "y": place,
                "text": plot.label(text),
                "showarrow": False,
                "yshift": {0.0: -10, 1.0: 10}.get(place, 0),
                "font": {"size": 10},
                "keep": True,
                "paper": True,
            }
            for index, axis in enumerate(columns)
            for place, text in axis.ticks
        ],
        "hovermode": "closest",
    }


def importances(weights: Mapping[str, float]) -> Figure:
    """Draw how much of the difference between good and bad trials each parameter explains."""
    if not weights:
        raise NothingToShow(f"{FEWEST_TRIALS} complete trials with different values are needed.")
    ordered = sorted(weights.items(), key=lambda item: item[1])[-MOST_PARAMETERS:]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [weight for _, weight in ordered],
        "y": [plot.label(plot.shortened(name, 24)) for name, _ in ordered],
        "text": [f"{weight:.0%}" for _, weight in ordered],
        "textposition": "auto",
        "hoverinfo": "y+text",
        "marker": {"color": plot.ACCENT},
    }
    layout = {
        "xaxis": {"tickformat": ".0%", "rangemode": "tozero"},
        "yaxis": {"automargin": True},
    }
    return Figure([trace], layout, 90 + 28 * len(ordered))


def slices(snapshot: Snapshot, weights: Mapping[str, float]) -> list[tuple[str, Figure]]:
    """Draw the objective over each parameter; returns (parameter, figure)."""
    done = [trial for trial in snapshot.trials if trial.counts]
    if len(done) < 2:
        raise NothingToShow("Two complete trials are needed.")
    values = plot.finite(trial.value for trial in done)
    value_axis = plot.value_axis(values, snapshot.study.metric)
    return [(axis.name, _slice(axis, done, value_axis)) for axis in _shown_axes(snapshot, weights)]


def _slice(axis: Axis, done: list[Trial], value_axis: dict[str, Any]) -> Figure:
    traces = []
    for origin, colour in plot.ORIGINS.items():
        own = [
            trial
            for trial in done
            if axis.name in trial.params and findings.origin_label(trial) == origin
        ]
        if own:
            traces.append(_slice_points(axis, own, origin, colour))
    below: dict[str, Any] = {"title": {"text": plot.label(axis.name)}}
    if axis.kind == "log":
        below |= {"type": "log", "nticks": 5}
    if axis.kind == "choice":
        below |= {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [plot.label(choice) for choice in axis.choices],
        }
    layout = {"xaxis": below, "yaxis": value_axis, "showlegend": False, "hovermode": "closest"}
    return Figure(traces, layout, 240)


def _slice_points(axis: Axis, trials: list[Trial], origin: str, colour: str) -> Trace:
    settings = [trial.params[axis.name] for trial in trials]
    texts = [plot.label(wording.scalar(setting)) for setting in settings]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": origin,
        "x": texts if axis.kind == "choice" else settings,
        "y": [trial.value for trial in trials],
        "text": [plot.hover(trial) for trial in trials],
        "hoverinfo": "text",
        "marker": {"color": colour, "size": 6, "opacity": 0.75},
    }
