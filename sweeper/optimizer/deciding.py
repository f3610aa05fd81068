"""One decision: which configuration a trial gets, on whose word, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from sweeper.optimizer import arbitration
from sweeper.optimizer import evidence as trials_said
from sweeper.optimizer import searching
from sweeper.optimizer.claiming import Claims
from sweeper.optimizer.drawing import Draws
from sweeper.optimizer.encoding import Array
from sweeper.optimizer.encoding import Coder
from sweeper.optimizer.evidence import Evidence
from sweeper.optimizer.proposals import Proposal
from sweeper.optimizer.proposals import all_proposals
from sweeper.optimizer.space import Space
from sweeper.optimizer.space import SpaceExhausted
from sweeper.optimizer.space import legal
from sweeper.optimizer.space import nearest
from sweeper.optimizer.surrogate import Surrogate

if TYPE_CHECKING:
    from optuna.study import Study

    from sweeper.optimizer.sampler import BlendedSampler

BASELINE, FROM_PROPOSAL, FROM_MODEL = "baseline", "proposal", "model"

#: Trials before the Gaussian process is asked.
START = 3
# More observations than this, and the tree-structured Parzen estimator takes over.
_GP_UNTIL = 200


@dataclass(frozen=True)
class Choice:
    """A configuration with who chose it and why.

    Attributes:
        params: The active parameters.
        origin: "baseline", "proposal" or "model".
        by: "default", "adviser", "start", "gp" or "tpe".
        why: One sentence.
        proposal: The proposal that was claimed, or None.
        expected: Value that the model expects, in the study's own direction, or None.
        spread: Standard deviation of that, or None.
    """

    params: dict[str, Any]
    origin: str
    by: str
    why: str
    proposal: Proposal | None = None
    expected: float | None = None
    spread: float | None = None

    def attributes(self) -> dict[str, Any]:
        """Return the user attributes that the trial carries from now on."""
        attributes: dict[str, Any] = {"origin": self.origin, "chosen_by": self.by, "why": self.why}
        if self.proposal is not None:
            attributes["proposal"] = self.proposal.id
            attributes["source"] = list(self.proposal.source)
        if self.expected is not None and self.spread is not None:
            attributes["expected"] = self.expected
            attributes["expected_sd"] = self.spread
        return attributes


def has_proposals(study: Study) -> bool:
    """Whether any proposal waits."""
    proposals = all_proposals(study)
    return bool(proposals) and len(Claims(study).all()) < len(proposals)


class Situation:
    """All that one decision looks at.

    Args:
        study: The study.
        trial: The trial that needs a configuration.
        space: What may be tried.
        rng: Random numbers of this trial.
        default: The default configuration, or None.
    """

    def __init__(
        self,
        study: Study,
        trial: FrozenTrial,
        space: Space,
        rng: np.random.Generator,
        default: dict[str, Any] | None,
    ) -> None:
        self.study, self.trial, self.space, self.rng = study, trial, space, rng
        self.sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        self.coder = Coder(space)
        self.draws = Draws(self.coder, rng)
        known = {**(default or {}), **({} if default else space.defaults)}
        fitting = {
            n: v
            for n, v in known.items()
            if n in space.distributions and legal(space.distributions[n], v)
        }
        self.default = space.active_part(fitting) if fitting else None
        fixed = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        self.fixed = {
            n: v
            for n, v in fixed.items()
            if n in space.distributions and legal(space.distributions[n], v)
        }

    @cached_property
    def evidence(self) -> Evidence:
        """What the other trials say; reading all of a long study takes a while."""
        return trials_said.gather(self.study, self.coder, exclude=self.trial._trial_id)

    @property
    def crowded(self) -> bool:
        """Whether there are too many observations for the Gaussian process."""
        ended = (TrialState.COMPLETE, TrialState.PRUNED)
        trials = self.study._get_trials(deepcopy=False, states=ended, use_cache=True)
        observed = sum(bool(t.params and (t.values or t.intermediate_values)) for t in trials)
        return observed > _GP_UNTIL

    @property
    def starting(self) -> bool:
        """Whether too little is known for a model: of its own the sampler has tried too little."""
        own = [p is None for p in self.evidence.proposals + self.evidence.failed_proposals]
        return len(self.evidence.values) < 2 or sum(own) < START


def decide(
    study: Study,
    trial: FrozenTrial,
    space: Space | None,
    rng: np.random.Generator,
    sampler: BlendedSampler,
) -> Choice:
    """Choose the configuration of a trial; a proposal that is chosen is claimed.

    Raises:
        SpaceExhausted: Nothing that is legal is left.
    """
    if space is None:
        return _first_unseen(study, trial)
    now = Situation(study, trial, space, rng, sampler.default)
    crowded = now.crowded
    if not crowded and now.evidence.started == 0 and now.default and not now.fixed:
        return Choice(now.default, BASELINE, "default", "The default configuration runs first.")
    if not now.fixed:
        claimed = _weighed(now)
        if claimed is not None:
            return claimed
    return _by_tpe(now, sampler) if crowded else _by_model(now)


def _by_model(now: Situation) -> Choice:
    if now.starting:
        found = searching.first_point(now.draws, now.evidence, now.fixed)
        why = f"One of the first {START} trials: from the middle of the space."
        return Choice(_params(now, found.point), FROM_MODEL, found.by, why)
    surrogate = Surrogate(now.coder, now.evidence, now.rng)
    points, scores = searching.candidates(
        now.draws, now.evidence, surrogate, np.empty((0, len(now.coder.names))), now.fixed
    )
    found = searching.described(surrogate, points[0], scores[0])
    expected, spread = now.sign * (found.expected or 0.0), found.spread or 0.0
    best = now.sign * surrogate.best
    why = f"Expected {expected:.6g} ± {spread:.2g}; the best so far is {best:.6g}."
    return Choice(
        _params(now, found.point), FROM_MODEL, "gp", why, expected=expected, spread=spread
    )


def _by_tpe(now: Situation, sampler: BlendedSampler) -> Choice:
    tpe, study, trial = sampler._tpe, now.study, now.trial
    space = tpe.infer_relative_search_space(study, trial)
    given = tpe.sample_relative(study, trial, space)
    start = {**(now.default or {}), **given, **now.fixed}
    point = now.coder.settle(now.coder.encode(start)[None])
    for name, distribution in now.space.distributions.items():
        if name not in start:
            value = tpe.sample_independent(study, trial, name, distribution)
            point[:, now.coder.names.index(name)] = now.coder.axes[
                now.coder.names.index(name)
            ].code(value)
    point = now.coder.settle(point)
    if not now.draws.legal(point)[0]:
        nearby = now.draws.near(point, 0.1, 0.3, 256)
        point = nearby[:1] if len(nearby) else now.draws.uniform(1)
    why = f"More than {_GP_UNTIL} trials: the tree-structured Parzen estimator suggests."
    return Choice(_params(now, point[0]), FROM_MODEL, "tpe", why)


def _weighed(now: Situation) -> Choice | None:
    """Return the proposal that is worth more than the model's own suggestion, claimed."""
    claims = Claims(now.study)
    every = all_proposals(now.study)
    if not every:
        return None
    taken = claims.all()
    queue = [p for p in every if p.id not in taken]
    known = {p.id: p for p in every}
    while queue:
        at = _preferred(now, queue, known)
        if at is None:
            return None
        proposal = queue.pop(at)
        params = completed(now, proposal)
        if params is None:
            claims.take(proposal.id, -1 - proposal.order % 10**9, {})
            continue
        if claims.take(proposal.id, now.trial.number, params):
            return Choice(params, FROM_PROPOSAL, "adviser", proposal.why, proposal)
    return None


