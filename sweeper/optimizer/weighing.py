"""The queue of proposals at one decision: which one is worth more than the model's suggestion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from sweeper.optimizer import arbitration
from sweeper.optimizer import searching
from sweeper.optimizer.claiming import Claims
from sweeper.optimizer.encoding import Array
from sweeper.optimizer.encoding import Coder
from sweeper.optimizer.evidence import Evidence
from sweeper.optimizer.proposals import Proposal
from sweeper.optimizer.proposals import all_proposals
from sweeper.optimizer.proposals import refuse
from sweeper.optimizer.proposals import refused
from sweeper.optimizer.situation import Situation
from sweeper.optimizer.space import nearest
from sweeper.optimizer.surrogate import Surrogate

if TYPE_CHECKING:
    from optuna.study import Study


# Observations that proposals are weighed by: a claim must cost next to nothing.
_WEIGHED_BY = 40


@dataclass(frozen=True, slots=True)
class Weighed:
    """A proposal that won, with its completed values and the odds that it won by."""

    proposal: Proposal
    params: dict[str, Any]
    odds: str


def take_best(now: Situation, number: int) -> Weighed | None:
    """Claim, for a trial, the proposal that is worth more than the model's own suggestion, if any.

    One that cannot be legal is refused for good; one that another process took meanwhile is
    passed over.
    """
    claims = Claims(now.study)
    every = all_proposals(now.study)
    queue = open_ones(now, every, claims)
    known = {p.id: p for p in every}
    while queue:
        at, odds = _preferred(now, queue, known)
        if at is None:
            return None
        proposal = queue.pop(at)
        params = completed(now, proposal)
        if params is None:
            refuse(now.study, proposal, "With the constraints no configuration has these values.")
        elif claims.take(proposal.id, number, params):
            return Weighed(proposal, params, odds)
    return None


def take_surest(study: Study, number: int) -> Weighed | None:
    """Claim the surest proposal of a study that has shown no parameter yet."""
    claims = Claims(study)
    taken = claims.all()
    queue = [p for p in all_proposals(study) if p.id not in taken]
    while queue:
        proposal = queue.pop(_surest(queue))
        if claims.take(proposal.id, number, proposal.params):
            return Weighed(proposal, proposal.params, "nothing is known to hold it against")
    return None


def open_ones(now: Situation, every: Sequence[Proposal], claims: Claims) -> list[Proposal]:
    """Return the proposals that are neither claimed nor refused."""
    if not every:
        return []
    gone = set(claims.all()) | set(refused(now.study))
    return [p for p in every if p.id not in gone]


def _preferred(
    now: Situation, queue: Sequence[Proposal], known: dict[str, Proposal]
) -> tuple[int | None, str]:
    """Return the index of the proposal to try, or None where the model's own is worth more."""
    seen = now.evidence
    if not len(seen.values):
        return _surest(queue), "nothing is known to hold it against"
    if len(seen.values) < 2 or now.crowded:
        return _by_credit(queue, seen, known)
    points = np.concatenate([_point(now, p)[None] for p in queue])
    surrogate = Surrogate(now.coder, seen, now.rng, settings=1, most=_WEIGHED_BY)
    worth = arbitration.log_worth(points, queue, seen, surrogate, known)
    found = searching.quick_best(now.draws, seen, surrogate)
    own = arbitration.log_worth_of_own(found, seen, surrogate)
    at = int(np.argmax(worth))
    trust = arbitration.credit(queue[at], seen, known).good
    odds = f"worth {np.exp(worth[at] - own):.2g} of the model's own; adviser trusted {trust:.0%}"
    return (at if worth[at] >= own else None), odds


def _by_credit(
    queue: Sequence[Proposal], seen: Evidence, known: dict[str, Proposal]
) -> tuple[int | None, str]:
    at = _surest(queue)
    if all(p is not None for p in seen.proposals):
        return None, "the model's own has not been tried yet"
    trust = arbitration.credit(queue[at], seen, known).good
    return (at if trust >= 0.3 else None), f"adviser trusted {trust:.0%}"


def _surest(queue: Sequence[Proposal]) -> int:
    sure = [0.5 if p.confidence is None else p.confidence for p in queue]
    return int(np.argmax(sure))


def _point(now: Situation, proposal: Proposal) -> Array:
    params = completed(now, proposal) or {}
    point: Array = now.coder.settle(now.coder.encode(now.space.active_part(params))[None])[0]
    return point


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
    unseen = {n: v for n, v in proposal.params.items() if n not in known}
    chosen = point if now.draws.legal(point)[0] else _legal_near(now, point, given)
    if not len(chosen):
        return None
    # What was named is tried as it was named: coding rounds in the last digits.
    decoded = now.coder.decode(chosen[0])
    return {**decoded, **{n: v for n, v in given.items() if n in decoded}, **unseen}


def _legal_near(now: Situation, point: Array, given: dict[str, Any]) -> Array:
    """Return points near one that breaks a constraint, legal and with the given values."""
    return now.draws.complete(given, now.draws.near(np.repeat(point, 2, 0), 0.2, 0.4, 128))


def _best_params(evidence: Evidence, coder: Coder) -> dict[str, Any]:
    if not len(evidence.points) or not evidence.complete.any():
        return {}
    values = np.where(evidence.complete, evidence.values, np.inf)
    return coder.decode(evidence.points[int(values.argmin())])
