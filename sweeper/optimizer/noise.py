"""How far two runs of one configuration may lie apart: the noise, from whatever shows it.

Three witnesses, each an estimate of the noise's standard deviation:

- **repeats** of one configuration under other seeds: the only full witness, but a costly one;
- **tails** of curves that have settled: they show the noise of evaluating, not that of seeding,
  so a floor from them leaves a winner unconfirmed;
- the **spread** of all trials: their values differ by noise and by what was changed, so the noise
  is at most that; with an objective that nothing changes it is exactly that.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

# What a normal distribution's median absolute deviation is multiplied with to give its deviation.
_MAD = 1.4826
_TAIL = 0.3
_LEAST_TAIL = 6
_LEAST_SPREAD = 5


@dataclass(frozen=True, slots=True)
class Estimate:
    """One witness of the noise.

    Attributes:
        sd: Standard deviation of a single run's value, in the metric's unit.
        freedom: Degrees of freedom behind it.
    """

    sd: float
    freedom: float

    def limit(self, alpha: float, runs: float) -> float:
        """Return the difference that chance exceeds with probability `alpha`.

        Args:
            alpha: Chance of a false alarm, one-sided.
            runs: 1/n + 1/m where means of n and m runs are compared.
        """
        return _quantile(alpha, self.freedom) * self.sd * math.sqrt(runs)


# Every trial of a sweep is judged at the same few levels, and scipy takes its time.
@functools.lru_cache(maxsize=256)
def _quantile(alpha: float, freedom: float) -> float:
    return float(stats.t.isf(alpha, freedom))


def of_repeats(groups: Sequence[Sequence[float]]) -> Estimate | None:
    """Return the noise within groups of runs that share their configuration, or None."""
    squares, freedom = 0.0, 0
    for group in groups:
        values = np.asarray([v for v in group if math.isfinite(v)])
        if len(values) > 1:
            squares += float(((values - values.mean()) ** 2).sum())
            freedom += len(values) - 1
    if not freedom:
        return None
    return Estimate(math.sqrt(squares / freedom), freedom)


def of_tails(deviations: Sequence[float | None]) -> Estimate | None:
    """Return the noise of settled curves, or None where none has settled.

    Args:
        deviations: What `of_tail` says of each curve.
    """
    known = [each for each in deviations if each is not None]
    if not known:
        return None
    return Estimate(float(np.median(known)), 4.0 * len(known))


def of_tail(curve: Mapping[int, float]) -> float | None:
    """Return the noise of a curve from the second differences of its last part, or None.

    Second differences forget level and slope; their median absolute deviation forgets the jumps
    of a learning rate schedule. A curve that has not settled shows its bend as noise, which errs
    on the careful side.
    """
    steps = sorted(s for s, v in curve.items() if math.isfinite(v))
    tail = [curve[s] for s in steps[-max(_LEAST_TAIL, round(_TAIL * len(steps))) :]]
    if len(tail) < _LEAST_TAIL:
        return None
    bends = np.diff(tail, 2) / math.sqrt(6.0)
    return _MAD * float(np.median(np.abs(bends)))


def of_spread(values: Sequence[float]) -> Estimate | None:
    """Return the spread of all values, robust against bad and against good outliers, or None."""
    finite = np.asarray([v for v in values if math.isfinite(v)])
    if len(finite) < _LEAST_SPREAD:
        return None
    sd = _MAD * float(np.median(np.abs(finite - np.median(finite))))
    # A median absolute deviation is worth about 37 % of the observations behind it.
    return Estimate(sd, max(0.37 * (len(finite) - 1), 1.0))
