"""The model's parts: the process, feasibility, and what is made of them."""

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution

from sweeper.optimizer.acquisition import log_expected_improvement
from sweeper.optimizer.difference import smallest_difference
from sweeper.optimizer.encoding import Coder
from sweeper.optimizer.explaining import belief
from sweeper.optimizer.explaining import suggest
from sweeper.optimizer.feasibility import Feasibility
from sweeper.optimizer.gp import GaussianProcess
from sweeper.optimizer.memory import remember
from sweeper.optimizer.proposals import propose
from sweeper.optimizer.proposals import queued
from sweeper.optimizer.sampler import BlendedSampler
from sweeper.optimizer.space import SEARCH_SPACE
from sweeper.optimizer.space import Space
from sweeper.optimizer.space import to_document

SPACE = Space(
    {
        "lr": FloatDistribution(1e-5, 1e-1, log=True),
        "width": IntDistribution(1, 64),
        "act": CategoricalDistribution(["a", "b", "c"]),
    },
    {"lr": 1e-4, "width": 32, "act": "b"},
)


def value(params: dict[str, object]) -> float:
    """Return an objective that only `lr` moves, best at 1e-2."""
    return (np.log10(float(params["lr"])) + 2) ** 2


def finished(n: int = 14, sampler: BlendedSampler | None = None) -> optuna.Study:
    """Return a study over SPACE with n finished trials."""
    study = optuna.create_study(sampler=sampler or BlendedSampler(seed=0, space=SPACE))
    study.set_user_attr(SEARCH_SPACE, to_document(SPACE))
    for _ in range(n):
        trial = study.ask(SPACE.distributions)
        study.tell(trial, value(trial.params))
    return study


def test_the_process_interpolates_and_knows_where_it_does_not() -> None:
    """Close to observations it is right and sure, far from them it is neither."""
    x = np.linspace(0, 0.5, 9)[:, None]
    y = np.sin(6 * x[:, 0])
    process = GaussianProcess(x, np.zeros(1, dtype=np.int64), y, np.random.default_rng(0))
    means, sds = process.predict(np.array([[0.28], [1.0]]))

    assert means.mean(axis=0)[0] == pytest.approx(np.sin(6 * 0.28), abs=0.05)
    assert sds.mean(axis=0)[0] < 0.2 * sds.mean(axis=0)[1]


def test_relevance_finds_the_parameter_that_matters() -> None:
    """The belief gives most of the relevance to the only parameter that moves the objective."""
    believed = belief(finished())

    assert believed is not None
    assert max(believed["relevance"], key=believed["relevance"].__getitem__) == "lr"
    assert sum(believed["relevance"].values()) == pytest.approx(1.0)
    assert believed["agreement"] > 0.5


def test_left_out_predictions_equal_refitting() -> None:
    """The closed form of leaving one out equals a process that never saw the observation."""
    rng = np.random.default_rng(0)
    x, owner = rng.random((8, 2)), np.arange(2)
    y = x[:, 0] + 0.1 * rng.standard_normal(8)
    process = GaussianProcess(x, owner, y, rng, settings=1)
    means, _ = process.left_out()

    less = GaussianProcess(x[1:], owner, y[1:], rng, settings=1)
    less.thetas, less.shift, less.scale = process.thetas, process.shift, process.scale
    less._y = (y[1:] - process.shift) / process.scale
    less._solved = [less._solve(t) for t in process.thetas]
    assert means[0] == pytest.approx(less.predict(x[:1])[0][0, 0], abs=1e-6)


def test_log_improvement_is_exact_and_does_not_vanish() -> None:
    """It agrees with the plain formula where that is exact, and stays finite far away."""
    mean, sd = np.array([0.0, 1.0, 60.0]), np.array([1.0, 0.5, 1.0])
    logs = log_expected_improvement(mean, sd, 0.5)
    draws = np.random.default_rng(0).normal(0.0, 1.0, 400_000)

    assert np.exp(logs[0]) == pytest.approx(np.maximum(0.5 - draws, 0).mean(), rel=0.01)
    assert np.isfinite(logs).all()
    assert logs[2] < -1000


