"""A proposal or the model's own suggestion: by what either has earned and what is expected of it.

An adviser is good, neutral or bad, and how its past proposals ranked among the sweep's own trials
says which (a bandit over sources in Bayes' clothes). If it is good, its next proposal is expected
to do about as well as its past ones, joined with what the model expects at that place; if it is
neutral, only the model speaks; if it is bad, nothing is hoped for. The improvement to be expected
of a proposal is the mean of the three. So advice that turns out well is followed, advice that
turns out badly is dropped within two or three trials, and confidence only shifts the start.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweeper.optimizer.acquisition import averaged
from sweeper.optimizer.encoding import Array
from sweeper.optimizer.evidence import Evidence
from sweeper.optimizer.proposals import Proposal
from sweeper.optimizer.surrogate import Surrogate
from sweeper.optimizer.surrogate import levelled

# Prior weights of a good, a neutral and a bad adviser who states no confidence.
_GOOD, _NEUTRAL, _BAD = 0.5, 0.4, 0.1
# How much an outcome of one source says about another one of the same adviser.
_KINSHIP = 0.5
# How strongly a good adviser's outcomes are expected to rank at the top.
_SHARPNESS = 4.0
# Suggestions of the model that its record looks back on, and what is expected of the first one.
_RECENT = 4
_HOPE = 1.0
_DOUBT = 0.5


@dataclass(frozen=True)
class Credit:
    """What past proposals say about the next one.

    Attributes:
        good: Chance that the adviser knows where the good values lie.
        neutral: Chance that its advice is no better than the model's own judgement.
        mean: Value that a good adviser's next proposal is expected to have.
        spread: Standard deviation of that.
        runs: Chance that a proposal runs to its end, by the adviser's own record.
    """

    good: float
    neutral: float
    mean: float
    spread: float
    runs: float


def credit(proposal: Proposal, evidence: Evidence, known: dict[str, Proposal]) -> Credit:
    """Return what the adviser of `proposal` has earned.

    Args:
        proposal: The one that is weighed.
        evidence: At least one value.
        known: Every proposal by id, for the sources of past ones.
    """
    values = levelled(evidence.values)
    mine = np.array([p is not None for p in evidence.proposals], dtype=bool)
    own, advised = values[~mine], values[mine]
    weights = np.array([_weight(proposal, known.get(p or "")) for p in evidence.proposals])[mine]
    logs = _log_prior(proposal.confidence)
    for value, weight in zip(advised, weights, strict=True):
        logs += weight * np.log(_likelihood(_rank(value, own)))
    chances = np.exp(logs - logs.max())
    chances /= chances.sum()
    mean, spread = _expected(values, own, advised, weights)
    failures = sum(p is not None for p in evidence.failed_proposals)
    runs = (len(advised) + 2.0) / (len(advised) + failures + 2.0)
    return Credit(float(chances[0]), float(chances[1]), mean, spread, runs)


def log_worth(
    points: Array,
    proposals: Sequence[Proposal],
    evidence: Evidence,
    surrogate: Surrogate,
    known: dict[str, Proposal],
) -> Array:
    """Return the log of the improvement to be expected of each proposal at its point."""
    means, sds = surrogate.predictions(points)
    alone = _joined(means, sds, *_own_record(evidence), surrogate.best)
    worth = np.empty(len(points))
    for i, proposal in enumerate(proposals):
        given = credit(proposal, evidence, known)
        trusted = _joined(
            means[:, i : i + 1], sds[:, i : i + 1], given.mean, given.spread, surrogate.best
        )
        worth[i] = math.log(given.runs) + np.logaddexp(
            math.log(given.good) + trusted[0], math.log(given.neutral) + alone[i]
        )
    chances: Array = worth + surrogate.caution(points)
    return chances


def log_worth_of_own(point: Array, evidence: Evidence, surrogate: Surrogate) -> float:
    """Return the log of the improvement to be expected of the model's own suggestion.

    What the model expects there is joined with what its latest suggestions came to, as an
    adviser's are: a model of a few points promises more than it keeps.
    """
    means, sds = surrogate.predictions(point[None])
    hoped = _joined(means, sds, *_own_record(evidence), surrogate.best)
    return float(hoped[0] + surrogate.caution(point[None])[0])


def _joined(means: Array, sds: Array, mean: float, spread: float, best: float) -> Array:
    """Return the log of the improvement to be expected where a model and a record both speak."""
    precision = 1.0 / sds**2 + 1.0 / spread**2
    joined = (means / sds**2 + mean / spread**2) / precision
    return averaged(joined, np.sqrt(1.0 / precision), best)


def _own_record(evidence: Evidence) -> tuple[float, float]:
    """Return mean and deviation of what the model's next suggestion will reach."""
    values = levelled(evidence.values)
    record = np.array(
        [v for v, by in zip(values, evidence.chosen_by, strict=True) if by == "gp"][-_RECENT:]
    )
    scale = float(np.std(values)) or 1.0
    prior = float(values.min()) + _HOPE * scale
    mean = (prior + record.sum()) / (1.0 + len(record))
    variance = (_DOUBT * scale) ** 2 + (prior - mean) ** 2 + float(((record - mean) ** 2).sum())
    return float(mean), math.sqrt(variance / (1.0 + len(record))) + 1e-12


def _weight(proposal: Proposal, other: Proposal | None) -> float:
    if other is None or not proposal.source or not other.source:
        return 1.0
    return 1.0 if set(proposal.source) & set(other.source) else _KINSHIP


def _log_prior(confidence: float | None) -> Array:
    good = _GOOD if confidence is None else 0.2 + 0.6 * confidence
    rest = (1.0 - good) / (_NEUTRAL + _BAD)
    return np.asarray(np.log([good, _NEUTRAL * rest, _BAD * rest]))


def _rank(value: float, own: Array) -> float:
    """Return the share of the sweep's own trials that are better, kept off 0 and 1."""
    better = float((own < value).sum()) + 0.5 * float((own == value).sum())
    return (better + 0.5) / (len(own) + 1.0)


def _likelihood(rank: float) -> Array:
    """Return how likely a rank is from a good, a neutral and a bad adviser."""
    k = _SHARPNESS
    return np.array([(k + 1.0) * (1.0 - rank) ** k, 1.0, (k + 1.0) * rank**k])


def _expected(values: Array, own: Array, advised: Array, weights: Array) -> tuple[float, float]:
    """Return mean and deviation of a good adviser's next value: a part prior, the rest record."""
    scale = float(np.std(values)) or 1.0
    prior = float(own.min()) if len(own) else float(values.min())
    total = 1.0 + weights.sum()
    mean = (prior + float(weights @ advised)) / total
    variance = (0.5 * scale) ** 2 + (prior - mean) ** 2 + float(weights @ (advised - mean) ** 2)
    return mean, math.sqrt(variance / total) + 1e-12
