"""Keep or discard, with a noise floor.

A trial is kept when it beats the best kept one by more than chance would over the whole sweep: the
floor is set so that of all the trials compared, together, one passes by luck in fewer than one
sweep in twenty. The best of many noisy values looks better than it is; the value that is reported
is corrected for that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from statistics import fmean

import numpy as np

from sweeper.optimizer import noise
from sweeper.optimizer.noise import Estimate

#: Chance of a false claim over a whole sweep.
ALPHA = 0.04

KEEP, DISCARD = "keep", "discard"
REPEAT, BASELINE = "repeat", "baseline"


@dataclass(frozen=True)
class TrialResult:
    """What is known of one finished trial.

    Attributes:
        number: Its number.
        origin: baseline, proposal, model, queued or repeat.
        value: What it reached, or None where it failed.
        state: complete, pruned or failed.
        curve: Its readings by step.
        repeat_of: Number of the trial that a repeat repeats.
        verdict_epoch: Epoch of script and dependencies it ran under.
    """

    number: int
    origin: str
    value: float | None
    state: str = "complete"
    curve: Mapping[int, float] = field(default_factory=dict)
    repeat_of: int | None = None
    verdict_epoch: int = 0

    @property
    def counts(self) -> bool:
        """Whether its value may be compared."""
        return self.state == "complete" and self.value is not None and math.isfinite(self.value)

    @cached_property
    def tail_noise(self) -> float | None:
        """The noise that the last part of its curve shows, or None."""
        return noise.of_tail(self.curve)


@dataclass(frozen=True, slots=True)
class TrialVerdict:
    """What is thought of one trial.

    Attributes:
        trial: Its number.
        decision: "keep" or "discard".
        reason: Why, with the numbers.
        noise_floor: Smallest difference that means something, or None while nothing shows it.
        confirmed: Whether repeats agree; None where there are none.
        verdict_epoch: Epoch it was judged in.
    """

    trial: int
    decision: str
    reason: str
    noise_floor: float | None
    confirmed: bool | None
    verdict_epoch: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is thought of a sweep.

    Attributes:
        verdicts: One a trial that is no repeat, by number.
        noise_floor: Smallest difference that means something, or None while nothing shows it.
        noise_from: "repeats", "tails", "spread" or None.
        champion: Number of the best trial that was kept, or None.
        corrected: Its value without what it owes to luck, or None.
        confirmed: Whether the champion's repeats agree; None without repeats.
        improvements: Trials that were real improvements, by number.
        without_improvement: Finished trials since the last real improvement, repeats apart.
    """

    verdicts: list[TrialVerdict]
    noise_floor: float | None
    noise_from: str | None
    champion: int | None
    corrected: float | None
    confirmed: bool | None
    improvements: list[int]
    without_improvement: int


def judge(
    trials: Sequence[TrialResult], direction: str, *, planned: int | None = None
) -> Judgement:
    """Judge all trials of a sweep as things stand now.

    Args:
        trials: Finished trials in the order they started; those of the newest verdict epoch are
            compared with each other, older ones keep their place in the list as discarded.
        direction: "minimize" or "maximize".
        planned: Trials that the sweep may run altogether, where that is known.
    """
    sign = -1.0 if direction == "maximize" else 1.0
    epoch = max((t.verdict_epoch for t in trials), default=0)
    court = _Court([t for t in trials if t.verdict_epoch == epoch], sign, planned)
    older = [
        TrialVerdict(
            t.number, DISCARD, "Ran under an older script.", court.floor, None, t.verdict_epoch
        )
        for t in trials
        if t.verdict_epoch != epoch and t.origin != REPEAT
    ]
    return court.judgement(older, epoch)


