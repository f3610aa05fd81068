"""One decision: which configuration a trial gets, on whose word, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from sweeper.optimizer import searching
from sweeper.optimizer.encoding import Array
from sweeper.optimizer.proposals import Proposal
from sweeper.optimizer.proposals import all_proposals
from sweeper.optimizer.proposals import queued
from sweeper.optimizer.situation import GP_UNTIL
from sweeper.optimizer.situation import START
from sweeper.optimizer.situation import Situation
from sweeper.optimizer.space import Space
from sweeper.optimizer.space import SpaceExhausted
from sweeper.optimizer.surrogate import Surrogate
from sweeper.optimizer.weighing import Weighed
from sweeper.optimizer.weighing import take_best
from sweeper.optimizer.weighing import take_surest

if TYPE_CHECKING:
    from optuna.study import Study

    from sweeper.optimizer.sampler import BlendedSampler

BASELINE, FROM_PROPOSAL, FROM_MODEL = "baseline", "proposal", "model"


@dataclass(frozen=True)
class Choice:
    """A configuration with who chose it and why.

    Attributes:
        params: The active parameters.
        origin: "baseline", "proposal" or "model".
        by: "default", "adviser", "start", "gp" or "tpe".
        why: One sentence.
        proposal: The proposal that was claimed, or None.
        odds: By what odds it was preferred, or None.
        expected: Value that the model expects, in the study's own direction, or None.
        spread: Standard deviation of that, or None.
        chance_runs: Chance, by the model, to run to its end, or None.
    """

    params: dict[str, Any]
    origin: str
    by: str
    why: str
    proposal: Proposal | None = None
    odds: str | None = None
    expected: float | None = None
    spread: float | None = None
    chance_runs: float | None = None

    def attributes(self) -> dict[str, Any]:
        """Return the user attributes that the trial carries from now on."""
        attributes: dict[str, Any] = {"origin": self.origin, "chosen_by": self.by, "why": self.why}
        if self.proposal is not None:
            attributes["proposal"] = self.proposal.id
            attributes["source"] = list(self.proposal.source)
            attributes["odds"] = self.odds
            if self.proposal.confidence is not None:
                attributes["confidence"] = self.proposal.confidence
        if self.expected is not None and self.spread is not None:
            attributes["expected"] = self.expected
            attributes["expected_sd"] = self.spread
        if self.chance_runs is not None:
            attributes["chance_runs"] = self.chance_runs
        return attributes


def has_proposals(study: Study) -> bool:
    """Whether any proposal waits."""
    return bool(all_proposals(study)) and bool(queued(study))


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
        return _proposed(take_surest(study, trial.number)) or Choice(
            {}, FROM_MODEL, "start", "Nothing is known yet."
        )
    now = Situation(study, space, rng, sampler.default, trial)
    now.declared = sampler.declares(study)
    if not now.crowded and now.evidence.started == 0 and now.default and not now.fixed:
        return Choice(now.default, BASELINE, "default", "The default configuration runs first.")
    claimed = None if now.fixed else _proposed(take_best(now, trial.number))
    if claimed is not None:
        return claimed
    return _by_tpe(now, trial, sampler) if now.crowded else _by_model(now)


def _proposed(weighed: Weighed | None) -> Choice | None:
    if weighed is None:
        return None
    given = weighed.proposal
    return Choice(weighed.params, FROM_PROPOSAL, "adviser", given.why, given, weighed.odds)


def _by_model(now: Situation) -> Choice:
    if now.declared and not now.fixed:
        _refuse_exhausted(now)
    if now.starting:
        found = searching.first_point(now.draws, now.evidence, now.fixed)
        why = f"One of the first {START} trials: from the middle of the space."
        return Choice(_params(now, found.point), FROM_MODEL, found.by, why)
    surrogate = Surrogate(now.coder, now.evidence, now.rng)
    points, scores = searching.candidates(now.draws, now.evidence, surrogate, now.fixed)
    found = searching.described(surrogate, points[0], scores[0])
    expected, spread = now.sign * (found.expected or 0.0), found.spread or 0.0
    best = now.sign * surrogate.best
    why = f"Expected {expected:.6g} ± {spread:.2g}; the best so far is {best:.6g}."
    return Choice(
        _params(now, found.point),
        FROM_MODEL,
        "gp",
        why,
        expected=expected,
        spread=spread,
        chance_runs=float(np.exp(surrogate.feasibility.log_chance(found.point[None])[0])),
    )


def _by_tpe(now: Situation, trial: FrozenTrial, sampler: BlendedSampler) -> Choice:
    tpe, study = sampler._tpe, now.study
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
    why = f"More than {GP_UNTIL} trials: the tree-structured Parzen estimator suggests."
    return Choice(_params(now, point[0]), FROM_MODEL, "tpe", why)


def _refuse_exhausted(now: Situation) -> None:
    """Raise SpaceExhausted where a declared, finite space has been tried whole."""
    left = now.draws.remaining(now.evidence.tried)
    if left is not None and not len(left):
        raise SpaceExhausted(
            "Every configuration of the search space has been tried.",
            hint="Widen a range or add a choice in program.md to go on.",
        )


def _params(now: Situation, point: Array) -> dict[str, Any]:
    return now.coder.decode(point)
