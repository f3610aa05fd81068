"""The budget pruner: what it ends, what it leaves alone, and what it says."""

import math
from collections.abc import Sequence

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from optuna.pruners import BasePruner
from optuna.pruners import NopPruner
from optuna.pruners import ThresholdPruner
from optuna.trial import TrialState

from sweeper.optimizer.curves import Curves
from sweeper.optimizer.pruners import BudgetPruner

END = 30


def curve(
    final: float, steps: Sequence[int] = range(1, END + 1), noise: float = 0.0
) -> dict[int, float]:
    """Return a falling curve that ends at `final`."""
    rng = np.random.default_rng(int(final * 1000))
    return {s: final + math.exp(-s / 6) + noise * rng.standard_normal() for s in steps}


def study_of(
    finals: Sequence[float], sign: float = 1.0, pruner: BasePruner | None = None
) -> optuna.Study:
    """Return a study with complete trials of these final values."""
    study = optuna.create_study(
        direction="minimize" if sign > 0 else "maximize", pruner=pruner or BudgetPruner(END)
    )
    for final in finals:
        readings = {s: sign * v for s, v in curve(final).items()}
        study.add_trial(
            optuna.create_trial(value=readings[END], intermediate_values=readings, params={})
        )
    return study


def running(
    study: optuna.Study, readings: dict[int, float], **attrs: object
) -> optuna.trial.FrozenTrial:
    """Return a running trial with these readings."""
    trial = study.ask()
    for step, value in readings.items():
        study._storage.set_trial_intermediate_value(trial._trial_id, step, value)
    for key, value in attrs.items():
        trial.set_user_attr(key, value)
    return study._storage.get_trial(trial._trial_id)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_hopeless_is_ended_and_the_hopeful_is_not(sign: float) -> None:
    """In either direction: a curve far behind ends early, one in front goes on."""
    study = study_of([0.2, 0.3, 0.4], sign)
    bad = running(study, {s: sign * v for s, v in curve(0.9, range(1, 9)).items()})
    good = running(study, {s: sign * v for s, v in curve(0.1, range(1, 9)).items()})

    assert study.pruner.prune(study, bad)
    assert not study.pruner.prune(study, good)


def test_it_says_why_with_the_numbers() -> None:
    """The reason names step, forecast, best, chance and the cost of going on."""
    study = study_of([0.2, 0.3, 0.4])
    reason = study.pruner.reason(study, running(study, curve(0.9, range(1, 9))))

    assert reason is not None
    assert reason.startswith("At step 8 of 30 it is expected to end at 0.9")
    assert "the best is 0.20" in reason
    assert "73% of a run" in reason


@pytest.mark.parametrize("finals", [[], [0.2]])
def test_it_waits_for_what_it_can_compare_with(finals: list[float]) -> None:
    """The only candidate, and the second one, are never ended."""
    study = study_of(finals)

    assert not study.pruner.prune(study, running(study, curve(9.0, range(1, 20))))


def test_a_trivial_rest_is_paid() -> None:
    """A trial that is almost through is left to end by itself."""
    study = study_of([0.2, 0.3, 0.4])

    assert study.pruner.prune(study, running(study, curve(0.9, range(1, 26))))
    assert not study.pruner.prune(study, running(study, curve(0.9, range(1, 29))))


def test_too_early_is_too_early() -> None:
    """Nothing is ended on its first readings."""
    study = study_of([0.2, 0.3, 0.4])

    assert not study.pruner.prune(study, running(study, curve(0.9, range(1, 3))))


@pytest.mark.parametrize("origin", ["baseline", "repeat"])
def test_baselines_and_repeats_run_to_their_end(origin: str) -> None:
    """What others are measured by is never ended."""
    study = study_of([0.2, 0.3, 0.4])

    assert not study.pruner.prune(study, running(study, curve(0.9, range(1, 9)), origin=origin))


def test_a_slow_starter_that_still_falls_is_forecast_by_its_slope() -> None:
    """Of two curves at the same value, the steeper one is expected to end lower."""
    finished = [
        {s: 0.5 + 0.6 * math.exp(-s / 3) for s in range(1, 31)},
        {s: 0.1 + 1.2 * math.exp(-s / 14) for s in range(1, 31)},
        {s: 0.2 + 1.1 * math.exp(-s / 12) for s in range(1, 31)},
    ]
    flat = {s: 0.9 - 0.001 * s for s in range(1, 9)}
    steep = {s: 0.9 + 0.07 * (8 - s) for s in range(1, 9)}
    at = Curves(finished, 8)

    lower, higher = at.forecast(steep), at.forecast(flat)
    assert lower is not None
    assert higher is not None
    assert lower.mean < higher.mean


def test_it_wraps_any_pruner_under_its_own_protection() -> None:
    """The wrapped pruner's wish counts, except where nothing may be ended."""
    wrapped = BudgetPruner(END, wrapped=ThresholdPruner(upper=0.5), least_chance=0.0)
    study = study_of([0.2, 0.3, 0.4], pruner=wrapped)

    reason = wrapped.reason(study, running(study, {s: 0.8 for s in range(1, 9)}))
    assert reason == "ThresholdPruner ends it at step 8 of 30 with 0.8."
    assert not wrapped.prune(study, running(study, {s: 0.8 for s in range(1, 29)}))


def test_irregular_and_missing_steps_are_compared_where_they_are() -> None:
    """Curves with gaps of their own are read at the step in question."""
    study = optuna.create_study(pruner=BudgetPruner())
    for final, steps in ((0.2, range(3, 31, 3)), (0.3, [1, 7, 20, 30]), (0.4, range(2, 31, 4))):
        readings = curve(final, list(steps))
        study.add_trial(optuna.create_trial(value=final, intermediate_values=readings, params={}))

    assert study.pruner.prune(study, running(study, curve(0.9, [2, 5, 11])))
    assert not study.pruner.prune(study, running(study, curve(0.05, [2, 5, 11])))


def test_it_saves_epochs_and_keeps_the_best() -> None:
    """Over 30 noisy trials it runs under two thirds of the epochs and finishes the best trial."""
    finals = np.random.default_rng(1).uniform(0.1, 1.0, 30)
    study = optuna.create_study(pruner=BudgetPruner(END))
    spent = 0
    for final in finals:
        trial = study.ask()
        for step, value in curve(float(final), noise=0.01).items():
            trial.report(value, step)
            spent += 1
            if step < END and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            study.tell(trial, value)

    assert spent < 0.66 * 30 * END
    assert study.best_trial.number == int(finals.argmin())


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.integers(0, 40), st.floats(width=32), min_size=0, max_size=6),
        min_size=2,
        max_size=6,
    )
)
def test_no_readings_break_it(curves: list[dict[int, float]]) -> None:
    """NaN, infinities, single readings and empty curves: an answer, never an exception."""
    study = optuna.create_study(pruner=BudgetPruner())
    for readings in curves[:-1]:
        study.add_trial(optuna.create_trial(value=1.0, intermediate_values=readings, params={}))

    assert study.pruner.prune(study, running(study, curves[-1])) in (True, False)


def test_nothing_is_wrapped_by_default() -> None:
    """Alone it asks nobody else."""
    assert isinstance(BudgetPruner().wrapped, NopPruner)
