"""A light Gaussian process for a few dozen expensive observations.

Matérn-5/2 with one length scale a parameter, signal and noise variance, on standardised values.
With so few points no single setting of these can be trusted, so predictions are averaged over
settings drawn from their posterior: the most probable one by L-BFGS, then elliptical slice
sampling (Murray, Adams and MacKay, arXiv 1001.0175) under a Gaussian prior on their logarithms,
whose length scales grow with the square root of the dimension (Hvarfner, Hellsten and Nardi,
arXiv 2402.02229). numpy and scipy only.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweeper.optimizer.encoding import Array

_SQRT5 = math.sqrt(5.0)
_JITTER = 1e-8


@dataclass(frozen=True)
class Prior:
    """Gaussian prior on the logarithms of length scales, signal variance and noise variance."""

    scale_mean: float = 0.0
    scale_sd: float = 1.0
    signal_mean: float = 0.0
    signal_sd: float = 0.5
    noise_mean: float = -5.0
    noise_sd: float = 1.5

    def mean(self, d: int) -> Array:
        """Return the prior's mean for d parameters."""
        scale = self.scale_mean + 0.5 * math.log(max(d, 1))
        return np.array([scale] * d + [self.signal_mean, self.noise_mean])

    def sd(self, d: int) -> Array:
        """Return the prior's standard deviation for d parameters."""
        return np.array([self.scale_sd] * d + [self.signal_sd, self.noise_sd])


