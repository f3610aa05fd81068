"""The blended sampler: what the literature proposes and what the model suggests, in one.

An Optuna sampler whose every decision is made from what is stored: the random numbers of a trial
come from the seed and the trial's number, the chosen configuration is written with the trial
before its first parameter is suggested, and a proposal belongs to a trial by its claim.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.samplers import RandomSampler
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial
from optuna.trial import TrialState
from threadpoolctl import threadpool_limits

from sweeper.optimizer import deciding
from sweeper.optimizer.evidence import POINT
from sweeper.optimizer.inferring import infer
from sweeper.optimizer.memory import remember
from sweeper.optimizer.proposals import declared_space
from sweeper.optimizer.space import MOST_DRAWS
from sweeper.optimizer.space import Space
from sweeper.optimizer.space import legal
from sweeper.optimizer.space import nearest
from sweeper.optimizer.storage import set_trial_attrs

if TYPE_CHECKING:
    from optuna.study import Study

    from sweeper.constraints import Constraint


class BlendedSampler(BaseSampler):
    """Weighs proposals against a Bayesian model, trial by trial.

    Args:
        seed: Seed of all random numbers; None draws one.
        budget: Trials that the sweep may still run altogether, or None where nobody knows.
        default: The default configuration: it runs first unless it is queued, and steers what
            follows.
        constraints: Comparisons that every configuration must meet.
        space: The declared space; without it the study's attribute `search_space`, and without
            that what the trials show.
    """

    def __init__(
        self,
        seed: int | None = None,
        budget: int | None = None,
        default: Mapping[str, Any] | None = None,
        constraints: Sequence[Constraint] = (),
        space: Space | None = None,
    ) -> None:
        self.seed = secrets.randbits(32) if seed is None else seed
        self.budget = budget
        self.default = dict(default) if default else None
        self.constraints = tuple(constraints)
        self.space = space
        self._random = RandomSampler(seed=self.seed)
        self._tpe = TPESampler(seed=self.seed, multivariate=True, constant_liar=True)

    def __str__(self) -> str:
        return "BlendedSampler"

    def reseed_rng(self) -> None:
        """Take a new seed (Optuna calls this in each of several threads)."""
        self.seed = secrets.randbits(32)
        self._random.reseed_rng()
        self._tpe.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Decide at once where proposals wait, so that the claim happens inside `ask`.

        A study's first trial brings what related studies in the same storage have learned.
        """
        if trial.number == 0 and trial.state == TrialState.RUNNING:
            remember(study)
        if self._undecided(study, trial) and deciding.has_proposals(study):
            self._decide(study, trial, self.known_space(study))

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return every parameter known so far that has more than one value."""
        if study._is_multi_objective():
            return self._tpe.infer_relative_search_space(study, trial)
        space = self.known_space(study)
        if space is None:
            return {}
        return {name: d for name, d in space.distributions.items() if not d.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the chosen configuration, as far as it lies in `search_space`."""
        if study._is_multi_objective():
            return self._tpe.sample_relative(study, trial, search_space)
        point = trial.system_attrs.get(POINT)
        if point is not None:
            # Optuna's cache takes parameters only for trials that this process has listed.
            study._get_trials(deepcopy=False, use_cache=True)
        elif search_space:
            space = self.known_space(study)
            if space is None or not set(search_space) <= set(space.distributions):
                space = Space(dict(search_space), constraints=self.constraints)
            point = self._decide(study, trial, space)
        return {
            name: value
            for name, value in (point or {}).items()
            if name in search_space and legal(search_space[name], value)
        }

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return the claimed or chosen value, else the default of a first trial, else a draw."""
        point = trial.system_attrs.get(POINT)
        if point is None and trial.number == 0 and self.default:
            point = self.default
        if point and param_name in point:
            fitting = nearest(param_distribution, point[param_name])
            if fitting is not None:
                return fitting
        value = None
        for _ in range(MOST_DRAWS):
            value = self._random.sample_independent(study, trial, param_name, param_distribution)
            known = {**trial.params, param_name: value}
            if all(c.evaluate(known) for c in self.constraints if set(c.names) <= set(known)):
                break
        return value

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Hand on what ended, to the delegate that may keep books of its own."""
        self._tpe.after_trial(study, trial, state, values)

    def _undecided(self, study: Study, trial: FrozenTrial) -> bool:
        return (
            trial.state == TrialState.RUNNING
            and not trial.params
            and "fixed_params" not in trial.system_attrs
            and POINT not in trial.system_attrs
            and not study._is_multi_objective()
        )

    def declares(self, study: Study) -> bool:
        """Whether the space is declared rather than shown by trials."""
        return (self.space or declared_space(study)) is not None

    def known_space(self, study: Study) -> Space | None:
        """Return the space as declared, or else as the study's trials have shown it."""
        space = self.space or declared_space(study)
        if space is None:
            space = infer(study._get_trials(deepcopy=False, use_cache=True), self.default)
            if space is not None and self.constraints:
                space = Space(space.distributions, space.defaults, space.when, self.constraints)
        return space

    def _decide(self, study: Study, trial: FrozenTrial, space: Space | None) -> dict[str, Any]:
        """Choose a configuration, write it with the trial and return it."""
        rng = np.random.default_rng([self.seed, trial.number])
        # The model's matrices are small: several threads would only wait for each other.
        with threadpool_limits(limits=1, user_api="blas"):
            choice = deciding.decide(study, trial, space, rng, self)
        # What a trial was given before (`propose --now`, a repeat) says more than the sampler.
        given = trial.user_attrs if trial.user_attrs.get("origin", "model") != "model" else {}
        user = {name: v for name, v in choice.attributes().items() if name not in given}
        set_trial_attrs(study._storage, trial._trial_id, user=user, system={POINT: choice.params})
        # The trial at hand was read before this was written.
        trial.user_attrs = {**trial.user_attrs, **user}
        trial.system_attrs = {**trial.system_attrs, POINT: choice.params}
        return choice.params
