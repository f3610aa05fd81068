"""The blended sampler: what it must do in any study, beyond what Optuna's suites ask."""

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
from optuna.trial import TrialState

from sweeper import constraints
from sweeper.errors import ProposalError
from sweeper.optimizer import situation
from sweeper.optimizer import space as spaces
from sweeper.optimizer.proposals import propose
from sweeper.optimizer.sampler import BlendedSampler
from sweeper.optimizer.space import Space
from sweeper.optimizer.space import SpaceExhausted
from sweeper.optimizer.storage import open_storage

UNIT = {name: FloatDistribution(0.0, 1.0) for name in "xyz"}


def bowl(params: dict[str, float], at: float = 0.3) -> float:
    """Return a value that is least (0) where every parameter is `at`."""
    return sum((v - at) ** 2 for v in params.values())


def run(study: optuna.Study, n: int, at: float = 0.3) -> list[str]:
    """Run n trials of the bowl and return where each came from."""
    for _ in range(n):
        trial = study.ask(UNIT)
        study.tell(trial, bowl(trial.params, at))
    return [t.user_attrs.get("origin", "") for t in study.trials]


def test_the_default_runs_first_unless_it_is_queued() -> None:
    """With a default configuration known, trial 0 is the baseline."""
    default = {"x": 0.5, "y": 0.25, "z": 0.125}
    study = optuna.create_study(sampler=BlendedSampler(seed=0, default=default))

    trial = study.ask(UNIT)

    assert trial.params == default


def test_the_model_beats_chance() -> None:
    """After 20 trials the model is nearer to the optimum than 20 random draws are."""
    ours, theirs = [], []
    for seed in range(3):
        study = optuna.create_study(sampler=BlendedSampler(seed=seed))
        run(study, 20)
        ours.append(study.best_value)
        draws = np.random.default_rng(seed).random((20, 3))
        theirs.append(min(bowl(dict(zip("xyz", d, strict=True))) for d in draws))

    assert np.mean(ours) < 0.3 * np.mean(theirs)


def test_both_directions_are_the_same_problem() -> None:
    """Maximising the negative of a value chooses what minimising the value chooses."""
    down = optuna.create_study(sampler=BlendedSampler(seed=3))
    up = optuna.create_study(sampler=BlendedSampler(seed=3), direction="maximize")
    for _ in range(10):
        a, b = down.ask(UNIT), up.ask(UNIT)
        assert a.params == b.params
        down.tell(a, bowl(a.params))
        up.tell(b, -bowl(b.params))


def test_another_process_goes_on_as_the_first_would_have(tmp_path: Path) -> None:
    """Nothing is only in memory: a fresh sampler on the stored study makes the same choices."""
    url = f"sqlite:///{tmp_path / 'sweep.db'}"
    one = optuna.create_study(study_name="s", storage=open_storage(url), sampler=BlendedSampler(7))
    whole = optuna.create_study(sampler=BlendedSampler(7))
    run(one, 6)
    run(whole, 9)

    two = optuna.load_study(study_name="s", storage=open_storage(url), sampler=BlendedSampler(7))
    run(two, 3)

    assert [t.params for t in two.trials] == [t.params for t in whole.trials]


def test_parallel_trials_do_not_collapse_on_one_point() -> None:
    """Six trials in flight at once lie apart from each other and from what was tried."""
    study = optuna.create_study(sampler=BlendedSampler(seed=0))
    run(study, 8)
    flight = np.array([list(study.ask(UNIT).params.values()) for _ in range(6)])
    gaps = np.abs(flight[:, None] - flight[None]).max(axis=2)[np.triu_indices(6, 1)]

    assert gaps.min() > 0.02


def test_good_advice_is_followed_and_bad_advice_is_dropped() -> None:
    """A good adviser's queue is worked off, a bad one's is left after a trial or two."""
    taken = {}
    for name, at in (("good", 0.3), ("bad", 0.98)):
        study = optuna.create_study(
            sampler=BlendedSampler(seed=1, default=dict.fromkeys("xyz", 0.6))
        )
        rng = np.random.default_rng(0)
        for _ in range(10):
            point = np.clip(at + rng.normal(0, 0.02, 3), 0, 1)
            propose(study, dict(zip("xyz", point.tolist(), strict=True)), why=name)
        taken[name] = run(study, 10).count("proposal")

    assert taken["good"] >= 3
    assert 1 <= taken["bad"] <= 2


