"""Which lines of a replayed log are new."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from sweeper.jobs.aboard import NUMBERS_A_RUN
from sweeper.jobs.hf.replay import Position
from sweeper.jobs.hf.replay import Replay
from tests.doubles.hub.clock import iso
from tests.doubles.hub.logs import Line
from tests.doubles.hub.logs import replayed

START = 1_790_000_000.0


def log(count: int, *, numbered: bool = True) -> list[Line]:
    """A log: the marker, then plain lines and metric lines in turn, one each 10 ms."""
    lines = [Line(START, "===== Job started at 2026-09-21 14:13:20 =====")]
    for i in range(1, count + 1):
        number = 7 * NUMBERS_A_RUN + i
        text = f"[sweeper {number}] loss={i}" if numbered and i % 2 else f"line {i}"
        lines.append(Line(START + i / 100, text))
    seq = iter(range(7 * NUMBERS_A_RUN + 1, 8 * NUMBERS_A_RUN))
    return [
        Line(x.at, f"[sweeper {next(seq)}] {x.text.split('] ')[1]}") if "] " in x.text else x
        for x in lines
    ]


def fed(replay: Replay, lines: list[Line]) -> list[str]:
    """Play one connection and return what counted as new."""
    replay.connected()
    return [x.text for x in lines if replay.is_new(iso(x.at) or "", x.text)]


def said(lines: list[Line]) -> list[str]:
    return [x.text for x in lines[1:]]


def test_a_whole_replay_brings_only_what_is_new() -> None:
    lines, replay = log(20), Replay(Position())

    first, second = fed(replay, lines[:8]), fed(replay, lines)

    assert first + second == said(lines)


def test_a_cursor_goes_on_in_another_process() -> None:
    lines, replay = log(20), Replay(Position())
    first = fed(replay, lines[:8])

    other = Replay(Position.from_text(replay.position.as_text()))

    assert first + fed(other, lines) == said(lines)
    assert other.position.count == 20


def test_lines_that_a_replay_doubles_come_once() -> None:
    lines, replay = log(20), Replay(Position())
    first = fed(replay, lines[:8])

    second = fed(replay, replayed(lines, {"mode": "doubled"}))

    assert first + second == said(lines)


def test_a_log_that_is_replayed_twice_over_comes_once() -> None:
    lines, replay = log(20), Replay(Position())
    first = fed(replay, lines[:8])

    second = fed(replay, replayed(lines, {"mode": "repeated"}))

    assert first + second == said(lines)


def test_a_window_that_covers_the_last_line_loses_nothing() -> None:
    lines, replay = log(20), Replay(Position())
    first = fed(replay, lines[:8])

    second = fed(replay, replayed(lines, {"mode": "tail", "lines": 14}))

    assert first + second == said(lines)


def test_a_window_that_begins_too_late_is_known_as_such_and_its_readings_come_later() -> None:
    lines, replay = log(20), Replay(Position())
    fed(replay, lines[:4])
    window = replayed(lines[:16], {"mode": "tail", "lines": 4})

    replay.connected()
    assert replay.leaps(iso(window[1].at) or "", window[1].text)
    late = [*fed(replay, window), *fed(replay, lines)]

    assert sorted(t for t in said(lines)[3:] if "loss" in t) == sorted(
        t for t in late if "loss" in t
    )


def test_a_job_that_the_platform_starts_again_begins_a_new_count() -> None:
    lines, replay = log(6), Replay(Position())
    again = [Line(x.at + 60, x.text.replace("sweeper 7", "sweeper 9")) for x in log(6)]

    assert fed(replay, lines + again) == said(lines) + said(again)
    assert len(replay.starts) == 2


def test_lines_that_look_alike_at_other_times_are_all_kept() -> None:
    lines = [Line(START, "===== Job started"), *(Line(START + i, "...") for i in range(1, 6))]
    replay = Replay(Position())

    assert fed(replay, lines[:3]) + fed(replay, lines) == ["..."] * 5


MODES = st.sampled_from(["whole", "tail", "shifted", "doubled", "repeated"])


@given(
    cuts=st.lists(st.tuples(st.integers(0, 40), MODES, st.integers(0, 30)), max_size=6),
    restart=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_every_reading_comes_once_whatever_is_replayed(
    cuts: list[tuple[int, str, int]], restart: bool
) -> None:
    lines, replay = log(40), Replay(Position())
    got: list[str] = []
    known = 0
    for upto, mode, count in cuts:
        known = max(known, upto)
        got += fed(replay, replayed(lines[: known + 1], {"mode": mode, "lines": count}))
        if restart:
            replay = Replay(Position.from_text(replay.position.as_text()))
    got += fed(replay, lines)

    readings = [text for text in got if "loss" in text]
    assert sorted(readings) == sorted(text for text in said(lines) if "loss" in text)
    assert len(set(got)) == len(got)
