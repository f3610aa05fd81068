"""Optuna's own sampler suites, run over the blended sampler."""

from collections.abc import Callable

import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase
from optuna.testing.pytest_samplers import RelativeSamplerTestCase

from sweeper.optimizer.sampler import BlendedSampler


def make() -> BlendedSampler:
    return BlendedSampler(seed=0)


class TestBasic(BasicSamplerTestCase):
    """What every sampler must do."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return make


class TestRelative(RelativeSamplerTestCase):
    """What a sampler that chooses parameters together must do."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return make