def test_confidence_decides_which_proposal_starts() -> None:
    """While nothing has been measured the surest proposal is the first."""
    study = optuna.create_study(sampler=BlendedSampler(seed=0))
    propose(study, {"x": 0.1}, why="perhaps", confidence=0.2)
    propose(study, {"x": 0.9}, why="surely", confidence=0.9)

    trial = study.ask()
    assert trial.suggest_float("x", 0, 1) == 0.9
    assert trial.user_attrs["why"] == "surely"


def test_failures_teach_where_not_to_go_and_nothing_else() -> None:
    """A region that fails is left alone, and its failures do not move the model's values."""
    study = optuna.create_study(sampler=BlendedSampler(seed=0, default=dict.fromkeys("xyz", 0.2)))
    failed = []
    for _ in range(30):
        trial = study.ask(UNIT)
        bad = trial.params["x"] > 0.5
        failed.append(bad)
        # The objective itself pulls into the failing half.
        study.tell(
            trial,
            None if bad else bowl(trial.params, 0.7),
            state=None if not bad else TrialState.FAIL,
        )

    assert sum(failed[15:]) <= 6
    assert study.best_trial.params["x"] > 0.35


def test_constraints_hold_without_a_declared_space() -> None:
    """Define-by-run code gets only configurations that meet the sampler's constraints."""
    limit = constraints.parse("x + y <= 1", {"x", "y"})
    study = optuna.create_study(sampler=BlendedSampler(seed=0, constraints=(limit,)))
    for _ in range(15):
        trial = study.ask()
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        assert x + y <= 1
        study.tell(trial, -x - y)

    assert study.best_value < -0.9


def test_joint_parameters_are_enumerated_together() -> None:
    """An equality over wide discrete ranges is met although independent draws never would."""
    rule = constraints.parse("a * b == 4096", {"a", "b"})
    space = Space(
        {"a": IntDistribution(1, 256), "b": IntDistribution(1, 256)}, constraints=(rule,)
    )
    study = optuna.create_study(sampler=BlendedSampler(seed=0, space=space))
    for _ in range(4):
        trial = study.ask()
        params = spaces.suggest(trial, space)
        assert params["a"] * params["b"] == 4096
        study.tell(trial, float(params["a"]))


def test_what_nothing_can_meet_is_exhausted() -> None:
    """256 draws, then an error that names the constraints."""
    rule = constraints.parse("x > 2", {"x"})
    space = Space({"x": FloatDistribution(0, 1)}, constraints=(rule,))
    study = optuna.create_study(sampler=BlendedSampler(seed=0, space=space))

    with pytest.raises(SpaceExhausted, match="x > 2"):
        spaces.suggest(study.ask(), space)


def test_a_finite_space_is_tried_whole_and_once() -> None:
    """Every configuration runs exactly once, then the space is exhausted."""
    space = Space(
        {"a": CategoricalDistribution(["x", "y"]), "b": IntDistribution(1, 3)},
        when={"b": {"a": ("x",)}},
    )
    study = optuna.create_study(sampler=BlendedSampler(seed=0, space=space))
    seen = []
    for _ in range(4):
        trial = study.ask()
        seen.append(spaces.suggest(trial, space))
        study.tell(trial, float(len(seen)))

    assert sorted(map(str, seen)) == sorted(
        map(str, [{"a": "x", "b": 1}, {"a": "x", "b": 2}, {"a": "x", "b": 3}, {"a": "y"}])
    )
    with pytest.raises(SpaceExhausted):
        spaces.suggest(study.ask(), space)


