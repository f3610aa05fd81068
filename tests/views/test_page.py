"""summary.md tells what was tried, what it cost and what came of it."""

from __future__ import annotations

import re
import stat
import threading
from pathlib import Path

import pytest

from sweeper.summary.snapshot import read
from sweeper.views import page
from sweeper.views.files import write_atomically
from tests.doubles.sweeps import NOW
from tests.doubles.sweeps import RecordedSweep


def written(sweep: RecordedSweep) -> str:
    """Return the page of a sweep."""
    return page.text(read(sweep.folder, now=NOW))


def test_the_best_line_is_the_pinned_one(sweep: RecordedSweep) -> None:
    """`Best: <value, 6 digits> (trial N)` stands on a line of its own."""
    assert "Best: 0.2 (trial 1)" in written(sweep).splitlines()
    sweep.trial(value=0.123456789)
    assert "Best: 0.123457 (trial 6)" in written(sweep).splitlines()


def test_no_best_line_before_the_first_complete_trial(tmp_path: Path) -> None:
    """Nothing is called best while nothing is complete."""
    sweep = RecordedSweep(tmp_path)
    assert "Best" not in written(sweep)
    sweep.close()


def test_every_trial_has_a_row_with_all_that_is_asked(sweep: RecordedSweep) -> None:
    """Origin, decision and why, value, cost, time and what ended it."""
    rows = [line for line in written(sweep).splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) == 6
    cells = [cell.strip() for cell in rows[1].split("|")[1:-1]]
    assert cells[:9] == [
        "1",
        "complete",
        "literature",
        "0.2",
        "keep",
        "0.1 better than trial 0",
        "4m31s",
        "$0.03",
        "",
    ]
    assert cells[9] == "learning_rate=0.02 optimizer=null"
    assert "| pruned |" in rows[2]
    assert "| pruner |" in rows[2]


def test_a_failed_trial_shows_cause_log_and_fix(sweep: RecordedSweep) -> None:
    """The classified cause, the last lines of its log and one proposed fix."""
    said = written(sweep)
    assert "### Trial 3: oom" in said
    assert "The GPU ran out of memory." in said
    assert "    torch.OutOfMemoryError" in said
    assert "Proposed fix: Halve batch_size." in said


def test_proposals_and_sources_are_accounted_for(sweep: RecordedSweep) -> None:
    """What each origin earned over the default, what waits, and what was cited for which trial."""
    said = written(sweep)
    assert "| literature | 2 | 0.2 | 1 | +0.1 |" in said
    assert "1 proposal queued" in said
    assert "| arXiv:2106.09685 | 1 | LoRA paper, table 9 |" in said


def test_the_stop_reason_is_told(tmp_path: Path) -> None:
    """A finished sweep says why."""
    sweep = RecordedSweep(tmp_path, state="finished", stop_reason="patience: 8 trials")
    assert "- State: finished: patience: 8 trials" in written(sweep)
    sweep.close()


def test_foreign_texts_stay_texts(sweep: RecordedSweep) -> None:
    """A reason or citation cannot end its cell, its line or bring in HTML."""
    said = written(sweep)
    assert "<script>" not in said
    assert "\x1b" not in said
    for row in (line for line in said.splitlines() if line.startswith("| 3 ")):
        assert len(re.findall(r"(?<!\\)\|", row)) == 11


def test_an_estimate_is_called_one(sweep: RecordedSweep) -> None:
    """A cost that nobody confirmed is not shown as a fact."""
    assert "estimate" not in written(sweep)
    sweep.job(4, attempt="2", estimated=1, purpose="digits/4/2")
    assert "estimate" in written(sweep)


def test_a_reader_never_sees_half_a_page(tmp_path: Path) -> None:
    """While the page is replaced again and again, every read is one whole page."""
    path = tmp_path / "runs" / "summary.md"
    pages = [mark * 200_000 for mark in "ab"]
    write_atomically(path, pages[0])
    done = threading.Event()

    def write() -> None:
        for number in range(60):
            write_atomically(path, pages[number % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(path.read_text())
    writer.join()
    assert seen <= set(pages)
    assert [each.name for each in path.parent.iterdir()] == ["summary.md"]


def test_a_failed_write_leaves_the_old_page(tmp_path: Path) -> None:
    """An error while writing neither harms the old page nor leaves a part behind."""
    path = tmp_path / "summary.md"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \ud800")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["summary.md"]


def test_the_page_is_readable_by_others(tmp_path: Path) -> None:
    """A temporary file's narrow mode does not stick."""
    write_atomically(tmp_path / "summary.md", "x")
    assert stat.S_IMODE((tmp_path / "summary.md").stat().st_mode) == 0o644


def test_the_page_is_rewritten_at_most_every_two_seconds(sweep: RecordedSweep) -> None:
    """Changes in between are gathered; the last one is not lost."""
    now = [100.0]
    looks = []
    path = sweep.folder / "runs" / "summary.md"

    def look() -> object:
        looks.append(now[0])
        return read(sweep.folder, now=NOW)

    kept = page.SummaryPage(path, look, clock=lambda: now[0])  # type: ignore[arg-type]
    for _ in range(16):
        kept.changed()
        now[0] += 0.25
    assert looks == [100.0, 102.0]
    kept.tick()
    assert looks == [100.0, 102.0, 104.0]
    now[0] += 10
    kept.tick()
    assert len(looks) == 3, "nothing changed since"
    assert path.read_text().startswith("# digits")
