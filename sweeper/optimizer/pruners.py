"""Ends a trial that cannot pay off: what it can still earn against what its rest costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optuna.pruners import BasePruner
from optuna.pruners import NopPruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from sweeper.optimizer.curves import Curve
from sweeper.optimizer.curves import Curves
from sweeper.optimizer.curves import reading
from sweeper.optimizer.curves import usable
from sweeper.optimizer.evidence import ORIGIN

if TYPE_CHECKING:
    from optuna.study import Study

_FIRST_FINISHED = 2
# Below these parts of a full run a curve says too little, and its rest saves too little.
_TOO_EARLY = 0.1
_TRIVIAL_REST = 0.1
# The chance to become the best that a trial must have when all of its run lies before it.
_LEAST_CHANCE = 0.6
# Who is among this best share at the same step goes on, whatever a forecast says.
_FAVOURED = 0.25


@dataclass(frozen=True, slots=True)
class _Standing:
    """One running trial's curve against the study's, less is better."""

    curve: Curve
    step: int
    end: int
    finished: list[Curve]
    best: float
    ahead: float

    @property
    def rest(self) -> float:
        """The part of a full run that is still to be paid."""
        return max(0.0, 1.0 - self.step / self.end)


@dataclass(frozen=True, slots=True)
class _Ended:
    """The usable curves of a study's ended trials, less is better.

    Attributes:
        trials: What they were read from.
        complete: Those of complete trials, which end with the trial's value.
        every: Those of complete and pruned trials.
    """

    trials: list[FrozenTrial]
    complete: list[Curve]
    every: list[Curve]

    @classmethod
    def of(cls, trials: list[FrozenTrial], sign: float) -> _Ended:
        """Read the curves of trials, values times `sign`."""
        complete = [_ended(t, sign) for t in trials if t.state == TrialState.COMPLETE]
        states = (TrialState.COMPLETE, TrialState.PRUNED)
        every = [_signed(t, sign) for t in trials if t.state in states]
        return cls(trials, list(filter(usable, complete)), list(filter(usable, every)))


class BudgetPruner(BasePruner):
    """Ends a trial when its rest buys more elsewhere.

    The chance that the trial becomes the best, by the forecast of its curve, is held against the
    part of a full run that its rest costs: what costs all of a run must promise as much as a new
    trial does, what is almost through need hardly promise anything.

    Args:
        resource_max: Step at which a run ends by itself; without it the longest one that was seen.
        wrapped: Another pruner, whose wish to prune counts as well, under the same protection.
        least_chance: Chance to become the best that a full run must have to be worth its cost.
    """

    def __init__(
        self,
        resource_max: int | None = None,
        wrapped: BasePruner | None = None,
        least_chance: float = _LEAST_CHANCE,
    ) -> None:
        self.resource_max = resource_max
        self.wrapped = wrapped or NopPruner()
        self.least_chance = least_chance
        self._ended: _Ended | None = None

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether the trial should end now."""
        return self.reason(study, trial) is not None

    def reason(self, study: Study, trial: FrozenTrial) -> str | None:
        """Return why the trial should end now, with the numbers, or None where it may go on."""
        standing = self._standing(study, trial)
        if standing is None or not self._may_end(study, trial, standing):
            return None
        return self._hopeless(study, standing) or self._unwanted(study, trial, standing)

    def _standing(self, study: Study, trial: FrozenTrial) -> _Standing | None:
        sign = _sign(study)
        curve = _signed(trial, sign)
        if not curve or not usable(curve):
            return None
        ended = self._look(study, sign)
        finished = ended.complete
        if len(finished) < _FIRST_FINISHED:
            return None
        end = self.resource_max or max(max(c) for c in finished)
        best = min(c[max(c)] for c in finished)
        ahead = _share_ahead(ended.every, curve)
        return _Standing(curve, max(curve), end, finished, best, ahead)

    def _look(self, study: Study, sign: float) -> _Ended:
        """Return the curves of the study's ended trials, read once until a trial ends."""
        trials = study._get_trials(deepcopy=False, use_cache=True)
        # Optuna hands out the same list until something is told or begun.
        if self._ended is None or self._ended.trials is not trials:
            self._ended = _Ended.of(trials, sign)
        return self._ended

    def _may_end(self, study: Study, trial: FrozenTrial, standing: _Standing) -> bool:
        early = standing.step < max(2, _TOO_EARLY * standing.end)
        trivial = standing.rest <= _TRIVIAL_REST
        protected = trial.user_attrs.get(ORIGIN) in ("baseline", "repeat")
        return not (early or trivial or protected)

    def _hopeless(self, study: Study, standing: _Standing) -> str | None:
        curves = Curves(standing.finished, standing.step)
        forecast = curves.forecast(standing.curve)
        if forecast is None:
            return None
        chance = forecast.chance_below(standing.best)
        needed = self.least_chance * standing.rest
        if chance >= needed or standing.ahead <= _FAVOURED:
            return None
        sign = _sign(study)
        return (
            f"At step {standing.step} of {standing.end} it is expected to end at "
            f"{sign * forecast.mean:.6g} ± {forecast.sd:.2g}; the best is "
            f"{sign * standing.best:.6g}. Its chance to beat that is {chance:.1%}, and the "
            f"{standing.rest:.0%} of a run that it still costs would have to bring {needed:.1%}."
        )

    def _unwanted(self, study: Study, trial: FrozenTrial, standing: _Standing) -> str | None:
        if not self.wrapped.prune(study, trial):
            return None
        sign = _sign(study)
        value = sign * standing.curve[standing.step]
        name = type(self.wrapped).__name__
        return f"{name} ends it at step {standing.step} of {standing.end} with {value:.6g}."


def _sign(study: Study) -> float:
    return -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0


def _share_ahead(others: list[Curve], curve: Curve) -> float:
    """Return the share of all ended trials whose curves were lower at this curve's step."""
    step = max(curve)
    peers = [reading(c, step) for c in others if max(c) >= step]
    mine = reading(curve, step)
    return sum(peer <= mine for peer in peers) / (len(peers) + 1)


def _signed(trial: FrozenTrial, sign: float) -> Curve:
    return {s: sign * v for s, v in trial.intermediate_values.items() if not math.isnan(v)}


def _ended(trial: FrozenTrial, sign: float) -> Curve:
    """Return a complete trial's curve; its value is what stands at the end."""
    curve = dict(_signed(trial, sign))
    if trial.value is not None and curve:
        curve[max(curve)] = sign * trial.value
    return curve
