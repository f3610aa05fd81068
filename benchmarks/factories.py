"""What the offline harness runs, by name: our sampler, our blend, our pruner."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import optuna

from sweeper.errors import ProposalError
from sweeper.optimizer.proposals import propose
from sweeper.optimizer.pruners import BudgetPruner
from sweeper.optimizer.sampler import BlendedSampler


class Blend(BlendedSampler):
    """Our sampler with a queue of proposals to hand to the study."""

    def __init__(self, proposals: Sequence[Mapping[str, Any]], **options: Any) -> None:
        super().__init__(**options)
        self._proposals = list(proposals)

    def prepare(self, study: optuna.Study) -> None:
        """Propose the queue, best guess first; duplicates are refused as always."""
        for params in self._proposals:
            try:
                propose(study, params, why="the benchmark's queue")
            except ProposalError:
                continue


def sampler(seed: int, budget: int, default: Mapping[str, Any] | None = None) -> BlendedSampler:
    """Return our sampler without proposals."""
    return BlendedSampler(seed=seed, budget=budget, default=default)


def blend(
    seed: int,
    budget: int,
    proposals: Sequence[Mapping[str, Any]],
    default: Mapping[str, Any] | None = None,
) -> Blend:
    """Return our sampler with a queue of proposals."""
    return Blend(proposals, seed=seed, budget=budget, default=default)


def pruner(seed: int, epochs: int, epoch_budget: int | None = None) -> BudgetPruner:
    """Return our pruner for runs of `epochs` steps."""
    del seed, epoch_budget
    return BudgetPruner(resource_max=epochs)