class _Court:
    """One pass over comparable trials, in the order they started."""

    def __init__(self, trials: Sequence[TrialResult], sign: float, planned: int | None) -> None:
        self.sign = sign
        self.own = [t for t in trials if t.origin != REPEAT]
        self.again = self._repeats(trials)
        self.tries = max(planned or 0, sum(t.counts for t in self.own), 2)
        self.witnesses = self._witnesses(trials)
        self.floor, self.floor_from = self._floor(2.0)

    def _repeats(self, trials: Sequence[TrialResult]) -> dict[int, list[float]]:
        again: dict[int, list[float]] = {}
        for t in trials:
            if t.origin == REPEAT and t.counts and t.repeat_of is not None and t.value is not None:
                again.setdefault(t.repeat_of, []).append(self.sign * t.value)
        return again

    def _witnesses(self, trials: Sequence[TrialResult]) -> dict[str, Estimate]:
        groups = [
            [self._first(t), *self.again[t.number]]
            for t in self.own
            if t.counts and t.number in self.again
        ]
        found = {
            "repeats": noise.of_repeats(groups),
            "tails": noise.of_tails([t.tail_noise for t in trials if t.counts]),
            "spread": noise.of_spread([self._first(t) for t in self.own if t.counts]),
        }
        return {name: estimate for name, estimate in found.items() if estimate is not None}

    def _floor(self, runs: float) -> tuple[float | None, str | None]:
        """Return the smallest difference that chance does not explain, and who says so.

        Repeats and the spread each bound it, so the lesser holds (each at half the chance of a
        false alarm). Tails show a part of the noise only, so they can but raise what the others
        say, and stand alone where there are too few trials for the others.
        """
        limits = {
            name: self.witnesses[name].limit(ALPHA / 2 / self.tries, runs)
            for name in ("repeats", "spread")
            if name in self.witnesses
        }
        tails = self.witnesses.get("tails")
        least = 0.0 if tails is None else tails.limit(ALPHA / self.tries, runs)
        if "repeats" not in limits and tails is not None:
            return least, "tails"
        if not limits:
            return None, None
        name = min(limits, key=limits.__getitem__)
        return (limits[name], name) if limits[name] >= least else (least, "tails")

    def _first(self, trial: TrialResult) -> float:
        return self.sign * (trial.value if trial.value is not None else math.inf)

    def _runs(self, trial: TrialResult) -> list[float]:
        return [self._first(trial), *self.again.get(trial.number, [])]

    def judgement(self, older: list[TrialVerdict], epoch: int) -> Judgement:
        """Return the verdicts on all trials, and on the sweep."""
        verdicts, improvements = list(older), []
        champion: TrialResult | None = None
        since = 0
        for trial in self.own:
            if not trial.counts:
                verdicts.append(self._uncounted(trial, epoch))
                since += trial.state == "pruned"
                continue
            verdict = self._verdict(trial, champion, epoch)
            verdicts.append(verdict)
            since += 1
            if verdict.decision == KEEP:
                if champion is not None:
                    improvements.append(trial.number)
                champion, since = trial, 0
        return Judgement(
            verdicts=verdicts,
            noise_floor=self.floor,
            noise_from=self.floor_from,
            champion=champion.number if champion else None,
            corrected=None if champion is None else self.sign * self._corrected(champion),
            confirmed=None if champion is None else self._confirmed(champion),
            improvements=improvements,
            without_improvement=since,
        )

    def _uncounted(self, trial: TrialResult, epoch: int) -> TrialVerdict:
        reason = "It did not finish." if trial.state == "pruned" else "It failed."
        return TrialVerdict(trial.number, DISCARD, reason, self.floor, None, epoch)

    def _verdict(
        self, trial: TrialResult, champion: TrialResult | None, epoch: int
    ) -> TrialVerdict:
        if champion is None:
            reason = "The first value: what follows is measured against it."
            return TrialVerdict(trial.number, KEEP, reason, self.floor, None, epoch)
        mine, best = self._runs(trial), self._runs(champion)
        floor, witness = self._floor(1.0 / len(mine) + 1.0 / len(best))
        gain = fmean(best) - fmean(mine)
        confirmed = self._confirmed(trial, champion)
        keep = gain > (floor or 0.0) and confirmed is not False
        reason = self._reason(gain, floor, witness, champion, confirmed)
        return TrialVerdict(
            trial.number, KEEP if keep else DISCARD, reason, floor, confirmed, epoch
        )

    def _reason(
        self,
        gain: float,
        floor: float | None,
        witness: str | None,
        champion: TrialResult,
        confirmed: bool | None,
    ) -> str:
        if gain <= 0:
            return f"No better than trial {champion.number} (by {gain:.3g})."
        if floor is None:
            return (
                f"Better than trial {champion.number} by {gain:.3g}; "
                "nothing shows the noise yet, so this is unconfirmed."
            )
        if gain <= floor:
            return (
                f"Better than trial {champion.number} by {gain:.3g}, "
                f"within the noise floor of {floor:.3g} (from {witness})."
            )
        if confirmed is False:
            return f"Repeats do not bear out the {gain:.3g} over trial {champion.number}."
        word = "confirmed by repeats" if confirmed else "unconfirmed"
        return (
            f"Better than trial {champion.number} by {gain:.3g}, beyond the noise floor of "
            f"{floor:.3g} (from {witness}), {word}."
        )

    def _confirmed(self, trial: TrialResult, rival: TrialResult | None = None) -> bool | None:
        """Whether the repeats alone, which no selection has touched, still beat the rival."""
        again = self.again.get(trial.number)
        if not again:
            return None
        rivals = [rival] if rival is not None else [t for t in self.own if t.counts][:1]
        if not rivals or rivals[0].number == trial.number:
            return None
        return fmean(again) < fmean(self._runs(rivals[0]))

    def _corrected(self, champion: TrialResult) -> float:
        """Return the champion's value without its luck.

        Its repeats are free of luck. What has none is drawn towards the other trials by the share
        of noise in what tells trials apart (James and Stein's shrinkage).
        """
        again = self.again.get(champion.number)
        if again:
            return fmean(again)
        values = np.array([self._first(t) for t in self.own if t.counts])
        known = [self.witnesses[n].sd for n in ("repeats", "tails") if n in self.witnesses]
        spread = self.witnesses.get("spread")
        if not known or spread is None or spread.sd <= 0:
            return self._first(champion)
        share = min(1.0, (known[0] / spread.sd) ** 2)
        return self._first(champion) + share * float(np.median(values) - self._first(champion))
