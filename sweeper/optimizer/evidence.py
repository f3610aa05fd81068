"""What a study's trials say: points, values to be minimised, failures, what is running.

Only values that were reached enter the model of the objective. A failed trial is a point where
not to go, never a large value: told as one, it bends the model far around it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from sweeper.optimizer.curves import Curve
from sweeper.optimizer.curves import Curves
from sweeper.optimizer.curves import Forecast
from sweeper.optimizer.curves import reading
from sweeper.optimizer.curves import usable
from sweeper.optimizer.encoding import Array
from sweeper.optimizer.encoding import Coder
from sweeper.optimizer.space import canonical
from sweeper.optimizer.space import legal

if TYPE_CHECKING:
    from optuna.study import Study

#: User attributes of a trial: who chose its parameters, why, on whose word.
ORIGIN = "origin"
CHOSEN_BY = "chosen_by"
WHY = "why"
SOURCE = "source"
PROPOSAL = "proposal"
#: User attribute: what ended a trial; this value marks one that never ran.
ENDED_BY = "ended_by"
NOT_STARTED = "not started"


@dataclass(frozen=True)
class Evidence:
    """Trials as arrays; values are signed so that less is better.

    Attributes:
        points: Coded configurations of trials that count as observed.
        values: Their values; of a pruned trial the one it was heading for.
        doubt: Standard deviation of that forecast; 0 where the value was reached.
        complete: Which of them reached the end; the others were pruned.
        trials: Number of each observed trial.
        proposals: Proposal that each observed trial came from, or None.
        failed: Coded configurations of failed trials.
        failed_proposals: Proposal that each failed trial came from, or None.
        running: Coded configurations of running trials.
        origins: Who chose each observed trial's parameters: baseline, proposal, model or "".
        chosen_by: What chose them: gp, tpe, start, … or "".
        started: How many trials have been started at all (baseline and failures included).
    """

    points: Array
    values: Array
    doubt: Array
    complete: Any
    trials: list[int]
    proposals: list[str | None]
    failed: Array
    failed_proposals: list[str | None]
    running: Array
    started: int
    origins: list[str] = field(default_factory=list)
    chosen_by: list[str] = field(default_factory=list)

    @property
    def tried(self) -> Array:
        """Every point that has been or is being tried."""
        return np.concatenate([self.points, self.failed, self.running])

    @property
    def best(self) -> float:
        """The least value of a complete trial, or infinity."""
        return float(self.values[self.complete].min()) if self.complete.any() else math.inf


def gather(
    study: Study, coder: Coder, exclude: int | None = None, *, points: bool = True
) -> Evidence:
    """Read a study's trials along the axes of `coder`.

    Args:
        study: The study.
        coder: Axes of the points; trials whose values do not fit them are left out.
        exclude: Id of a trial to leave out.
        points: Whether configurations are coded at all; without them only values are known.
    """
    sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
    trials = [
        t
        for t in study._get_trials(deepcopy=False, use_cache=True)
        if t._trial_id != exclude and t.user_attrs.get(ENDED_BY) != NOT_STARTED
    ]
    usable = [(t, _configuration(t, coder) if points else {}) for t in trials]
    seen = [(t, c) for t, c in usable if c is not None]
    complete = {t.number: v for t, _ in seen if (v := _final(t, sign)) is not None}
    finished = [_curve(t, sign) for t, _ in seen if t.number in complete]
    pruned = {t.number: f for t, _ in seen if (f := _cut_off(t, sign, finished)) is not None}
    values = {**complete, **{number: f.mean for number, f in pruned.items()}}
    observed = [(t, c, values[t.number]) for t, c in seen if t.number in values]
    failed = [(t, c) for t, c in seen if t.state == TrialState.FAIL]
    running = [_pending(t, coder) for t in trials if t.state == TrialState.RUNNING and points]
    return Evidence(
        points=coder.encode_all([c for _, c, _ in observed if points]),
        values=np.array([v for _, _, v in observed], dtype=float),
        doubt=np.array([_doubt(pruned.get(t.number)) for t, _, _ in observed], dtype=float),
        complete=np.array([t.state == TrialState.COMPLETE for t, _, _ in observed], dtype=bool),
        trials=[t.number for t, _, _ in observed],
        proposals=[t.user_attrs.get(PROPOSAL) for t, _, _ in observed],
        failed=coder.encode_all([c for _, c in failed if points]),
        failed_proposals=[t.user_attrs.get(PROPOSAL) for t, _ in failed],
        running=coder.encode_all([c for c in running if points and c is not None]),
        started=sum(t.state != TrialState.WAITING for t in trials),
        chosen_by=[t.user_attrs.get(CHOSEN_BY, "") for t, _, _ in observed],
        origins=[t.user_attrs.get(ORIGIN, "") for t, _, _ in observed],
    )


def _final(trial: FrozenTrial, sign: float) -> float | None:
    """Return what a complete trial reached, or None."""
    if trial.state != TrialState.COMPLETE or not trial.values:
        return None
    value = sign * trial.values[0]
    return value if math.isfinite(value) else None


def _doubt(forecast: Forecast | None) -> float:
    return 0.0 if forecast is None else forecast.sd


def _cut_off(trial: FrozenTrial, sign: float, finished: Sequence[Curve]) -> Forecast | None:
    """Return what a pruned trial would have reached, by the forecast of its curve, or None."""
    if trial.state != TrialState.PRUNED:
        return None
    curve = _curve(trial, sign)
    if not usable(curve):
        return None
    step = max(curve)
    longer = [c for c in finished if max(c, default=0) >= step]
    return Curves(longer, step).forecast(curve) or Forecast(reading(curve, step), 0.0)


def _curve(trial: FrozenTrial, sign: float) -> Curve:
    return {s: sign * v for s, v in trial.intermediate_values.items() if not math.isnan(v)}


def _configuration(trial: FrozenTrial, coder: Coder) -> dict[str, Any] | None:
    """Return the trial's parameters as the space knows them, or None where they do not fit."""
    params = {}
    for name, distribution in coder.space.distributions.items():
        if name in trial.params:
            if not legal(distribution, trial.params[name]):
                return None
            params[name] = canonical(distribution, trial.params[name])
    return params or None


def _pending(trial: FrozenTrial, coder: Coder) -> dict[str, Any] | None:
    """Return what a running trial is going to try, known before all of it is stored."""
    known = {**trial.system_attrs.get(POINT, {}), **trial.params}
    known.update(trial.system_attrs.get("fixed_params", {}))
    params = {
        name: canonical(d, known[name])
        for name, d in coder.space.distributions.items()
        if name in known and legal(d, known[name])
    }
    return params or None


#: System attribute of a trial: the configuration that was chosen for it, before it is suggested.
POINT = "sweeper:point"


def names_of(trials: Sequence[FrozenTrial]) -> set[str]:
    """Return every parameter that the trials know."""
    return {name for t in trials for name in t.params}
