"""`propose --now`: what runs next was checked, and runs as it was asked for."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution

from sweeper.errors import ProposalError
from sweeper.optimizer.proposal_file import load_file
from sweeper.optimizer.sampler import BlendedSampler
from sweeper.optimizer.space import Space
from sweeper.optimizer.space import to_document
from sweeper.optimizer.waiting import propose_now

SPACE = Space(
    distributions={
        "lr": FloatDistribution(1e-5, 1e-1, log=True),
        "kind": CategoricalDistribution(["a", "b"]),
    },
    defaults={"lr": 1e-3, "kind": "a"},
)


@pytest.fixture
def study() -> optuna.Study:
    made = optuna.create_study(sampler=BlendedSampler(seed=0, space=SPACE))
    made.set_user_attr("search_space", to_document(SPACE))
    return made


def test_it_runs_next_with_its_values_and_its_reason(study: optuna.Study) -> None:
    propose_now(study, {"lr": 0.01}, why="the paper says so", source=["arXiv:1"])

    trial = study.ask()

    assert trial.suggest_float("lr", 1e-5, 1e-1, log=True) == 0.01
    assert trial.suggest_categorical("kind", ["a", "b"]) in ("a", "b")
    assert trial.user_attrs["why"] == "the paper says so"
    assert trial.user_attrs["origin"] == "proposal"


@pytest.mark.parametrize(
    ("params", "nearest"), [({"lr": 5.0}, "0.1"), ({"kind": "A"}, "a"), ({"rl": 1.0}, "lr")]
)
def test_what_cannot_be_tried_is_refused_with_the_nearest_legal_value(
    study: optuna.Study, params: dict[str, object], nearest: str
) -> None:
    with pytest.raises(ProposalError) as refused:
        propose_now(study, params, why="a guess")

    assert nearest in f"{refused.value.message} {refused.value.hint}"
    assert study.trials == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON"),
        ("{}", "no list"),
        ("[]", "no list"),
        ("[1]", "Entry 1"),
        ('[{"params": {"lr": 1}, "why": "x"}, {"why": "y"}]', "Entry 2"),
        ('[{"params": {"lr": 1}}]', "reason"),
        ('[{"params": {"lr": NaN}, "why": "x"}]', "NaN"),
    ],
)
def test_a_wrong_file_says_where(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "proposals.json"
    file.write_text(text)

    with pytest.raises(ProposalError, match=told):
        load_file(file)


def test_a_recipe_file_is_a_proposals_file_with_more_keys(tmp_path: Path) -> None:
    file = tmp_path / "recipes.json"
    file.write_text(
        '[{"params": {"lr": 0.001}, "why": "x", "source": "arXiv:1", "confidence": 0.7,'
        ' "paper": "A paper"}]'
    )

    assert load_file(file) == [
        {"params": {"lr": 0.001}, "why": "x", "source": ["arXiv:1"], "confidence": 0.7}
    ]
