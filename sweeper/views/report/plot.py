"""What the page's figures have in common: how they are described, colours, thinning.

A figure is plain data in plotly's own form; `assets/report.js` adds the page's light or dark
colours and draws it. Plotly reads a little HTML in texts, so foreign texts go through `label`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from typing import Any
from typing import NamedTuple

from sweeper.summary import findings
from sweeper.summary.records import Trial
from sweeper.views import wording

Trace = dict[str, Any]

#: Colours that are told apart on white and on near-black, and in print by their order in legends.
ORIGINS: Mapping[str, str] = {
    "baseline": "#7d8590",
    "literature": "#d97706",
    "proposal": "#c2557f",
    "model": "#3b82f6",
    "queued": "#8b6fd6",
    "repeat": "#5aa7a7",
}
OUTCOMES: Mapping[str, str] = {
    "complete": "#2f9e6e",
    "pruned": "#d9a520",
    "failed": "#d9534f",
    "lost": "#a66bbe",
    "running": "#3b82f6",
}
ACCENT = "#3b82f6"
GOOD = "#2f9e6e"
QUIET = "#8b949e"

#: Points of all curves together; more would make the page heavy and tell nothing.
MOST_POINTS = 30_000


class Figure(NamedTuple):
    """One chart of the page.

    Attributes:
        traces: What is drawn.
        layout: How; colours of text and grid are the page's.
        height: Pixels.
    """

    traces: list[Trace]
    layout: dict[str, Any]
    height: int = 340

    def as_document(self) -> dict[str, Any]:
        """Return it as `report.js` reads it."""
        return {"traces": self.traces, "layout": self.layout, "height": self.height}


class NothingToShow(Exception):
    """A chart has nothing to show yet; its sentence stands in its place."""


def label(text: str) -> str:
    """Return a foreign text that plotly shows as it is."""
    return html.escape(wording.plain(text), quote=False)


def shortened(text: str, length: int) -> str:
    """Return a text of at most `length` characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def moment(seconds: float) -> str:
    """Return UTC seconds as plotly's date axis reads them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def hover(trial: Trial) -> str:
    """Return what a point says when pointed at: number, origin, value and configuration."""
    lines = [f"trial {trial.number} ({label(findings.origin_label(trial))})"]
    if trial.value is not None:
        lines.append(wording.value(trial.value))
    pairs = [f"{name}={wording.scalar(setting)}" for name, setting in trial.params.items()]
    lines += [label(shortened(pair, 60)) for pair in pairs[:12]]
    return "<br>".join(lines)


def finite(values: Iterable[float | None]) -> list[float]:
    """Return the values that a chart can place."""
    return [value for value in values if value is not None and math.isfinite(value)]


def thinned(curve: Sequence[tuple[int, float]], most: int) -> list[tuple[int, float | None]]:
    """Return a curve of at most `most` points, its last one kept; infinities become gaps."""
    stride = max(1, math.ceil(len(curve) / max(2, most)))
    kept = [*curve[:-1:stride], curve[-1]] if curve else []
    return [(step, value if math.isfinite(value) else None) for step, value in kept]


def value_axis(values: Sequence[float], title: str) -> dict[str, Any]:
    """Return an axis for the objective that outliers do not flatten.

    A diverged trial may stand thousands of times above the rest; the range then ends at three
    spreads of the middle half beyond it, on the side where nothing is cut off from the good end.
    """
    axis: dict[str, Any] = {"title": {"text": label(title)}}
    if len(values) < 8:
        return axis
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 4], ordered[3 * len(ordered) // 4]
    margin = 3 * (high - low)
    bottom, top = max(ordered[0], low - margin), min(ordered[-1], high + margin)
    if margin > 0 and (bottom > ordered[0] or top < ordered[-1]):
        pad = (top - bottom) * 0.06
        axis["range"] = [bottom - pad, top + pad]
    return axis
