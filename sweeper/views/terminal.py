"""The live view of `sweeper run` and `sweeper status --watch`; plain lines where nobody looks.

Readable at 80 columns, without colour and, with `ascii_only`, without anything beyond ASCII.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.console import ConsoleOptions
from rich.console import Group
from rich.console import RenderableType
from rich.console import RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sweeper.errors import StateError
from sweeper.summary import findings
from sweeper.summary.forecast import forecast
from sweeper.summary.forecast import next_stop
from sweeper.summary.forecast import without_improvement
from sweeper.summary.records import Event
from sweeper.summary.records import Limit
from sweeper.summary.records import Snapshot
from sweeper.summary.records import Trial
from sweeper.views import events
from sweeper.views import status
from sweeper.views import wording

#: Looks are taken at most this often, seconds, and take at most this share of the time.
INTERVAL_S = 1.0
SHARE = 0.05

_LATEST = 8
_SPARKS = "▁▂▃▄▅▆▇█"
_ASCII_SPARKS = "_.,-=*%#"
_CURVE_WIDTH = 18
_BAR_WIDTH = 10


class LiveView:
    """Shows a sweep while it runs: redrawn in a terminal, as plain lines anywhere else.

    Args:
        read: Takes a look at the sweep; may raise StateError while a writer is busy.
        stream: Where to show it.
        clock: UTC seconds.
    """

    def __init__(
        self,
        read: Callable[[], Snapshot],
        stream: TextIO,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._read = read
        self._stream = stream
        self._clock = clock
        self._due = 0.0
        self._seen: Snapshot | None = None
        self._live: Live | None = None

    def __enter__(self) -> LiveView:
        if self._stream.isatty():
            console = Console(file=self._stream)
            self._live = Live(get_renderable=self._current, console=console, refresh_per_second=2)
            self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._due = 0.0
            self._live.stop()

    def show(self, event: Event) -> None:
        """Tell an event: above the live view, or as a plain line with its time."""
        if self._live is not None:
            said = events.line(event)
            if said is not None and event.kind in _WORTH_KEEPING:
                self._live.console.print(Text(said))
            return
        said = events.stamped(event, event.at or self._clock())
        if said is not None:
            print(said, file=self._stream, flush=True)

    def _current(self) -> RenderableType:
        """Return the view of the latest look, taking a new one when it is due."""
        now = self._clock()
        if now >= self._due:
            try:
                self._seen = self._read()
            except StateError as error:
                if self._seen is None:
                    return Text(error.message)
            self._due = now + max(INTERVAL_S, (self._clock() - now) / SHARE)
        return Text("") if self._seen is None else render(self._seen)


#: What stays in the terminal's history above the live view.
_WORTH_KEEPING = (
    "new_best",
    "trial_failed",
    "attempt_lost",
    "request",
    "warning",
    "sweep_finished",
)


def render(snapshot: Snapshot) -> RenderableType:
    """Return a sweep as rich draws it."""
    return _View(snapshot)


class _View:
    """A snapshot that draws itself for the console it meets."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        plain = options.ascii_only
        yield Group(
            _head(self._snapshot),
            *_running(self._snapshot, plain),
            *_finished(self._snapshot, plain),
            _budget(self._snapshot, plain),
            *_ahead(self._snapshot),
        )


def _head(snapshot: Snapshot) -> Text:
    study = snapshot.study
    head = Text()
    head.append(wording.plain(study.name), style="bold")
    head.append(f"  {study.direction} {study.metric}  ")
    head.append(wording.plain(status.standing(snapshot)), style="dim")
    best = snapshot.best
    if best is not None:
        head.append(f"\nBest: {wording.value(best.value)} (trial {best.trial})", style="bold")
        head.append_text(_confidence(snapshot))
        head.append(f"\n  {wording.settings(best.params)}")
    return head


def _confidence(snapshot: Snapshot) -> Text:
    """Say the gain over the default in units of the noise, coloured at one and at two."""
    best, reference = snapshot.best, findings.baseline(snapshot)
    if best is None or reference is None or reference.value is None:
        return Text("")
    gain = snapshot.study.sign * (reference.value - best.value)
    said = f"  {wording.gain(gain)} over the default"
    if not best.noise_floor:
        return Text(said)
    ratio = gain / best.noise_floor
    style = "green" if ratio >= 2 else "yellow" if ratio >= 1 else "red"
    return Text(f"{said}, {ratio:.1f} x noise", style=style)


