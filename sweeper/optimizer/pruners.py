"""Ends a trial that cannot pay off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from optuna.pruners import BasePruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

if TYPE_CHECKING:
    from optuna.study import Study

_FIRST_FINISHED = 3
_GRACE = 0.1
_SHARE = 0.3
_TRIVIAL = 0.1


class BudgetPruner(BasePruner):
    """Ends a trial whose curve lies outside the best share of what others had at its step.

    Args:
        resource_max: Step at which a trial ends by itself, or None where it is not known.
        wrapped: Another pruner, whose wish to prune counts as well.
    """

    def __init__(self, resource_max: int | None = None, wrapped: BasePruner | None = None) -> None:
        self.resource_max = resource_max
        self.wrapped = wrapped

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether the trial should end now."""
        return self.reason(study, trial) is not None

    def reason(self, study: Study, trial: FrozenTrial) -> str | None:
        """Return why the trial should end now, with the numbers, or None."""
        if not trial.intermediate_values:
            return None
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        step = max(trial.intermediate_values)
        value = sign * trial.intermediate_values[step]
        if math.isnan(value):
            return None
        others = [
            t
            for t in study.get_trials(deepcopy=False)
            if t.state in (TrialState.COMPLETE, TrialState.PRUNED) and t.intermediate_values
        ]
        if sum(t.state == TrialState.COMPLETE for t in others) < _FIRST_FINISHED:
            return None
        end = self.resource_max or max(max(t.intermediate_values) for t in others)
        if step < _GRACE * end or end - step < _TRIVIAL * end:
            return None
        peers = [r for t in others if (r := _reading(t, step, sign)) is not None]
        better = sum(peer < value for peer in peers)
        if peers and better / (len(peers) + 1) > _SHARE:
            return (
                f"{sign * value:.6g} at step {step} is behind {better} of {len(peers)} trials; "
                f"{end - step} of {end} steps are saved."
            )
        if self.wrapped is not None and self.wrapped.prune(study, trial):
            return f"{type(self.wrapped).__name__} ends it at step {step} with {sign * value:.6g}."
        return None


def _reading(trial: FrozenTrial, step: int, sign: float) -> float | None:
    known = [s for s in trial.intermediate_values if s <= step]
    if not known or max(trial.intermediate_values) < step:
        return None
    value = sign * trial.intermediate_values[max(known)]
    return value if math.isfinite(value) else None
