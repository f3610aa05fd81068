"""How much is to be hoped for at a point: the logarithm of the expected improvement.

The plain expected improvement vanishes in double precision where most candidates lie; its
logarithm does not (Ament et al., arXiv 2310.20708).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import log_ndtr
from scipy.special import ndtr

from sweeper.optimizer.encoding import Array

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def log_expected_improvement(mean: Array, sd: Array, best: float) -> Array:
    """Return log E[max(best - y, 0)] for y ~ N(mean, sd²), elementwise."""
    z = (best - mean) / sd
    logs = np.empty_like(z)
    near = z > -1.0
    density = np.exp(-0.5 * z[near] ** 2 - _HALF_LOG_2PI)
    logs[near] = np.log(np.maximum(density + z[near] * ndtr(z[near]), 1e-300))
    far = z[~near]
    log_density = -0.5 * far**2 - _HALF_LOG_2PI
    mills = np.exp(log_ndtr(far) - log_density) * -far
    logs[~near] = log_density + np.log1p(-np.minimum(mills, 1.0 - 1e-12))
    return logs + np.log(sd)


def averaged(means: Array, sds: Array, best: float) -> Array:
    """Return the log of the expected improvement averaged over model settings (one a row)."""
    logs = log_expected_improvement(means, sds, best)
    averaged_logs: Array = np.logaddexp.reduce(logs, axis=0) - math.log(len(logs))
    return averaged_logs
