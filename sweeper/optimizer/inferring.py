"""The search space as a study's own trials show it, for studies that declare none.

Define-by-run code reveals its space bit by bit. What is known are the newest distribution of each
parameter, and which discrete parameter's values decide whether another one is asked for at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from sweeper.optimizer.space import Space
from sweeper.optimizer.space import legal
from sweeper.optimizer.space import same


def infer(trials: Sequence[FrozenTrial], default: Mapping[str, Any] | None = None) -> Space | None:
    """Return the space that trials span, or None where no parameter has been seen.

    Args:
        trials: In the order of their numbers.
        default: Known default values; they count as one more trial that was seen.
    """
    distributions = _newest(trials)
    if not distributions:
        return None
    whole = [
        t.params
        for t in trials
        if t.params and t.state not in (TrialState.RUNNING, TrialState.WAITING)
    ]
    defaults = {
        name: value
        for name, value in (default or {}).items()
        if name in distributions and legal(distributions[name], value)
    }
    when = {}
    for name in distributions:
        condition = _condition(name, whole, distributions)
        if condition:
            when[name] = condition
    return Space(distributions=_parents_first(distributions, when), defaults=defaults, when=when)


def _newest(trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
    found: dict[str, BaseDistribution] = {}
    for trial in trials:
        if trial.distributions != {}:
            found.update(trial.distributions)
    return found


def _condition(
    name: str, seen: Sequence[Mapping[str, Any]], distributions: Mapping[str, BaseDistribution]
) -> dict[str, tuple[Any, ...]] | None:
    """Return the parent whose values tell the trials with `name` from those without it.

    A parent's value that no trial has shown yet counts as one that may need the parameter.
    """
    without = [p for p in seen if name not in p]
    having = [p for p in seen if name in p]
    if not without or not having:
        return None
    for parent, distribution in distributions.items():
        if parent == name or not isinstance(distribution, CategoricalDistribution):
            continue
        if not all(parent in p for p in seen):
            continue
        absent = [p[parent] for p in without]
        present = [p[parent] for p in having]
        if any(same(a, b) for a in absent for b in present):
            continue
        allowed = [c for c in distribution.choices if not any(same(c, a) for a in absent)]
        return {parent: tuple(allowed)}
    return None


def _parents_first(
    distributions: Mapping[str, BaseDistribution], when: Mapping[str, Mapping[str, Any]]
) -> dict[str, BaseDistribution]:
    free = {n: d for n, d in distributions.items() if n not in when}
    return {**free, **{n: d for n, d in distributions.items() if n in when}}
