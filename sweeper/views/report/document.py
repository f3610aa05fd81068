"""Puts the page together: headline, charts and tables in one HTML file without any address.

Plotly's bundle travels compressed inside the page and is unpacked by the browser itself
(DecompressionStream); a Content-Security-Policy forbids the page every connection, so that it is
known, not hoped, to need no network.
"""

from __future__ import annotations

import base64
import gzip
import importlib.util
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from sweeper.errors import StateError
from sweeper.summary import findings
from sweeper.summary.forecast import forecast
from sweeper.summary.records import Snapshot
from sweeper.views import wording
from sweeper.views.files import write_atomically
from sweeper.views.report import landscape
from sweeper.views.report import money
from sweeper.views.report import progress
from sweeper.views.report import tables
from sweeper.views.report.importance import importances
from sweeper.views.report.plot import Figure
from sweeper.views.report.plot import NothingToShow
from sweeper.views.status import standing
from sweeper.views.status import tally

_ASSETS = Path(__file__).parent / "assets"

#: The policy of the page: what stands in it may run, nothing may be fetched from anywhere.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
    " img-src data: blob:; base-uri 'none'; form-action 'none'"
)


def write(path: Path, snapshot: Snapshot) -> None:
    """Write the page of a sweep whole or not at all.

    Args:
        path: The file.
        snapshot: A look at the sweep with all its curves.

    Raises:
        StateError: Plotly is not installed.
        OSError: The folder cannot be written.
    """
    write_atomically(path, page(snapshot))


def page(snapshot: Snapshot) -> str:
    """Return the page."""
    charts = _Charts()
    body = "\n".join(
        part
        for part in (
            _headline(snapshot),
            _section("The winner against the default", tables.winner(snapshot)),
            _how_it_went(snapshot, charts),
            _where_good_values_lie(snapshot, charts),
            _what_it_cost(snapshot, charts),
            _section("Proposals", tables.earnings(snapshot) + tables.queue(snapshot)),
            _section("Failed trials", tables.failures(snapshot)),
            _section("All trials", tables.trials(snapshot)),
        )
        if part
    )
    return _document(snapshot, body, charts)


class _Charts:
    """The charts of the page, by the id of the element that each is drawn in."""

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, Any]] = {}

    def place(self, name: str, build: Callable[[], Figure]) -> str:
        """Return the element of a chart, or the sentence why there is nothing to draw."""
        try:
            figure = build()
        except NothingToShow as nothing:
            return f'<p class="quiet">{tables.text(nothing)}</p>'
        self.figures[name] = figure.as_document()
        return f'<div class="chart" id="{name}" style="height:{figure.height}px"></div>'


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>" if content else ""


def _headline(snapshot: Snapshot) -> str:
    study = snapshot.study
    name = tables.text(study.name)
    return (
        f"<header><p class=quiet>{tables.text(study.direction)}"
        f" <code>{tables.text(study.metric)}</code></p><h1>{name}</h1>"
        f"<p class=lead>{_finding(snapshot)}</p>{_cards(snapshot)}"
        f"<p class=quiet>{tables.instructions(standing(snapshot))}; as of"
        f" {wording.clock(snapshot.taken_at)}"
        f"{'' if study.uid is None else f', study {study.uid}'}</p></header>"
    )


def _finding(snapshot: Snapshot) -> str:
    """Say in a sentence what was found and how sure that is."""
    best = snapshot.best
    if best is None:
        return "No trial is complete yet."
    parts = [f"Best: <b>{wording.value(best.value)}</b>{_spread(snapshot)}"]
    parts.append(f" in trial {tables.trial_link(best.trial)}")
    reference = findings.baseline(snapshot)
    if reference is not None and reference.number == best.trial:
        parts.append(", the default itself")
    elif reference is not None and reference.value is not None:
        gain = snapshot.study.sign * (reference.value - best.value)
        parts.append(
            f", <b>{wording.gain(gain)}</b> over the default ({wording.value(reference.value)})"
        )
        if best.noise_floor:
            parts.append(f", {gain / best.noise_floor:.1f} times the noise")
    if best.evaluated is not None:
        parts.append(f"; evaluated separately: <b>{wording.value(best.evaluated)}</b>")
    if best.confirmed is not None:
        parts.append("; confirmed" if best.confirmed else "; not confirmed")
    return f"{''.join(parts)}."


