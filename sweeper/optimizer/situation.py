"""All that one decision looks at: the space, the trials, what is fixed."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from sweeper.optimizer.drawing import Draws
from sweeper.optimizer.encoding import Coder
from sweeper.optimizer.evidence import Evidence
from sweeper.optimizer.evidence import gather
from sweeper.optimizer.space import Space
from sweeper.optimizer.space import legal

if TYPE_CHECKING:
    from optuna.study import Study

#: Trials of the sampler's own before the Gaussian process is asked, the baseline included.
START = 3
#: More trials than this, and the tree-structured Parzen estimator takes over: the process costs
#: the cube of what it is fitted to, and where so many can be paid for the two do equally well.
GP_UNTIL = 200


class Situation:
    """All that one decision looks at.

    Args:
        study: The study.
        space: What may be tried.
        rng: Random numbers of this decision.
        default: The default configuration, or None for the space's own.
        trial: The trial that needs a configuration, or None where one is only talked about.

    Attributes:
        declared: Whether the space was declared, so that it can be known to be exhausted.
    """

    def __init__(
        self,
        study: Study,
        space: Space,
        rng: np.random.Generator,
        default: Mapping[str, Any] | None = None,
        trial: FrozenTrial | None = None,
    ) -> None:
        self.study, self.space, self.rng = study, space, rng
        self.sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        self.coder = Coder(space)
        self.draws = Draws(self.coder, rng)
        self.declared = False
        self._mine = None if trial is None else trial._trial_id
        self.default = space.active_part(self._fitting(default or space.defaults)) or None
        fixed = {} if trial is None else trial.system_attrs.get("fixed_params", {}) | trial.params
        self.fixed = self._fitting(fixed)

    @functools.cached_property
    def crowded(self) -> bool:
        """Whether there are too many observations for the Gaussian process."""
        ended = (TrialState.COMPLETE, TrialState.PRUNED)
        trials = self.study._get_trials(deepcopy=False, states=ended, use_cache=True)
        observed = sum(bool(t.params and (t.values or t.intermediate_values)) for t in trials)
        return observed > GP_UNTIL

    @functools.cached_property
    def evidence(self) -> Evidence:
        """What the trials say; of very many only the values, without their points."""
        return gather(self.study, self.coder, exclude=self._mine, points=not self.crowded)

    def _fitting(self, params: Mapping[str, Any]) -> dict[str, Any]:
        known = self.space.distributions
        return {n: v for n, v in params.items() if n in known and legal(known[n], v)}

    @property
    def starting(self) -> bool:
        """Whether too little is known for a model: of its own the sampler has tried too little."""
        own = [p is None for p in self.evidence.proposals + self.evidence.failed_proposals]
        return len(self.evidence.values) < 2 or sum(own) < START
