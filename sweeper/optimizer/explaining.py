"""What would be tried next and why, without starting it; and what the model believes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np
from scipy.special import ndtr

from sweeper.optimizer import arbitration
from sweeper.optimizer import searching
from sweeper.optimizer.claiming import Claims
from sweeper.optimizer.drawing import contained
from sweeper.optimizer.encoding import Array
from sweeper.optimizer.proposals import all_proposals
from sweeper.optimizer.sampler import BlendedSampler
from sweeper.optimizer.situation import START
from sweeper.optimizer.situation import Situation
from sweeper.optimizer.space import Space
from sweeper.optimizer.surrogate import Surrogate
from sweeper.optimizer.weighing import completed
from sweeper.optimizer.weighing import open_ones

if TYPE_CHECKING:
    from optuna.study import Study

# Alternatives differ from what is listed before them by at least this much along some axis.
_APART = 0.15


@dataclass(frozen=True, slots=True)
class Idea:
    """A configuration that might be tried next.

    Attributes:
        params: Its active parameters.
        origin: "proposal" or "model".
        proposal: Id of the proposal, or None.
        expected: The value to be expected, in the study's own direction; None without a model.
        spread: Standard deviation of that, or None.
        chance_best: Chance to beat the best so far, or None.
        chance_runs: Chance to run to its end, or None.
        why: Why it is on the list, as a sentence.
    """

    params: dict[str, Any]
    origin: str
    proposal: str | None
    expected: float | None
    spread: float | None
    chance_best: float | None
    chance_runs: float | None
    why: str


def suggest(study: Study, n: int = 3) -> list[Idea]:
    """Return up to n ideas, best first: the one that would be taken now, then its alternatives.

    Nothing is started, claimed or stored.
    """
    now = _situation(study)
    if now is None or n < 1:
        return []
    if len(now.evidence.values) < 2 or now.crowded:
        return _without_model(now, n)
    surrogate = Surrogate(now.coder, now.evidence, now.rng)
    ranked = [*_proposed(now, surrogate), *_modelled(now, surrogate, n)]
    ranked.sort(key=lambda pair: -pair[0])
    return [idea for _, idea in ranked[:n]]


def belief(study: Study) -> dict[str, Any] | None:
    """Return what the model believes, as plain JSON, or None while it believes nothing.

    `expected_best` is the value of its next suggestion, `relevance` the share of each parameter in
    what moves the objective, `noise` the standard deviation that it takes for chance, `agreement`
    the rank correlation between what was measured and what it says without that measurement.
    """
    now = _situation(study)
    if now is None or now.crowded or len(now.evidence.values) < START:
        return None
    surrogate = Surrogate(now.coder, now.evidence, now.rng)
    ideas = _modelled(now, surrogate, 1)
    agreement = surrogate.agreement()
    return {
        "trials": len(now.evidence.values),
        "expected_best": ideas[0][1].expected,
        "spread": ideas[0][1].spread,
        "next": ideas[0][1].params,
        "relevance": surrogate.relevance,
        "noise": surrogate.noise,
        "agreement": None if np.isnan(agreement) else agreement,
        "failed": len(now.evidence.failed),
    }


def _situation(study: Study) -> Situation | None:
    sampler = study.sampler
    blended = sampler if isinstance(sampler, BlendedSampler) else BlendedSampler(seed=0)
    space: Space | None = blended.known_space(study)
    if space is None:
        return None
    rng = np.random.default_rng([blended.seed, len(study.get_trials(deepcopy=False))])
    return Situation(study, space, rng, blended.default)


def _without_model(now: Situation, n: int) -> list[Idea]:
    ideas = [
        Idea(
            params, "proposal", p.id, None, None, None, None, f"{p.why} (Nothing to compare yet.)"
        )
        for p in open_ones(now, all_proposals(now.study), Claims(now.study))
        if (params := completed(now, p)) is not None
    ]
    if now.default and not now.crowded and now.evidence.started == 0:
        why = "The default configuration runs first."
        ideas.insert(0, Idea(now.default, "baseline", None, None, None, None, None, why))
    why = "From the middle of the space, while nothing is known."
    for point in now.draws.central(n, 0.5):
        ideas.append(Idea(now.coder.decode(point), "model", None, None, None, None, None, why))
    return ideas[:n]


def _modelled(now: Situation, surrogate: Surrogate, n: int) -> list[tuple[float, Idea]]:
    points, scores = searching.candidates(now.draws, now.evidence, surrogate)
    found: list[tuple[float, Idea]] = []
    listed = np.empty((0, points.shape[1]))
    for point, score in zip(points, scores, strict=True):
        if len(found) == n:
            break
        if contained(point[None], listed, _APART)[0]:
            continue
        listed = np.concatenate([listed, point[None]])
        calm = arbitration.log_worth_of_own(point, now.evidence, surrogate)
        why = "The model's own." if not found else f"{score - scores[0]:+.2g} in log worth."
        found.append((calm, _idea(now, surrogate, point, "model", None, why)))
    return found


def _proposed(now: Situation, surrogate: Surrogate) -> list[tuple[float, Idea]]:
    every = all_proposals(now.study)
    known = {p.id: p for p in every}
    waiting = [
        (p, params)
        for p in open_ones(now, every, Claims(now.study))
        if (params := completed(now, p)) is not None
    ]
    if not waiting:
        return []
    points = now.coder.encode_all([now.space.active_part(params) for _, params in waiting])
    queue = [p for p, _ in waiting]
    worth = arbitration.log_worth(points, queue, now.evidence, surrogate, known)
    return [
        (float(value), _idea(now, surrogate, point, "proposal", p.id, _trusted(now, p, known)))
        for value, point, p in zip(worth, points, queue, strict=True)
    ]


def _trusted(now: Situation, proposal: Any, known: dict[str, Any]) -> str:
    trust = arbitration.credit(proposal, now.evidence, known).good
    return f"{proposal.why} (Adviser trusted {trust:.0%} by its record.)"


def _idea(
    now: Situation, surrogate: Surrogate, point: Array, origin: str, proposal: str | None, why: str
) -> Idea:
    mean, spread = (float(a[0]) for a in surrogate.expect(point[None]))
    return Idea(
        params=now.coder.decode(point),
        origin=origin,
        proposal=proposal,
        expected=now.sign * mean,
        spread=spread,
        chance_best=float(ndtr((surrogate.best - mean) / spread)),
        chance_runs=float(np.exp(surrogate.feasibility.log_chance(point[None])[0])),
        why=why,
    )