def _preferred(
    now: Situation, queue: Sequence[Proposal], known: dict[str, Proposal]
) -> int | None:
    """Return the index of the proposal to try, or None where the model's own is worth more."""
    seen = now.evidence
    if not len(seen.values):
        return _surest(queue)
    advised = [p is not None for p in seen.proposals]
    if len(seen.values) < 2:
        return None if all(advised) else _surest(queue)
    points = np.concatenate([_point(now, p)[None] for p in queue])
    surrogate = Surrogate(now.coder, seen, now.rng, settings=1)
    worth = arbitration.log_worth(points, queue, seen, surrogate, known)
    found = searching.quick_best(now.draws, seen, surrogate)
    own = arbitration.log_worth_of_own(found, seen, surrogate)
    at = int(np.argmax(worth))
    return at if worth[at] >= own else None


def _surest(queue: Sequence[Proposal]) -> int:
    sure = [0.5 if p.confidence is None else p.confidence for p in queue]
    return int(np.argmax(sure))


def _point(now: Situation, proposal: Proposal) -> Array:
    params = completed(now, proposal) or {}
    return np.asarray(now.coder.settle(now.coder.encode(params)[None])[0])


def completed(now: Situation, proposal: Proposal) -> dict[str, Any] | None:
    """Return a proposal's values with the missing ones filled, or None where it cannot be legal.

    Missing values are those of the best trial so far, else of the default, else typical ones;
    parents are set so that what is proposed is active.
    """
    known = now.space.distributions
    given = {n: nearest(known[n], v) for n, v in proposal.params.items() if n in known}
    given = {n: v for n, v in given.items() if v is not None}
    for name in list(given):
        for parent, values in now.space.ancestors(name).items():
            given.setdefault(parent, values[0])
    start = {**(now.default or {}), **_best_params(now.evidence, now.coder)}
    point = now.coder.settle(now.coder.encode({**start, **given})[None])
    extra = {n: v for n, v in proposal.params.items() if n not in known}
    if now.draws.legal(point)[0]:
        return {**now.coder.decode(point[0]), **extra}
    nearby = now.draws.complete(given, now.draws.near(np.repeat(point, 2, 0), 0.2, 0.4, 128))
    return {**now.coder.decode(nearby[0]), **extra} if len(nearby) else None


def _best_params(evidence: Evidence, coder: Coder) -> dict[str, Any]:
    if not evidence.complete.any():
        return {}
    values = np.where(evidence.complete, evidence.values, np.inf)
    return coder.decode(evidence.points[int(values.argmin())])


def _first_unseen(study: Study, trial: FrozenTrial) -> Choice:
    """Take the surest proposal of a study that has shown no parameter yet."""
    claims = Claims(study)
    taken = claims.all()
    queue = [p for p in all_proposals(study) if p.id not in taken]
    while queue:
        proposal = queue.pop(_surest(queue))
        if claims.take(proposal.id, trial.number, proposal.params):
            return Choice(proposal.params, FROM_PROPOSAL, "adviser", proposal.why, proposal)
    return Choice({}, FROM_MODEL, "start", "Nothing is known yet.")


def _params(now: Situation, point: Array) -> dict[str, Any]:
    params = now.coder.decode(point)
    if not params and now.space.distributions:
        raise SpaceExhausted("No configuration is left.", hint="Widen the search space.")
    return params
