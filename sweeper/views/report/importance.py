"""How much each parameter matters, by Optuna's PED-ANOVA."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING
from typing import Any

from sweeper.summary.records import Snapshot
from sweeper.summary.records import Trial

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

#: With fewer complete trials the best tenth that PED-ANOVA looks at is no sample: parameters that
#: change nothing were seen to get shares of 0.4.
FEWEST_TRIALS = 20


def importances(snapshot: Snapshot) -> dict[str, float]:
    """Return each parameter's share, adding up to 1; {} with too few trials to tell."""
    done = [trial for trial in snapshot.trials if trial.counts and trial.params]
    if len(done) < FEWEST_TRIALS or len({trial.value for trial in done}) < 2:
        return {}
    # Imported here because it takes longer than all the rest of the page.
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator
    from optuna.importance import get_param_importances

    with warnings.catch_warnings():
        # Optuna marks the evaluator's options as experimental; nothing a reader can act on.
        warnings.simplefilter("ignore")
        study = _in_memory(optuna, snapshot, done)
        if len(study.get_trials(deepcopy=False)) < FEWEST_TRIALS:
            return {}
        shares = dict(get_param_importances(study, evaluator=PedAnovaImportanceEvaluator()))
    # Optuna answers "nothing to tell" with equal shares.
    told = len(shares) == 1 or len(set(shares.values())) > 1
    return shares if told else {}


def _in_memory(optuna: Any, snapshot: Snapshot, done: list[Trial]) -> Study:
    from optuna.distributions import json_to_distribution

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study: Study = optuna.create_study(direction=snapshot.study.direction)
    optuna.logging.set_verbosity(verbosity)
    distributions = {
        name: json_to_distribution(text) for name, text in snapshot.distributions.items()
    }
    study.add_trials([each for trial in done if (each := _frozen(trial, distributions))])
    return study


def _frozen(trial: Trial, distributions: dict[str, Any]) -> FrozenTrial | None:
    """Return a trial as Optuna has it; None if it lies outside the present search space."""
    from optuna.trial import create_trial

    try:
        return create_trial(
            value=trial.value,
            params=trial.params,
            distributions={name: distributions[name] for name in trial.params},
        )
    except ValueError:
        return None
