"""runs/summary.md: what was tried, what it cost and what came of it, as Markdown."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

from sweeper.summary import findings
from sweeper.summary.forecast import forecast
from sweeper.summary.records import Limit
from sweeper.summary.records import Proposal
from sweeper.summary.records import Snapshot
from sweeper.summary.records import Trial
from sweeper.views import wording
from sweeper.views.files import write_atomically
from sweeper.views.status import certainty
from sweeper.views.status import ended_by
from sweeper.views.status import latest_value
from sweeper.views.status import standing
from sweeper.views.status import tally

#: Longer tables are cut to the latest trials; the database and report.html hold all.
MOST_TRIALS = 300

#: The page is rewritten at most this often, seconds.
INTERVAL_S = 2.0

#: And so seldom that writing it takes at most this share of the time.
SHARE = 0.03

_TRIAL_HEAD = (
    "trial",
    "state",
    "origin",
    "decision",
    "why",
    "time",
    "cost",
    "ended by",
    "configuration",
)

# Characters that Markdown or the HTML within it would act on.
_ESCAPES = str.maketrans(
    {"|": "\\|", "<": "&lt;", ">": "&gt;", "&": "&amp;", "`": "\\`", "*": "\\*", "[": "\\["}
)


class SummaryPage:
    """Keeps summary.md in step with a sweep, without writing it too often.

    Args:
        path: The file.
        read: Takes a look at the sweep.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[], Snapshot],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._read = read
        self._clock = clock
        self._stale = False
        self._due = 0.0

    def changed(self) -> None:
        """Note that something happened; write the page if it is due."""
        self._stale = True
        self.tick()

    def tick(self) -> None:
        """Write the page if something happened since and it is due."""
        if self._stale and self._clock() >= self._due:
            self.write()

    def write(self) -> None:
        """Write the page now."""
        begun = self._clock()
        write_atomically(self._path, text(self._read()))
        took = self._clock() - begun
        self._stale = False
        self._due = begun + max(INTERVAL_S, took / SHARE)


def text(snapshot: Snapshot) -> str:
    """Return the whole page."""
    sections = [
        _head(snapshot),
        _configuration(snapshot),
        _budget(snapshot),
        _trials(snapshot),
        _failures(snapshot),
        _proposals(snapshot),
        _sources(snapshot),
    ]
    parts = ["\n".join(section) for section in sections]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(snapshot: Snapshot) -> Iterator[str]:
    study = snapshot.study
    yield f"# {_cell(study.name)}"
    yield ""
    best = snapshot.best
    if best is not None:
        yield f"Best: {wording.value(best.value)} (trial {best.trial})"
        yield ""
    yield f"- Goal: {study.direction} `{study.metric}`"
    if best is not None and certainty(snapshot):
        yield f"- Certainty: {certainty(snapshot)}"
    yield f"- State: {wording.plain(standing(snapshot))}"
    yield f"- {tally(snapshot)}"
    if study.uid:
        yield f"- Study {study.uid}, as of {wording.clock(snapshot.taken_at)}"