def test_feasibility_separates_what_ran_from_what_failed() -> None:
    """The chance to run is high among what ran and low among what failed."""
    coder = Coder(Space({"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}))
    rng = np.random.default_rng(0)
    points = rng.random((30, 2))
    failed = points[:, 0] > 0.6
    model = Feasibility(coder, points[~failed], points[failed], rng)
    chances = np.exp(model.log_chance(np.array([[0.1, 0.5], [0.95, 0.5]])))

    assert chances[0] > 0.75
    assert chances[1] < 0.4
    assert Feasibility(coder, points, points[:0], rng).log_chance(points).max() == 0.0


def test_suggest_explains_without_starting_anything() -> None:
    """Ideas carry expectations, chances and reasons; nothing is claimed or stored."""
    study = finished()
    made = propose(study, {"lr": 9e-3}, why="table 9")
    ideas = suggest(study, 9)

    assert {i.origin for i in ideas} == {"model", "proposal"}
    mine = next(i for i in ideas if i.proposal == made.id)
    assert mine.params["lr"] == pytest.approx(9e-3)
    assert mine.why.startswith("table 9 (Adviser trusted")
    assert mine.expected == pytest.approx(value(mine.params), abs=1.0)
    assert all(0 <= (i.chance_best or 0) <= 1 and (i.spread or 1) > 0 for i in ideas)
    assert queued(study) == [made]
    assert len(study.trials) == 14


def test_suggest_works_before_the_first_trial() -> None:
    """Nothing is known yet: the default comes first, nothing is expected of it."""
    ideas = suggest(finished(0), 3)

    assert ideas[0].params == SPACE.default_configuration()
    assert ideas[0].expected is None
    assert suggest(optuna.create_study(sampler=BlendedSampler(seed=0))) == []


def test_the_smallest_difference_keeps_what_matters() -> None:
    """Of three changed parameters the one that moves the objective stays."""
    study = finished(16)
    winner = {"lr": 1e-2, "width": 5, "act": "c"}
    found = smallest_difference(study, SPACE, winner, SPACE.default_configuration(), 0.3)

    assert found is not None
    assert [c.name for c in found.changes if c.matters] == ["lr"]
    assert found.changes[0].worth > 1.0
    assert found.params == {"lr": 1e-2, "width": 32, "act": "b"}
    assert found.cost <= 0.3


def test_related_studies_offer_their_best() -> None:
    """A sibling's best three trials become proposals, once; strangers offer nothing."""
    storage = optuna.storages.InMemoryStorage()
    names = ("first", "second", "stranger")
    studies = [
        optuna.create_study(study_name=n, storage=storage, sampler=BlendedSampler(seed=0))
        for n in names
    ]
    other = Space({"depth": IntDistribution(1, 3), "lr": SPACE.distributions["lr"]})
    for study, space in zip(studies, (SPACE, SPACE, other), strict=True):
        study.set_user_attr(SEARCH_SPACE, to_document(space))
    for study in (studies[1], studies[2]):
        for lr in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1):
            params = {"lr": lr, "width": 8, "act": "a"} if study is studies[1] else {"lr": lr}
            dists = {n: SPACE.distributions[n] for n in params}
            study.add_trial(
                optuna.create_trial(params=params, distributions=dists, value=value(params))
            )

    made = remember(studies[0])

    assert [p.params["lr"] for p in made] == [1e-2, 1e-3, 1e-1]
    assert made[0].source == ("study:second",)
    assert "reached 0 with it" in made[0].why
    assert remember(studies[0]) == []


def test_a_new_sweep_remembers_by_itself() -> None:
    """The first trial of a study that declares its space brings its siblings' best with it."""
    sibling = finished(8)
    study = optuna.create_study(
        storage=sibling._storage, sampler=BlendedSampler(seed=0, space=SPACE)
    )
    study.set_user_attr(SEARCH_SPACE, to_document(SPACE))

    study.ask()

    assert {p.source for p in queued(study)} == {(f"study:{sibling.study_name}",)}
