"""Where a running curve will end, told from those that have ended.

How far a curve still falls is learned from finished ones: the mean further fall of curves that
stood at a similar value, corrected by how steep this one is (a slow starter that still falls
quickly is not a lost one; a freeze-thaw model, arXiv 1406.3896, says the same with a Gaussian
process over curves). Few finished curves make a wide forecast.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from sweeper.optimizer.encoding import Array

Curve = Mapping[int, float]

_SMOOTHED = 2


@dataclass(frozen=True, slots=True)
class Forecast:
    """The value that a curve is expected to end with (less is better).

    Attributes:
        mean: Expected final value.
        sd: Standard deviation of that.
    """

    mean: float
    sd: float

    def chance_below(self, value: float) -> float:
        """Return the chance that the curve ends below `value`."""
        return float(ndtr((value - self.mean) / self.sd))


class Curves:
    """Finished curves of a study, at one step.

    Args:
        finished: Curves that reached their end, less is better; readings may be irregular.
        step: The step to compare at.
    """

    def __init__(self, finished: Sequence[Curve], step: float) -> None:
        known = [c for c in finished if usable(c)]
        self.step = step
        self.finals = np.array([c[max(c)] for c in known])
        self._now = np.array([reading(c, step) for c in known])
        self._fallen = np.array([reading(c, step / 2) for c in known]) - self._now
        self._further = self.finals - self._now

    def forecast(self, curve: Curve) -> Forecast | None:
        """Return where `curve` will end, or None where too little is known."""
        if len(self.finals) < 2 or not usable(curve):
            return None
        now = reading(curve, self.step)
        fallen = reading(curve, self.step / 2) - now
        weight = self._alike(now)
        share = weight / weight.sum()
        mean_fallen, mean_further = share @ self._fallen, share @ self._further
        slope = self._slope(share * weight.sum(), mean_fallen, mean_further)
        mean = now + mean_further + slope * (fallen - mean_fallen)
        rest = self._further - mean_further - slope * (self._fallen - mean_fallen)
        return Forecast(float(mean), self._deviation(share, rest, 1.0 / float(share @ share)))

    def _alike(self, now: float) -> Array:
        width = 2.0 * float(np.std(self._now)) + 1e-12
        return np.exp(-0.5 * ((self._now - now) / width) ** 2) + 0.05

    def _slope(self, weight: Array, mean_fallen: float, mean_further: float) -> float:
        """Return how much further a curve falls per unit it has fallen lately: never upwards."""
        from_mean = self._fallen - mean_fallen
        ridge = float(np.median(np.abs(self._fallen))) ** 2 + 1e-18
        slope = (weight * from_mean * (self._further - mean_further)).sum() / (
            (weight * from_mean**2).sum() + ridge
        )
        return float(min(0.0, max(slope, -3.0)))

    def _deviation(self, share: Array, rest: Array, count: float) -> float:
        scale = 1.4826 * float(np.median(np.abs(self.finals - np.median(self.finals))))
        doubt = (0.3 * float(np.median(self._further))) ** 2 + (0.1 * scale) ** 2
        return math.sqrt(float(share @ rest**2) + doubt / count) + 1e-12


def usable(curve: Curve) -> bool:
    """Whether a curve has a reading and no divergence in it."""
    return bool(curve) and all(math.isfinite(v) for v in curve.values())


def reading(curve: Curve, step: float) -> float:
    """Return a curve's value at a step: the mean of its last readings up to there."""
    steps = sorted(curve)
    reached = [s for s in steps if s <= step][-_SMOOTHED:] or steps[:1]
    return sum(curve[s] for s in reached) / len(reached)
