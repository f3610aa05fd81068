"""What the trials amount to: the best, the steps that led there, what each origin earned."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from sweeper.summary.records import Best
from sweeper.summary.records import Scalar
from sweeper.summary.records import Snapshot
from sweeper.summary.records import Study
from sweeper.summary.records import Trial


class Improvement(NamedTuple):
    """A trial that beat all before it.

    Attributes:
        trial: The trial.
        changed: What differs from the best before it, as (parameter, before, after); a parameter
            that was or became inactive has None on that side.
        real: Whether the gain exceeds the noise floor; None while no floor is known.
    """

    trial: Trial
    changed: tuple[tuple[str, Scalar, Scalar], ...]
    real: bool | None


class Earning(NamedTuple):
    """What the trials of one origin earned.

    Attributes:
        origin: baseline, literature (proposals with a citation), proposal, model or queued.
        trials: How many were finished.
        best: Their best trial, or None.
        gain: How far it is better than the default; None without a baseline.
    """

    origin: str
    trials: int
    best: Trial | None
    gain: float | None


def find_best(study: Study, trials: Iterable[Trial]) -> Best | None:
    """Return the best complete trial, repeats apart; of equal ones that with the lowest number."""
    trials = tuple(trials)
    candidates = [trial for trial in trials if trial.counts]
    if not candidates:
        return None
    best = min(candidates, key=lambda trial: (study.sign * _value(trial), trial.number))
    return Best(
        trial=best.number,
        value=_value(best),
        params=best.params,
        confirmed=best.confirmed,
        evaluated=_evaluated(best),
        noise_floor=best.noise_floor,
        repeats=tuple(
            trial.value
            for trial in trials
            if trial.repeat_of == best.number
            and trial.state == "complete"
            and trial.value is not None
        ),
    )


def _value(trial: Trial) -> float:
    return math.nan if trial.value is None else trial.value


def _evaluated(trial: Trial) -> float | None:
    readings = [job.value for job in trial.jobs if job.evaluation and job.outcome == "complete"]
    return readings[-1] if readings else None


def baseline(snapshot: Snapshot) -> Trial | None:
    """Return the latest complete baseline, or None."""
    found = [trial for trial in snapshot.trials if trial.origin == "baseline" and trial.counts]
    return found[-1] if found else None


def improvements(snapshot: Snapshot) -> list[Improvement]:
    """Return every trial that beat all that were finished before it, in order of finishing."""
    steps: list[Improvement] = []
    for trial in sorted((each for each in snapshot.trials if each.counts), key=_finished):
        before = steps[-1].trial if steps else None
        if before is None:
            steps.append(Improvement(trial, (), None))
        elif snapshot.study.better(_value(trial), _value(before)):
            gain = abs(_value(trial) - _value(before))
            floor = trial.noise_floor
            real = None if floor is None else gain > floor
            steps.append(Improvement(trial, changes(before.params, trial.params), real))
    return steps


def _finished(trial: Trial) -> tuple[float, int]:
    return (math.inf if trial.finished_at is None else trial.finished_at, trial.number)


def changes(
    before: dict[str, Scalar], after: dict[str, Scalar]
) -> tuple[tuple[str, Scalar, Scalar], ...]:
    """Return (parameter, before, after) for every parameter that differs."""
    names = [*after, *(name for name in before if name not in after)]
    return tuple(
        (name, before.get(name), after.get(name))
        for name in names
        if name not in before or name not in after or before[name] != after[name]
    )


def origin_label(trial: Trial) -> str:
    """Return the origin as people tell it apart: a proposal with a citation is literature."""
    return "literature" if trial.origin == "proposal" and trial.source else trial.origin


def earnings(snapshot: Snapshot) -> list[Earning]:
    """Return what each origin earned over the default, in the order of their first trials."""
    reference = baseline(snapshot)
    by_origin: dict[str, list[Trial]] = {}
    for trial in snapshot.trials:
        if trial.finished and trial.origin != "repeat":
            by_origin.setdefault(origin_label(trial), []).append(trial)
    return [
        _earning(snapshot.study, origin, trials, reference) for origin, trials in by_origin.items()
    ]


def _earning(study: Study, origin: str, trials: list[Trial], reference: Trial | None) -> Earning:
    best = min(
        (trial for trial in trials if trial.counts),
        key=lambda trial: (study.sign * _value(trial), trial.number),
        default=None,
    )
    gain = None
    if best is not None and reference is not None:
        gain = study.sign * (_value(reference) - _value(best))
    return Earning(origin, len(trials), best, gain)