def _configuration(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.best is None:
        return
    defaults = snapshot.study.defaults
    yield f"## Best configuration (trial {snapshot.best.trial})"
    yield ""
    yield from _table(
        ("parameter", "value", "default"),
        (
            (f"`{name}`", _setting(setting), _setting(defaults[name]) if name in defaults else "")
            for name, setting in snapshot.best.params.items()
        ),
    )


def _budget(snapshot: Snapshot) -> Iterator[str]:
    budget = snapshot.budget
    yield "## Budget"
    yield ""
    yield from _table(
        ("limit", "used", "reserved", "of"),
        (
            _limit("jobs", budget.jobs, lambda number: f"{number:.0f}"),
            _limit("walltime", budget.walltime_s, wording.duration),
            _limit("cost", budget.micro_usd, wording.usd),
            _limit("elapsed", budget.elapsed_s, wording.duration),
        ),
    )
    if any(job.estimated for job in snapshot.jobs):
        yield ""
        yield "Some costs are estimates: their jobs vanished and were booked at their maximum."
    ahead = forecast(snapshot)
    if ahead is not None and snapshot.study.state == "running":
        yield ""
        yield (
            f"Forecast: about {wording.count(ahead.trials, 'job')} more, done by"
            f" {wording.clock(ahead.done_at)}; {ahead.limit} ends it."
        )


def _limit(name: str, limit: Limit, write: Callable[[float], str]) -> tuple[str, ...]:
    whole = "no limit" if limit.limit is None else write(limit.limit)
    return (name, write(limit.used), write(limit.reserved), whole)


def _trials(snapshot: Snapshot) -> Iterator[str]:
    if not snapshot.trials:
        return
    shown = snapshot.trials[-MOST_TRIALS:]
    left_out = len(snapshot.trials) - len(shown)
    yield "## Trials"
    yield ""
    yield from _table(
        (*_TRIAL_HEAD[:3], snapshot.study.metric, *_TRIAL_HEAD[3:]),
        (_trial(trial) for trial in shown),
    )
    if left_out:
        yield ""
        yield f"{wording.count(left_out, 'earlier trial')} left out; `sweeper report` shows all."


def _trial(trial: Trial) -> tuple[str, ...]:
    origin = findings.origin_label(trial)
    again = "" if trial.repeat_of is None else f" of {trial.repeat_of}"
    return (
        str(trial.number),
        trial.state,
        f"{_cell(origin)}{again}",
        wording.value(latest_value(trial)),
        trial.decision or "",
        _cell(trial.reason or ""),
        wording.duration(trial.running_s),
        wording.usd(trial.cost_micro_usd),
        _cell(ended_by(trial)),
        _cell(wording.settings(trial.params)),
    )


def _failures(snapshot: Snapshot) -> Iterator[str]:
    failed = [trial for trial in snapshot.trials if trial.state == "failed" and trial.failure]
    if not failed:
        return
    yield "## Failed trials"
    for trial in failed[-20:]:
        failure = trial.failure
        assert failure is not None
        yield ""
        yield f"### Trial {trial.number}: {_cell(failure.cause)}"
        yield ""
        yield _cell(failure.sentence)
        if failure.fix:
            yield ""
            yield f"Proposed fix: {_cell(failure.fix)}"
        yield from _excerpt(failure.excerpt)


def _excerpt(lines: Iterable[str]) -> Iterator[str]:
    """Yield log lines as a block; indented, so that no fence within can end it."""
    lines = [_printable(line) for line in lines]
    if lines:
        yield ""
        yield from (f"    {line}" for line in lines)


def _printable(line: str) -> str:
    return "".join(each if each.isprintable() else " " for each in line).rstrip()


def _proposals(snapshot: Snapshot) -> Iterator[str]:
    earned = findings.earnings(snapshot)
    if not snapshot.proposals and all(each.origin == "model" for each in earned):
        return
    yield "## Proposals"
    yield ""
    yield from _table(
        ("origin", "finished", "best", "trial", "gain over the default"),
        (
            (
                _cell(each.origin),
                str(each.trials),
                wording.value(each.best.value if each.best else None),
                "" if each.best is None else str(each.best.number),
                "-" if each.gain is None else wording.gain(each.gain),
            )
            for each in earned
        ),
    )
    if snapshot.queued:
        yield ""
        yield f"{wording.count(len(snapshot.queued), 'proposal')} queued:"
        yield ""
        yield from (f"- {_proposal(each)}" for each in snapshot.queued[:20])


def _proposal(proposal: Proposal) -> str:
    why = f": {_cell(proposal.why)}" if proposal.why else ""
    cited = f" ({_cell(', '.join(proposal.source))})" if proposal.source else ""
    return f"{_cell(wording.settings(proposal.params))}{why}{cited}"


def _sources(snapshot: Snapshot) -> Iterator[str]:
    cited: dict[str, list[Trial]] = {}
    for trial in snapshot.trials:
        for source in trial.source:
            cited.setdefault(source, []).append(trial)
    if not cited:
        return
    yield "## Sources"
    yield ""
    yield from _table(
        ("source", "trials", "said"),
        (
            (
                _cell(source),
                ", ".join(str(trial.number) for trial in trials),
                _cell(next((trial.why for trial in trials if trial.why), "")),
            )
            for source, trials in cited.items()
        ),
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(_cell(name) if '`' not in name else name for name in head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _setting(setting: str | int | float | bool | None) -> str:
    return _cell(repr(setting) if isinstance(setting, float) else wording.scalar(setting))


def _cell(text: str) -> str:
    """Return a foreign text that Markdown shows as it is, within one cell of a table."""
    return wording.plain(text).translate(_ESCAPES)
