"""Keep or discard, decided in code, with a noise floor."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

#: Readings that a curve needs before its tail says something about noise.
_TAIL = 6


@dataclass(frozen=True, slots=True)
class TrialResult:
    """A finished trial, as it is judged.

    Attributes:
        number: Its number.
        state: complete, pruned or failed.
        origin: baseline, proposal, model, queued or repeat.
        value: The objective of a complete trial.
        curve: Step -> reading.
        repeat_of: Number of the trial that it repeats, or None.
    """

    number: int
    state: str
    origin: str
    value: float | None
    curve: Mapping[int, float]
    repeat_of: int | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is thought of one trial.

    Attributes:
        decision: keep or discard.
        reason: Why, as a sentence.
        improves: Whether it beat all before it by more than the noise.
        noise_floor: Smallest difference that means something, or None while unknown.
        confirmed: Whether repeats agree; None where there are none.
    """

    decision: str
    reason: str
    improves: bool
    noise_floor: float | None
    confirmed: bool | None


def noise_floor(trials: Sequence[TrialResult]) -> float | None:
    """Return the smallest difference that means something, from the tails of the curves."""
    spreads = [spread for trial in trials if (spread := _tail_spread(trial.curve)) is not None]
    return 2.0 * statistics.median(spreads) if spreads else None


def _tail_spread(curve: Mapping[int, float]) -> float | None:
    values = [curve[step] for step in sorted(curve) if math.isfinite(curve[step])]
    if len(values) < _TAIL:
        return None
    tail = values[-max(4, len(values) // 3) :]
    jumps = [abs(after - before) for before, after in zip(tail, tail[1:], strict=False)]
    # The median jump between neighbours of a flat series is 0.954 of its standard deviation.
    return statistics.median(jumps) / 0.954


def judge(trials: Sequence[TrialResult], *, direction: str) -> dict[int, Judgement]:
    """Judge finished trials in the order in which they finished."""
    sign = 1.0 if direction == "minimize" else -1.0
    floor = noise_floor([trial for trial in trials if trial.state == "complete"])
    best: float | None = None
    judged: dict[int, Judgement] = {}
    for trial in trials:
        if trial.repeat_of is not None or trial.state != "complete" or trial.value is None:
            continue
        gain = math.inf if best is None else best - sign * trial.value
        improves = gain > (floor or 0.0)
        if improves:
            best = sign * trial.value
        judged[trial.number] = Judgement(
            "keep" if improves else "discard", _reason(gain, floor), improves, floor, None
        )
    return judged


def _reason(gain: float, floor: float | None) -> str:
    if math.isinf(gain):
        return "the first result"
    if gain <= 0:
        return f"{-gain:.3g} worse than the best before it"
    if floor is not None and gain <= floor:
        return f"{gain:.3g} better, which is within the noise ({floor:.3g})"
    return f"{gain:.3g} better than the best before it"