class GaussianProcess:
    """Posterior over functions, given features and values.

    Args:
        features: One row an observation.
        owner: Parameter that each feature belongs to (they share its length scale).
        values: What was observed, in any unit.
        rng: Source of the sampled settings.
        prior: Prior over settings.
        settings: Number of settings to average over; 1 keeps the most probable one.
        standardise: Whether values are shifted and scaled to mean 0 and deviation 1 first.
        doubt: Standard deviation of each value beyond the common noise, or None.
        trend: Variance of a linear trend along each feature, from the middle of the cube.
    """

    def __init__(
        self,
        features: Array,
        owner: NDArray[np.int64],
        values: Array,
        rng: np.random.Generator,
        prior: Prior | None = None,
        settings: int = 8,
        *,
        standardise: bool = True,
        doubt: Array | None = None,
        trend: float = 0.0,
    ) -> None:
        self.features, self.owner = features, owner
        self.shift = float(np.mean(values)) if standardise else 0.0
        spread = float(np.std(values)) if standardise else 1.0
        self.scale = spread if spread > 0 else 1.0
        self._y = (values - self.shift) / self.scale
        self._doubt = np.zeros(len(values)) if doubt is None else (doubt / self.scale) ** 2
        self._d = int(owner.max()) + 1 if len(owner) else 0
        self._prior = prior or Prior()
        self._mean, self._sd = self._prior.mean(self._d), self._prior.sd(self._d)
        self._gaps = self._squared_gaps(features, features)
        self._trend = trend
        self._linear = self._trended(features, features)
        best = self._most_probable()
        thetas = [best, *self._sampled(best, settings - 1, rng)]
        self.thetas = np.stack(thetas)
        self._solved = [self._solve(theta) for theta in thetas]

    def with_fantasies(self, features: Array, values: Array) -> GaussianProcess:
        """Return this process with further, imagined observations under the same settings."""
        grown = copy.copy(self)
        grown.features = np.concatenate([self.features, features])
        grown._y = np.concatenate([self._y, (values - self.shift) / self.scale])
        grown._doubt = np.append(self._doubt, np.zeros(len(values)))
        grown._gaps = grown._squared_gaps(grown.features, grown.features)
        grown._linear = grown._trended(grown.features, grown.features)
        grown._solved = [grown._solve(theta) for theta in self.thetas]
        return grown

    @property
    def observed(self) -> Array:
        """The values that the process was given."""
        return self.shift + self.scale * self._y

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation of the noise-free value, one row a setting."""
        gaps = self._squared_gaps(features, self.features)
        linear = self._trended(features, self.features)
        own = self._trend * ((features - 0.5) ** 2).sum(axis=1)
        means, sds = [], []
        for theta, (chol, alpha) in zip(self.thetas, self._solved, strict=True):
            from scipy.linalg import solve_triangular

            cross = self._kernel(gaps, theta) + linear
            half = solve_triangular(chol, cross.T, lower=True, check_finite=False)
            variance = np.exp(theta[self._d]) + own - (half**2).sum(axis=0)
            means.append(self.shift + self.scale * (cross @ alpha))
            sds.append(self.scale * np.sqrt(np.maximum(variance, 1e-10)))
        return np.stack(means), np.stack(sds)

    def left_out(self) -> tuple[Array, Array]:
        """Return mean and standard deviation of each observation from all the others."""
        means, sds = [], []
        for chol, alpha in self._solved:
            from scipy.linalg import cho_solve

            inverse = np.diag(cho_solve((chol, True), np.eye(len(chol)), check_finite=False))
            means.append(self.shift + self.scale * (self._y - alpha / inverse))
            sds.append(self.scale / np.sqrt(inverse))
        return np.mean(means, axis=0), np.mean(sds, axis=0)

    @property
    def noise(self) -> float:
        """Standard deviation of the noise, in the values' unit."""
        return float(self.scale * np.sqrt(np.mean(np.exp(self.thetas[:, -1]))))

    @property
    def length_scales(self) -> Array:
        """Mean length scale of each parameter (a long one does not matter)."""
        return np.asarray(np.exp(self.thetas[:, : self._d].mean(axis=0)))

    def _squared_gaps(self, left: Array, right: Array) -> Array:
        gaps = np.zeros((self._d, len(left), len(right)))
        for column, k in enumerate(self.owner):
            gaps[k] += (left[:, column, None] - right[None, :, column]) ** 2
        return gaps

    def _trended(self, left: Array, right: Array) -> Array:
        trended: Array = self._trend * (left - 0.5) @ (right - 0.5).T
        return trended

    def _kernel(self, gaps: Array, theta: Array) -> Array:
        inverse = np.exp(-2.0 * theta[: self._d])
        r = np.sqrt(np.tensordot(inverse, gaps, axes=1)) * _SQRT5
        kernel: Array = np.exp(theta[self._d]) * (1.0 + r + r * r / 3.0) * np.exp(-r)
        return kernel

    def _solve(self, theta: Array) -> tuple[Array, Array]:
        from scipy.linalg import cho_solve
        from scipy.linalg import cholesky

        covariance = self._kernel(self._gaps, theta) + self._linear
        covariance[np.diag_indices_from(covariance)] += np.exp(theta[-1]) + _JITTER + self._doubt
        chol = cholesky(covariance, lower=True, check_finite=False)
        return chol, cho_solve((chol, True), self._y, check_finite=False)

    def _log_likelihood(self, theta: Array) -> float:
        from scipy.linalg import LinAlgError

        try:
            chol, alpha = self._solve(theta)
        except LinAlgError:
            return -math.inf
        return float(-0.5 * self._y @ alpha - np.log(np.diag(chol)).sum())

    def _objective(self, z: Array) -> tuple[float, Array]:
        """Negative log posterior of whitened settings and its gradient."""
        from scipy.linalg import LinAlgError
        from scipy.linalg import cho_solve

        theta = self._mean + self._sd * z
        try:
            chol, alpha = self._solve(theta)
        except LinAlgError:
            return 1e25, np.zeros_like(z)
        loss = 0.5 * self._y @ alpha + np.log(np.diag(chol)).sum() + 0.5 * z @ z
        inverse = cho_solve((chol, True), np.eye(len(chol)), check_finite=False)
        weight = np.outer(alpha, alpha) - inverse
        scales = np.exp(-2.0 * theta[: self._d])
        r = np.sqrt(np.tensordot(scales, self._gaps, axes=1)) * _SQRT5
        signal, decay = np.exp(theta[self._d]), np.exp(-r)
        slope = (weight * (signal * 5.0 / 3.0) * (1.0 + r) * decay).ravel()
        gradient = np.empty_like(z)
        gradient[: self._d] = 0.5 * (self._gaps.reshape(self._d, -1) @ slope) * scales
        gradient[self._d] = 0.5 * (weight * signal * (1.0 + r + r * r / 3.0) * decay).sum()
        gradient[-1] = 0.5 * np.trace(weight) * np.exp(theta[-1])
        return float(loss), z - self._sd * gradient

    def _most_probable(self) -> Array:
        from scipy.optimize import minimize

        found = minimize(
            self._objective,
            np.zeros(self._d + 2),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-4.0, 4.0)] * (self._d + 2),
            options={"maxiter": 50},
        )
        theta: Array = self._mean + self._sd * found.x
        return theta

    def _sampled(self, start: Array, n: int, rng: np.random.Generator) -> list[Array]:
        """Return n settings from a chain of elliptical slices that begins at the mode."""
        z, samples = (start - self._mean) / self._sd, []
        level = self._log_likelihood(start)
        for step in range(n * 4):
            z, level = self._slice(z, level, rng)
            if step % 4 == 3:
                samples.append(self._mean + self._sd * z)
        return samples

    def _slice(self, z: Array, level: float, rng: np.random.Generator) -> tuple[Array, float]:
        ellipse = rng.standard_normal(len(z))
        threshold = level + math.log(max(rng.random(), 1e-300))
        angle = rng.uniform(0.0, 2.0 * math.pi)
        low, high = angle - 2.0 * math.pi, angle
        for _ in range(20):
            proposal = z * math.cos(angle) + ellipse * math.sin(angle)
            reached = self._log_likelihood(self._mean + self._sd * proposal)
            if reached > threshold:
                return proposal, reached
            low, high = (angle, high) if angle < 0 else (low, angle)
            angle = rng.uniform(low, high)
        return z, level
