"""Where trials fail: the chance that a configuration runs to its end.

Out of memory and divergence are told to the sampler as failures, and learned here, apart from the
objective. A Gaussian process on the labels "ran" and "failed" gives the chance; far from what is
known it returns to how often trials ran at all.
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr

from sweeper.optimizer.encoding import Array
from sweeper.optimizer.encoding import Coder
from sweeper.optimizer.gp import GaussianProcess
from sweeper.optimizer.gp import Prior

_PRIOR = Prior(scale_mean=-0.3, signal_mean=0.0, signal_sd=0.3, noise_mean=-4.0, noise_sd=0.5)
_SETTINGS = 4
_TREND = 1.0
_DOUBT = 0.5


class Feasibility:
    """The chance to run, learned from what ran and what failed.

    Args:
        coder: Axes of the points.
        ran: Points that ran to an end of their own.
        failed: Points that failed.
        rng: Source of the sampled settings.
    """

    def __init__(self, coder: Coder, ran: Array, failed: Array, rng: np.random.Generator) -> None:
        self._coder = coder
        self._gp: GaussianProcess | None = None
        if not len(failed):
            return
        features, owner = coder.features(np.concatenate([ran, failed]))
        labels = np.concatenate([np.ones(len(ran)), -np.ones(len(failed))])
        self._gp = GaussianProcess(
            features, owner, labels, rng, _PRIOR, _SETTINGS, standardise=False, trend=_TREND
        )

    def log_chance(self, points: Array) -> Array:
        """Return the logarithm of the chance that each point runs."""
        if self._gp is None:
            return np.zeros(len(points))
        means, sds = self._gp.predict(self._coder.features(points)[0])
        logs: Array = log_ndtr(means / np.sqrt(sds**2 + _DOUBT))
        return np.asarray(np.logaddexp.reduce(logs, axis=0) - np.log(len(logs)))
