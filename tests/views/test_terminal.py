"""The live view reads well at 80 columns, without colour, in ASCII and in a log."""

from __future__ import annotations

import io
import math

import pytest
from rich.console import Console

from sweeper.errors import StateError
from sweeper.summary.records import Event
from sweeper.summary.snapshot import read
from sweeper.views import events
from sweeper.views import terminal
from sweeper.views.terminal import LiveView
from tests.doubles.sweeps import NOW
from tests.doubles.sweeps import RecordedSweep
from tests.views.conftest import HOSTILE


def drawn(sweep: RecordedSweep, encoding: str = "utf-8", **options: object) -> str:
    """Return the live view as a console of 80 columns prints it."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=80, **options)  # type: ignore[arg-type]
    console.print(terminal.render(read(sweep.folder, curves=False, now=NOW)))
    file.flush()
    return file.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined, no-any-return]


def test_it_shows_running_best_budget_and_what_comes(sweep: RecordedSweep) -> None:
    """Everything a person watches for is in view."""
    text = drawn(sweep)
    assert "Best: 0.2 (trial 1)" in text
    assert "10.0 x noise" in text
    assert "██" in text
    assert "▁" in text
    assert "about 7 trials" in text
    assert "next stop rule: jobs (50%)" in text
    assert "1 proposal queued" in text
    assert max(map(len, text.splitlines())) <= 80


def test_an_ascii_terminal_gets_ascii(sweep: RecordedSweep) -> None:
    """Without Unicode curves and bars have other marks; nothing fails to encode."""
    text = drawn(sweep, "ascii")
    assert text.isascii()
    assert "####......" in text


@pytest.mark.parametrize(
    ("floor", "colour"), [(0.04, "32m"), (0.08, "33m"), (0.2, "31m")], ids=["2", "1", "below"]
)
def test_confidence_is_coloured_at_one_and_two(
    sweep: RecordedSweep, floor: float, colour: str
) -> None:
    """A gain of twice the noise is green, of once yellow, below it red."""
    sweep.connection.execute("UPDATE sweeper_verdict SET noise_floor = ?", (floor,))
    text = drawn(sweep, force_terminal=True, color_system="standard")
    (confidence,) = [line for line in text.splitlines() if "x noise" in line]
    assert f"\x1b[{colour}" in confidence


def test_patience_can_be_the_next_stop_rule(sweep: RecordedSweep) -> None:
    """Trials finished since the last real improvement count against patience."""
    sweep.study.set_user_attr("goal", {"patience": 2})
    assert "patience (2 trials without improvement of 2)" in drawn(sweep).replace("\n", " ")


def test_a_sparkline_keeps_its_ends_and_its_width() -> None:
    """A long curve is thinned, not cut; infinities are gaps."""
    falling = [(step, 100.0 - step) for step in range(100)]
    line = terminal.sparkline(falling, 10)
    assert (line[0], line[-1], len(line)) == ("█", "▁", 10)
    assert terminal.sparkline([(1, 0.0), (2, math.inf), (3, 1.0)], 10) == "▁ █"
    assert terminal.sparkline([], 10) == ""
    assert terminal.sparkline([(1, math.inf)], 10) == ""
    assert terminal.sparkline([(1, 2.0), (2, 2.0)], 10) == "▄▄"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event("trial_started", 3, {"origin": "model", "params": {"lr": 0.1}}), "lr=0.1"),
        (Event("job_submitted", 3, {"job_id": "local-1"}), "local-1"),
        (Event("first_metric", 3, {"value": 0.5, "step": 1}), "0.5 (step 1)"),
        (Event("pruned", 3, {"value": 0.5, "ended_by": "pruner"}), "pruned by pruner at 0.5"),
        (
            Event("trial_finished", 3, {"value": 0.25, "running_s": 271.0, "cost_micro_usd": 9}),
            "finished 0.25 (4m31s, <$0.01)",
        ),
        (
            Event("trial_failed", 3, {"failure": {"cause": "oom", "sentence": "No memory."}}),
            "failed, oom: No memory.",
        ),
        (
            Event("trial_failed", 3, {"ended_by": "not started", "reason": "no price"}),
            "failed, not started: no price",
        ),
        (Event("attempt_lost", 3, {"failure": {"sentence": "The runner died."}}), "runner died"),
        (Event("new_best", 3, {"value": 0.1, "gain": 0.05}), "new best 0.1, 0.05 better"),
        (Event("waiting", None, {"reason": "for a settlement"}), "waiting: for a settlement"),
        (Event("request", None, {"verb": "stop", "answer": "Yes."}), "asked to stop: Yes."),
        (Event("warning", None, {"message": "The script changed."}), "The script changed."),
        (Event("sweep_started", None, {"study": "digits"}), "sweep started digits"),
        (Event("sweep_finished", None, {"stop_reason": "jobs"}), "sweep ended: jobs"),
        (Event("news_of_tomorrow", None, {"reason": "new"}), "news of tomorrow: new"),
    ],
    ids=lambda each: each.kind if isinstance(each, Event) else "",
)
def test_every_event_is_one_line(event: Event, line: str) -> None:
    """Each kind says what matters; a kind of another version is not swallowed."""
    said = events.line(event)
    assert said is not None
    assert line in said
    assert said.startswith("trial 3: ") == (event.trial is not None)
    assert events.line(Event(event.kind, event.trial, {})), "nothing in the detail is required"


def test_readings_are_too_frequent_for_a_log() -> None:
    """A line for each reading would bury the rest."""
    assert events.line(Event("reading", 3, {"value": 0.5})) is None


def test_foreign_texts_cannot_command_the_terminal() -> None:
    """Control characters and line ends are taken out of what an event says."""
    said = events.line(Event("warning", None, {"sentence": HOSTILE}))
    assert said is not None
    assert "\x1b" not in said
    assert len(said.splitlines()) == 1


def test_where_nobody_looks_events_are_plain_lines(sweep: RecordedSweep) -> None:
    """A stream that is no terminal gets stamped lines and never a redraw."""
    stream = io.StringIO()
    with LiveView(lambda: read(sweep.folder), stream) as view:
        view.show(Event("new_best", 3, {"value": 0.1}, at=NOW))
        view.show(Event("reading", 3, {"value": 0.1}, at=NOW))
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("trial 3: new best 0.1")
    assert "\x1b" not in line


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_in_a_terminal_the_view_is_redrawn_and_good_news_stays(
    sweep: RecordedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The live view shows the sweep; new bests scroll by above it."""
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with LiveView(lambda: read(sweep.folder), stream) as view:
        view.show(Event("new_best", 3, {"value": 0.1}))
        view.show(Event("job_submitted", 3, {}))
    assert "trial 3: new best 0.1" in stream.getvalue()
    assert "job submitted" not in stream.getvalue()
    assert "Best: 0.2 (trial 1)" in stream.getvalue()


def test_a_busy_database_does_not_end_the_view(
    sweep: RecordedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that fails leaves the last one standing."""
    monkeypatch.setenv("TERM", "xterm")
    looks = [read(sweep.folder, now=NOW)]
    now = iter(range(0, 10_000, 100))

    def look() -> object:
        if looks:
            return looks.pop()
        raise StateError("The database is locked.")

    stream = Terminal()
    with LiveView(look, stream, clock=lambda: float(next(now))):  # type: ignore[arg-type]
        pass
    assert stream.getvalue().count("Best: 0.2 (trial 1)") >= 2
    assert "locked" not in stream.getvalue()
