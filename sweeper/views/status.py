"""The text of `sweeper status`: how a sweep stands, within 80 columns, without colour."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator

from sweeper.summary import findings
from sweeper.summary.forecast import forecast
from sweeper.summary.records import Limit
from sweeper.summary.records import Snapshot
from sweeper.summary.records import Trial
from sweeper.views import wording

WIDTH = 80

#: How many of the latest trials the table shows.
LATEST = 20

_GAUGE = 16


def text(snapshot: Snapshot, *, latest: int = LATEST) -> str:
    """Return the state of a sweep as lines of at most 80 columns.

    Args:
        snapshot: A look at the sweep.
        latest: How many of the latest trials to list.
    """
    sections = [
        list(_head(snapshot)),
        list(_best(snapshot)),
        list(_budget(snapshot)),
        list(_trials(snapshot, latest)),
        list(_queue(snapshot)),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def standing(snapshot: Snapshot) -> str:
    """Say in one line how the sweep stands and, where something is to be done, what."""
    study, conductor = snapshot.study, snapshot.conductor
    if study.state == "new":
        return "new: `sweeper approve`, then `sweeper run`"
    if study.state == "running" and (conductor is None or not conductor.alive):
        return "running, but nobody conducts it: `sweeper run` goes on"
    if conductor is not None and conductor.alive:
        return f"{_reasoned(snapshot)} (process {conductor.pid} on {conductor.host})"
    return _reasoned(snapshot)


def _reasoned(snapshot: Snapshot) -> str:
    study = snapshot.study
    return f"{study.state}: {study.stop_reason}" if study.stop_reason else study.state


def _head(snapshot: Snapshot) -> Iterator[str]:
    study = snapshot.study
    uid = f" ({study.uid})" if study.uid else ""
    yield from _wrapped(f"{study.name}{uid}, {study.direction} {study.metric}", "")
    yield from _wrapped(standing(snapshot), "")


def _best(snapshot: Snapshot) -> Iterator[str]:
    best = snapshot.best
    if best is None:
        return
    yield f"Best: {wording.value(best.value)} (trial {best.trial})"
    standing_of_best = certainty(snapshot)
    if standing_of_best:
        yield from _wrapped(standing_of_best, "  ")
    yield from _wrapped(wording.settings(best.params), "  ")


def certainty(snapshot: Snapshot) -> str:
    """Say how far the best is ahead of the default and how sure that is; "" if unknown."""
    best, reference = snapshot.best, findings.baseline(snapshot)
    if best is None:
        return ""
    parts = []
    if reference is not None and reference.value is not None and reference.number != best.trial:
        ahead = abs(reference.value - best.value)
        parts.append(f"{ahead:.3g} better than the default ({wording.value(reference.value)})")
    if best.noise_floor is not None:
        parts.append(f"noise floor {best.noise_floor:.3g}")
    if best.repeats:
        values = ", ".join(wording.value(each) for each in best.repeats)
        parts.append(f"repeated: {values}")
    if best.evaluated is not None:
        parts.append(f"evaluated: {wording.value(best.evaluated)}")
    if best.confirmed is not None:
        parts.append("confirmed" if best.confirmed else "not confirmed")
    return "; ".join(parts)


def _budget(snapshot: Snapshot) -> Iterator[str]:
    budget = snapshot.budget
    yield _limit("jobs", budget.jobs, lambda number: f"{number:.0f}")
    yield _limit("walltime", budget.walltime_s, wording.duration)
    if budget.micro_usd.limit is not None or budget.micro_usd.used or budget.micro_usd.reserved:
        yield _limit("cost", budget.micro_usd, wording.usd)
    if budget.elapsed_s.limit is not None:
        yield _limit("elapsed", budget.elapsed_s, wording.duration)
    ahead = forecast(snapshot)
    if ahead is not None and snapshot.study.state in ("running", "paused"):
        yield f"{'forecast':9} {ahead.sentence(snapshot.taken_at)} ({ahead.limit} ends it)"


def _limit(name: str, limit: Limit, write: Callable[[float], str]) -> str:
    held = f", {write(limit.reserved)} reserved" if limit.reserved else ""
    whole = "no limit" if limit.limit is None else f"of {write(limit.limit)}"
    return f"{name:9} {gauge(limit)} {write(limit.used)} used{held}, {whole}"


def gauge(limit: Limit, width: int = _GAUGE) -> str:
    """Draw a limit as `[####==....]`: used, reserved, left."""
    if not limit.limit:
        return f"[{' ' * width}]"
    used = min(width, int(width * limit.used / limit.limit))
    both = max(used, round(width * limit.fraction))
    return f"[{'#' * used}{'=' * (both - used)}{'.' * (width - both)}]"


def tally(snapshot: Snapshot) -> str:
    """Count the trials by state: `12 trials: 8 complete, 3 pruned, 1 failed`."""
    counts = Counter(trial.state for trial in snapshot.trials)
    states = ("complete", "pruned", "failed", "running", "paused", "waiting")
    parts = ", ".join(f"{counts[state]} {state}" for state in states if counts[state])
    total = wording.count(len(snapshot.trials), "trial")
    return f"{total}: {parts}" if parts else total


def _trials(snapshot: Snapshot, latest: int) -> Iterator[str]:
    if not snapshot.trials:
        return
    shown = snapshot.trials[-latest:] if latest else ()
    more = "" if len(shown) == len(snapshot.trials) else f", the latest {len(shown)}"
    yield f"{tally(snapshot)}{more}"
    yield _row("trial", "state", "origin", "value", "decision", "time", "cost", "ended by")
    for trial in shown:
        yield _trial(trial)


def _trial(trial: Trial) -> str:
    return _row(
        str(trial.number),
        trial.state,
        findings.origin_label(trial),
        wording.value(latest_value(trial)),
        trial.decision or "-",
        wording.duration(trial.running_s),
        wording.usd(trial.cost_micro_usd),
        ended_by(trial),
    )


def latest_value(trial: Trial) -> float | None:
    """Return a trial's value or, while it runs, its last reading."""
    if trial.value is not None or not trial.curve:
        return trial.value
    return trial.curve[-1][1]


def ended_by(trial: Trial) -> str:
    """Say what ended a trial: its failure's cause, or what stopped it; "" if it ended itself."""
    return wording.plain((trial.failure.cause if trial.failure else trial.ended_by) or "")


def _row(*cells: str) -> str:
    widths = (5, 8, 10, 12, 8, 7, 8, 14)
    fitted = [
        cell[:width].rjust(width) if index in (0, 3, 5, 6) else cell[:width].ljust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return " ".join(fitted).rstrip()


def _queue(snapshot: Snapshot) -> Iterator[str]:
    queued = snapshot.queued
    if queued:
        yield f"{wording.count(len(queued), 'proposal')} queued"
    for proposal in queued[:5]:
        why = f"  {proposal.why}" if proposal.why else ""
        yield from _wrapped(f"{wording.settings(proposal.params)}{why}", "  ")


def _wrapped(line: str, indent: str) -> list[str]:
    return textwrap.wrap(
        wording.plain(line), WIDTH, initial_indent=indent, subsequent_indent=indent
    )
