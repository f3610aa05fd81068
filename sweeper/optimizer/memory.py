"""What related sweeps have learned, offered as further proposals.

A sibling is a study of the same metric and direction whose declared space shares most parameters:
the same script on other data, another model, an earlier budget. Its best trials are proposed with
their value as the reason; from there they are weighed like any advice, and dropped like any.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from sweeper.errors import ProposalError
from sweeper.optimizer.proposals import Proposal
from sweeper.optimizer.proposals import declared_space
from sweeper.optimizer.proposals import propose
from sweeper.optimizer.space import Space
from sweeper.optimizer.space import legal

if TYPE_CHECKING:
    from optuna.study import Study

#: Trials that one sibling offers.
BEST = 3
# Share of all the parameters of two studies that siblings have in common.
_KIN = 0.5
_REMEMBERED = "sweeper:remembered"


def remember(study: Study, others: Iterable[Study] | None = None) -> list[Proposal]:
    """Propose the best trials of related studies, each sibling once.

    Args:
        study: The study that is helped; it must carry its `search_space`.
        others: Studies to look at; default: all of the same storage.

    Returns:
        What was proposed; what is tried or queued already is left out.
    """
    space = declared_space(study)
    if space is None or study._is_multi_objective():
        return []
    made: list[Proposal] = []
    done = list(study._storage.get_study_system_attrs(study._study_id).get(_REMEMBERED, []))
    for sibling in _siblings(study) if others is None else others:
        name = sibling.study_name
        if name in done or not _related(study, space, sibling):
            continue
        for trial in _best(sibling):
            made += _offered(study, space, sibling, trial)
        done.append(name)
        study._storage.set_study_system_attr(study._study_id, _REMEMBERED, done)
    return made


def _siblings(study: Study) -> list[Study]:
    names = [s.study_name for s in study._storage.get_all_studies()]
    return [
        optuna.load_study(study_name=name, storage=study._storage)
        for name in names
        if name != study.study_name
    ]


def _related(study: Study, space: Space, sibling: Study) -> bool:
    theirs = declared_space(sibling)
    if theirs is None or sibling._is_multi_objective() or study.direction != sibling.direction:
        return False
    metrics = [s.user_attrs.get("goal", {}).get("metric") for s in (study, sibling)]
    ours, names = set(space.distributions), set(theirs.distributions)
    return metrics[0] == metrics[1] and len(ours & names) >= _KIN * len(ours | names)


def _best(sibling: Study) -> list[FrozenTrial]:
    trials = sibling.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    valued = [t for t in trials if t.user_attrs.get("origin") != "repeat" and t.values]
    sign = -1.0 if sibling.direction == StudyDirection.MAXIMIZE else 1.0
    return sorted(valued, key=lambda t: sign * t.values[0])[:BEST]


def _offered(study: Study, space: Space, sibling: Study, trial: FrozenTrial) -> list[Proposal]:
    shared: dict[str, Any] = {
        n: v
        for n, v in trial.params.items()
        if n in space.distributions and legal(space.distributions[n], v)
    }
    shared = space.active_part({**space.defaults, **shared}) if space.defaults else shared
    named = {n: v for n, v in shared.items() if n in trial.params}
    why = (
        f"Trial {trial.number} of the related sweep {sibling.study_name} "
        f"reached {trial.values[0]:.6g} with it."
    )
    try:
        return [propose(study, named, why=why, source=[f"study:{sibling.study_name}"])]
    except ProposalError:
        return []