def _spread(snapshot: Snapshot) -> str:
    best = snapshot.best
    if best is None or (not best.repeats and not best.noise_floor):
        return ""
    if best.repeats:
        values = [best.value, *best.repeats]
        count = f"{len(values)} runs"
        return f" ({count}: {wording.value(min(values))} to {wording.value(max(values))})"
    return f" ± {best.noise_floor:.2g}"


def _cards(snapshot: Snapshot) -> str:
    budget = snapshot.budget
    ahead = forecast(snapshot)
    cards = [
        ("trials", _trials_card(snapshot)),
        ("jobs", _of(budget.jobs.used, budget.jobs.limit, lambda number: f"{number:.0f}")),
        ("run time", _of(budget.walltime_s.used, budget.walltime_s.limit, wording.duration)),
        ("cost", _of(budget.micro_usd.used, budget.micro_usd.limit, wording.usd)),
    ]
    if ahead is not None and snapshot.study.state == "running":
        more = wording.count(ahead.trials, "job")
        cards.append(
            ("forecast", f"{more} more <small>about, by {wording.clock(ahead.done_at)}</small>")
        )
    inner = "".join(f"<div><dt>{name}</dt><dd>{said}</dd></div>" for name, said in cards)
    return f"<dl class=cards>{inner}</dl>"


def _trials_card(snapshot: Snapshot) -> str:
    _, _, states = tally(snapshot).partition(": ")
    return f"{len(snapshot.trials)} <small>{states}</small>"


def _of(used: float, limit: float | None, write: Callable[[float], str]) -> str:
    return write(used) if limit is None else f"{write(used)} of {write(limit)}"


def _how_it_went(snapshot: Snapshot, charts: _Charts) -> str:
    return _section(
        "Best so far",
        charts.place("staircase", lambda: progress.staircase(snapshot))
        + tables.improvements(snapshot),
    ) + _section("Learning curves", charts.place("curves", lambda: progress.curves(snapshot)))


def _where_good_values_lie(snapshot: Snapshot, charts: _Charts) -> str:
    weights = importances(snapshot)
    return (
        _section(
            "Parallel coordinates",
            charts.place("parallel", lambda: landscape.parallel(snapshot, weights)),
        )
        + _section(
            "Importances",
            charts.place("importances", lambda: landscape.importances(weights))
            + "<p class=quiet>How differently the best tenth of the complete trials chose each"
            " parameter, as shares of the whole (PED-ANOVA).</p>",
        )
        + _section("Slices", _slices(snapshot, weights, charts))
    )


def _slices(snapshot: Snapshot, weights: dict[str, float], charts: _Charts) -> str:
    try:
        slices = landscape.slices(snapshot, weights)
    except NothingToShow as nothing:
        return f'<p class="quiet">{tables.text(nothing)}</p>'
    placed = [
        charts.place(f"slice-{index}", lambda figure=figure: figure)  # type: ignore[misc]
        for index, (_, figure) in enumerate(slices)
    ]
    return f"<div class=grid>{''.join(placed)}</div>"


def _what_it_cost(snapshot: Snapshot, charts: _Charts) -> str:
    return _section(
        "Spend",
        f"<div class=pair>{charts.place('spend', lambda: money.over_time(snapshot))}"
        f"{charts.place('price', lambda: money.against_value(snapshot))}</div>",
    ) + _section("Jobs in time", charts.place("timeline", lambda: money.timeline(snapshot)))


def _document(snapshot: Snapshot, body: str, charts: _Charts) -> str:
    title = f"{tables.text(snapshot.study.name)}: {tables.text(snapshot.study.metric)}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{_asset("report.css")}</style>
</head>
<body>
<main>
{body}
</main>
<p id="notice" hidden></p>
<noscript><p class="notice">The charts need JavaScript; the tables are complete.</p></noscript>
<script type="application/json" id="charts">{_json(charts.figures)}</script>
<script type="text/plain" id="plotly">{_bundle()}</script>
<script>{_asset("report.js")}</script>
</body>
</html>
"""


def _json(document: object) -> str:
    """Return JSON that cannot end the script element it stands in."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


@cache
def _bundle() -> str:
    """Return plotly's JavaScript, compressed, as text.

    Raises:
        StateError: Plotly is not installed.
    """
    # Found rather than imported: plotly's Python half takes longer than the page.
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise StateError(
            "The report needs plotly, which is not installed.", hint="pip install plotly"
        )
    script = Path(found.origin).parent / "package_data" / "plotly.min.js"
    return base64.b64encode(gzip.compress(script.read_bytes(), 9, mtime=0)).decode("ascii")