def _running(snapshot: Snapshot, plain: bool) -> Iterator[RenderableType]:
    running = [trial for trial in snapshot.trials if trial.state in ("running", "paused")]
    if not running:
        return
    table = _table("running", "origin", "curve", "last", "step", "")
    longest = _longest(snapshot)
    for trial in running:
        step, last = trial.curve[-1] if trial.curve else (0, None)
        table.add_row(
            f"{trial.number}{' (paused)' if trial.state == 'paused' else ''}",
            findings.origin_label(trial),
            sparkline(trial.curve, _CURVE_WIDTH, plain=plain),
            wording.value(last),
            str(step) if trial.curve else _waiting_word(trial),
            bar(step / longest if longest else 0.0, _BAR_WIDTH, plain=plain),
        )
    yield table


def _waiting_word(trial: Trial) -> str:
    stage = trial.jobs[-1].stage if trial.jobs else None
    return (stage or "starting").lower()


def _longest(snapshot: Snapshot) -> float:
    """Return where a whole curve ends: the program's resource, else the longest curve so far."""
    resource = snapshot.study.resource
    if resource is not None and resource.max:
        return resource.max
    return max((trial.curve[-1][0] for trial in snapshot.trials if trial.curve), default=0)


def _finished(snapshot: Snapshot, plain: bool) -> Iterator[RenderableType]:
    finished = [trial for trial in snapshot.trials if trial.finished]
    if not finished:
        return
    table = _table("finished", "origin", "curve", "value", "decision", "ended by")
    latest = sorted(finished, key=lambda trial: (trial.finished_at or 0.0, trial.number))
    for trial in latest[-_LATEST:]:
        table.add_row(
            f"{trial.number} {trial.state}",
            findings.origin_label(trial),
            sparkline(trial.curve, _CURVE_WIDTH, plain=plain),
            wording.value(status.latest_value(trial)),
            trial.decision or "",
            status.ended_by(trial),
            style="" if trial.state == "complete" else "dim",
        )
    yield table


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        right = column in ("last", "value", "step")
        table.add_column(
            column, justify="right" if right else "left", no_wrap=True, header_style="dim"
        )
    return table


def _budget(snapshot: Snapshot, plain: bool) -> Table:
    budget = snapshot.budget
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
    rows: list[tuple[str, Limit, Callable[[float], str]]] = [
        ("jobs", budget.jobs, lambda number: f"{number:.0f}"),
        ("walltime", budget.walltime_s, wording.duration),
        ("cost", budget.micro_usd, wording.usd),
        ("elapsed", budget.elapsed_s, wording.duration),
    ]
    for name, limit, write in rows:
        if limit.limit is not None or limit.used:
            held = f" + {write(limit.reserved)} reserved" if limit.reserved else ""
            whole = f" of {write(limit.limit)}" if limit.limit is not None else ""
            drawn = bar(limit.fraction, _BAR_WIDTH, plain=plain) if limit.limit else ""
            table.add_row(name, drawn, f"{write(limit.used)}{held}{whole}")
    return table


def _ahead(snapshot: Snapshot) -> Iterator[RenderableType]:
    said = [status.tally(snapshot)]
    ahead = forecast(snapshot)
    if ahead is not None and snapshot.study.state == "running":
        said.append(ahead.sentence(snapshot.taken_at))
    rule = next_stop(snapshot)
    if rule is not None and snapshot.study.state in ("running", "paused"):
        said.append(f"next stop rule: {_rule(snapshot, rule.name, rule.fraction)}")
    yield Text("; ".join(said))
    queued = snapshot.queued
    if queued:
        first = wording.settings(queued[0].params)
        yield Text(f"{wording.count(len(queued), 'proposal')} queued, first: {first}")


def _rule(snapshot: Snapshot, name: str, fraction: float) -> str:
    if name == "patience":
        spent = wording.count(without_improvement(snapshot), "trial")
        return f"patience ({spent} without improvement of {snapshot.study.goal.patience})"
    return f"{name} ({fraction:.0%})"


def sparkline(curve: Sequence[tuple[int, float]], width: int, *, plain: bool = False) -> str:
    """Draw a curve in one line; infinite readings are gaps.

    Args:
        curve: Readings as (step, value).
        width: Columns at most; a longer curve is thinned.
        plain: Whether to keep to ASCII.
    """
    values = [value for _, value in curve]
    if len(values) > width:
        values = [values[index * (len(values) - 1) // (width - 1)] for index in range(width)]
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)
    marks = _ASCII_SPARKS if plain else _SPARKS
    return "".join(
        marks[int((value - low) / span * 7.999) if span else 3] if math.isfinite(value) else " "
        for value in values
    )


def bar(fraction: float, width: int, *, plain: bool = False) -> str:
    """Draw a share as a bar; anything begun shows at least one mark."""
    filled = min(width, max(math.ceil(min(fraction, 1.0) * width), 0))
    full, empty = ("#", ".") if plain else ("█", "░")
    return full * filled + empty * (width - filled)