def test_conditions_are_learned_from_trials() -> None:
    """In define-by-run code, parameters of the branch not taken are not sampled."""
    study = optuna.create_study(sampler=BlendedSampler(seed=0))
    for _ in range(14):
        trial = study.ask()
        kind = trial.suggest_categorical("kind", ["a", "b"])
        value = trial.suggest_float("u" if kind == "a" else "v", 0, 1)
        study.tell(trial, value + (kind == "b"))
    last = study.trials[-1]

    assert set(last.params) == set(last.system_attrs["sweeper:point"])
    assert study.best_trial.params["kind"] == "a"


def test_many_trials_hand_over_to_tpe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond what the Gaussian process can carry, TPE suggests, and the trial says so."""
    monkeypatch.setattr(situation, "GP_UNTIL", 5)
    study = optuna.create_study(sampler=BlendedSampler(seed=0))
    run(study, 9)

    assert [t.user_attrs.get("chosen_by") for t in study.trials[-3:]] == ["tpe"] * 3


def test_several_objectives_are_left_to_tpe() -> None:
    """A study of two objectives runs."""
    study = optuna.create_study(directions=["minimize", "maximize"], sampler=BlendedSampler(0))
    study.optimize(lambda t: (t.suggest_float("x", 0, 1), t.suggest_float("y", 0, 1)), n_trials=4)

    assert len(study.trials) == 4


def test_pruned_trials_inform_the_model() -> None:
    """A study with nothing but prunings and failures after its first trial still goes on."""
    study = optuna.create_study(sampler=BlendedSampler(seed=0))
    run(study, 2)
    for k in range(6):
        trial = study.ask(UNIT)
        for step in range(3):
            trial.report(bowl(trial.params) + 1 / (step + 1), step)
        study.tell(trial, state=TrialState.PRUNED if k % 2 else TrialState.FAIL)

    assert study.ask(UNIT).user_attrs["chosen_by"] == "gp"


def test_every_choice_says_who_and_why() -> None:
    """A model suggestion carries what is expected of it, in the study's own direction."""
    study = optuna.create_study(sampler=BlendedSampler(seed=0), direction="maximize")
    for _ in range(8):
        trial = study.ask(UNIT)
        study.tell(trial, 5.0 - bowl(trial.params))
    attrs = study.trials[-1].user_attrs

    assert attrs["origin"] == "model"
    assert attrs["chosen_by"] == "gp"
    assert 3.0 < attrs["expected"] < 6.0
    assert attrs["expected_sd"] > 0
    assert attrs["chance_runs"] == pytest.approx(1.0)
    assert "the best so far is" in attrs["why"]


def test_it_can_be_pickled() -> None:
    """A sampler survives being sent to another process."""
    study = optuna.create_study(sampler=BlendedSampler(seed=0))
    run(study, 4)
    copy = pickle.loads(pickle.dumps(study.sampler))
    one, two = study.ask(UNIT), None
    study.sampler = copy
    study.tell(one, 1.0)
    two = study.ask(UNIT)

    assert set(two.params) == set("xyz")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False, width=32)), min_size=3, max_size=8),
    st.integers(0, 3),
)
def test_no_history_breaks_it(values: list[float | None], seed: int) -> None:
    """Infinite, huge, equal and missing values: the next suggestion is still legal."""
    study = optuna.create_study(sampler=BlendedSampler(seed=seed))
    for k, value in enumerate(values):
        params: dict[str, Any] = {"x": k / 10, "y": 0.5, "z": 0.1 * seed}
        study.add_trial(
            optuna.create_trial(
                params=params,
                distributions=UNIT,
                value=value,
                state=TrialState.FAIL if value is None else TrialState.COMPLETE,
            )
        )

    params = study.ask(UNIT).params

    assert all(0 <= v <= 1 and math.isfinite(v) for v in params.values())


def test_a_claimed_duplicate_cannot_be_proposed_again() -> None:
    """What a proposal's trial tries is known as tried."""
    study = optuna.create_study(sampler=BlendedSampler(seed=0))
    propose(study, {"x": 0.1, "y": 0.2, "z": 0.3}, why="once")
    study.ask(UNIT)

    with pytest.raises(ProposalError):
        propose(study, {"x": 0.1, "y": 0.2, "z": 0.3}, why="twice")
