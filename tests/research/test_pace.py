"""One rate limiter for all processes."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from sweeper.errors import StateError
from sweeper.research.faults import BusyError
from sweeper.research.pace import Clock
from sweeper.research.pace import Pace
from sweeper.research.services import Rate
from tests.doubles.services import scholar
from tests.doubles.services.loopback import Double

ROOT = Path(__file__).parents[2]


class Hand(Clock):
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.time = 1_000_000.0

    def now(self) -> float:
        """Return the hand's time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Move the hand."""
        self.time += seconds


def _times(pace: Pace, clock: Hand, rate: Rate, count: int) -> list[float]:
    times = []
    for _ in range(count):
        pace.take("s", rate, clock.time + 1e6)
        times.append(clock.time)
    return times


@settings(max_examples=25, deadline=None)
@given(interval=st.floats(0.1, 60), burst=st.integers(1, 20), count=st.integers(1, 40))
def test_no_window_holds_more_than_its_share(
    tmp_path_factory: pytest.TempPathFactory, interval: float, burst: int, count: int
) -> None:
    """In any window of n intervals at most burst + n requests leave."""
    clock = Hand()
    pace = Pace(tmp_path_factory.mktemp("pace"), clock)

    times = _times(pace, clock, Rate(interval, burst), count)

    for first, start in enumerate(times):
        for last in range(first, len(times)):
            window = times[last] - start
            assert last - first + 1 <= burst + window / interval + 1e-6


def test_a_process_that_woke_late_does_not_crowd_the_next(tmp_path: Path) -> None:
    """Without a burst the gap is kept between departures, not between bookings."""
    clock, late = Hand(), Hand()
    late.sleep = lambda seconds: setattr(late, "time", late.time + seconds + 0.9)  # type: ignore[method-assign]
    Pace(tmp_path, clock).take("s", Rate(1.0), 2e6)
    Pace(tmp_path, late).take("s", Rate(1.0), 2e6)
    clock.time = late.time

    Pace(tmp_path, clock).take("s", Rate(1.0), 2e6)

    assert clock.time - late.time >= 1.0


def test_a_request_that_was_held_up_after_its_turn_holds_up_the_next(tmp_path: Path) -> None:
    """The gap is counted from when the service saw the request."""
    clock = Hand()
    pace = Pace(tmp_path, clock)
    pace.take("s", Rate(1.0), 2e6)
    clock.time += 0.7
    pace.arrived("s")
    seen = clock.time

    pace.take("s", Rate(1.0), 2e6)

    assert clock.time - seen >= 1.0


def test_a_turn_after_the_deadline_is_refused_and_not_booked(tmp_path: Path) -> None:
    """Who cannot wait takes no turn from those who can."""
    clock = Hand()
    pace = Pace(tmp_path, clock)
    pace.take("s", Rate(10.0), clock.time)

    for _ in range(5):
        with pytest.raises(BusyError) as caught:
            pace.take("s", Rate(10.0), clock.time + 1)
    assert 9.9 < caught.value.wait_s <= 10
    before = clock.time
    pace.take("s", Rate(10.0), clock.time + 60)

    assert clock.time - before == pytest.approx(10.0)


def test_a_shut_service_is_shut_for_everyone_and_only_it(tmp_path: Path) -> None:
    """What one process was told, the next knows; other services go on."""
    clock = Hand()
    Pace(tmp_path, clock).shut("s", clock.time + 30)

    Pace(tmp_path, clock).take("other", Rate(1.0), clock.time)
    before = clock.time
    Pace(tmp_path, clock).take("s", Rate(0.1, 5), clock.time + 60)

    assert clock.time - before >= 30


def test_a_clock_that_was_set_back_does_not_shut_a_service_for_ever(tmp_path: Path) -> None:
    """Bookings far in the future are those of another clock."""
    clock = Hand()
    pace = Pace(tmp_path, clock)
    clock.time += 1e7
    _times(pace, clock, Rate(1.0), 3)
    clock.time -= 1e7

    pace.take("s", Rate(1.0), clock.time + 5)


def test_a_file_that_is_no_database_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    """The limiter fails closed: without it nothing is asked."""
    (tmp_path / "pace.sqlite3").write_bytes(b"not a database, not at all" * 100)

    with pytest.raises(StateError, match="rate limiter") as caught:
        Pace(tmp_path).take("s", Rate(1.0), 2e9)

    assert caught.value.hint is not None
    assert "SWEEPER_CACHE_DIR" in caught.value.hint


@pytest.mark.parametrize("count", [20])
def test_twenty_processes_stay_under_the_services_rate(count: int, tmp_path: Path) -> None:
    """The double's own log shows at most one request in any second."""
    double = Double(scholar.scholar)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "SWEEPER_CACHE_DIR": str(tmp_path / "cache"),
        "SWEEPER_S2_URL": double.url,
    }
    script = str(ROOT / "scripts" / "papers.py")
    running = [
        subprocess.Popen(
            [sys.executable, script, "search", f"lora {number}", "--source", "s2", "--quiet"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for number in range(count)
    ]
    for process in running:
        out, _ = process.communicate(timeout=110)
        assert process.returncode == 0, out
    double.close()

    times = [seen.at for seen in double.log]
    assert len(times) == count
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps) >= 1.0, sorted(gaps)[:5]
