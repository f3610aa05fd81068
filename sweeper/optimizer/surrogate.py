"""What the model believes: expected values, chances to run, and what is to be hoped for where."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sweeper.optimizer.acquisition import averaged
from sweeper.optimizer.encoding import Array
from sweeper.optimizer.encoding import Coder
from sweeper.optimizer.evidence import Evidence
from sweeper.optimizer.feasibility import Feasibility
from sweeper.optimizer.gp import GaussianProcess

#: Observations that the Gaussian process is fitted to at most: its cost grows with their cube.
MOST_OBSERVED = 120

_SETTINGS = 8
# Values above this quantile, or above the median by twice what the best lies below it, whichever
# is more, are only known to be bad.
_BAD_QUANTILE = 0.85
# How much a chance to fail weighs, per share of trials that have failed so far: a sweep that loses
# many runs becomes careful, one that loses none stays bold.
_CAUTION = 40.0


class Surrogate:
    """Objective and feasibility, learned from a study's evidence.

    Args:
        coder: Axes of the points.
        evidence: What the trials say; at least one value.
        rng: Source of the sampled settings.
        settings: Number of model settings to average over.
        most: Observations to fit to at most: the best and the latest.
    """

    def __init__(
        self,
        coder: Coder,
        evidence: Evidence,
        rng: np.random.Generator,
        settings: int = _SETTINGS,
        most: int = MOST_OBSERVED,
    ) -> None:
        self._coder, self._settings = coder, settings
        kept = _kept(evidence, most)
        points, values = evidence.points[kept], evidence.values[kept]
        reached = values[evidence.complete[kept]]
        self.best = float(reached.min() if len(reached) else values.min())
        self._gp = self._fitted(points, levelled(values), evidence.doubt[kept], rng)
        if len(evidence.running):
            # Running trials count as if they gave what is expected of them, so that the next
            # suggestion goes elsewhere ("kriging believer").
            means, _ = self._gp.predict(coder.features(evidence.running)[0])
            self._gp = self._gp.with_fantasies(
                coder.features(evidence.running)[0], means.mean(axis=0)
            )
        ended = len(evidence.values) + len(evidence.failed)
        self._caution = 1.0 + _CAUTION * len(evidence.failed) / ended
        self.feasibility = Feasibility(coder, evidence.points, evidence.failed, rng)

    def _fitted(
        self, points: Array, values: Array, doubt: Array, rng: np.random.Generator
    ) -> GaussianProcess:
        features, owner = self._coder.features(points)
        few = self._settings if len(values) < MOST_OBSERVED // 2 else min(self._settings, 2)
        return GaussianProcess(features, owner, values, rng, settings=few, doubt=doubt)

    def score(self, points: Array) -> Array:
        """Return the log of the improvement to be expected, failures counting as none."""
        hoped = averaged(*self.predictions(points), self.best)
        return hoped + self.caution(points)

    def caution(self, points: Array) -> Array:
        """Return what the chance to fail takes off a score."""
        return self._caution * self.feasibility.log_chance(points)

    def predictions(self, points: Array) -> tuple[Array, Array]:
        """Return means and standard deviations, one row a setting of the model."""
        return self._gp.predict(self._coder.features(points)[0])

    def expect(self, points: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation of the value at each point (less is better)."""
        means, sds = self.predictions(points)
        mean = means.mean(axis=0)
        spread = np.sqrt((sds**2).mean(axis=0) + means.var(axis=0))
        return mean, spread

    @property
    def noise(self) -> float:
        """Standard deviation of what the model takes for noise."""
        return self._gp.noise

    @property
    def relevance(self) -> dict[str, float]:
        """Share of each parameter in what moves the objective; the shares add up to 1."""
        weight = 1.0 / self._gp.length_scales**2
        return dict(zip(self._coder.names, (weight / weight.sum()).tolist(), strict=True))

    def agreement(self) -> float:
        """Rank correlation of what was observed with what the model says without it."""
        means, _ = self._gp.left_out()
        return _rank_correlation(means, self._gp.observed)


def levelled(values: Array) -> Array:
    """Return values with the hopeless ones brought down to one level.

    A model of the whole range spends itself on how bad the bad ones are. What lies further above
    the median than the median does above the best, twice over, is simply bad; but at most the
    worst sixth of the values is brought down.
    """
    median = float(np.median(values))
    span = median - float(values.min())
    if span <= 0:
        return values
    return np.minimum(values, max(median + 2.0 * span, np.quantile(values, _BAD_QUANTILE)))


def _kept(evidence: Evidence, most: int) -> NDArray[np.intp]:
    """Return the indices of the observations to fit: the best ones and the latest ones."""
    n = len(evidence.values)
    if n <= most:
        return np.arange(n)
    half = most // 2
    best = np.argsort(evidence.values)[:half]
    latest = [i for i in range(n - 1, -1, -1) if i not in set(best.tolist())][:half]
    return np.sort(np.concatenate([best, np.asarray(latest, dtype=best.dtype)]))


def _rank_correlation(left: Array, right: Array) -> float:
    if len(left) < 3:
        return math.nan
    a, b = np.argsort(np.argsort(left)), np.argsort(np.argsort(right))
    return float(np.corrcoef(a, b)[0, 1])
