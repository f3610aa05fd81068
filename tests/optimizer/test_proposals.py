"""Proposals: checked like foreign input, kept with their source, claimed exactly once."""

import json
import multiprocessing
from pathlib import Path
from typing import Any

import jsonschema
import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
from optuna.trial import TrialState

from sweeper import constraints
from sweeper.errors import ProposalError
from sweeper.optimizer import space as spaces
from sweeper.optimizer.checking import SCHEMA
from sweeper.optimizer.checking import DuplicateProposalError
from sweeper.optimizer.proposals import propose
from sweeper.optimizer.proposals import queued
from sweeper.optimizer.proposals import refused
from sweeper.optimizer.sampler import BlendedSampler
from sweeper.optimizer.space import Space
from sweeper.optimizer.storage import open_storage

NAMES = {"lr", "layers", "peft", "rank", "batch", "steps"}
SPACE = Space(
    {
        "lr": FloatDistribution(1e-6, 1e-2, log=True),
        "layers": IntDistribution(1, 12),
        "peft": CategoricalDistribution(["lora", "none"]),
        "rank": IntDistribution(4, 64, log=True),
        "batch": CategoricalDistribution([8, 16, 32]),
        "steps": CategoricalDistribution([2, 4, 8]),
    },
    {"lr": 1e-4, "layers": 4, "peft": "none", "rank": 8, "batch": 16, "steps": 4},
    {"rank": {"peft": ("lora",)}},
    (constraints.parse("batch * steps == 64", NAMES),),
)


@pytest.fixture
def study() -> optuna.Study:
    """A study that was told its space."""
    made = optuna.create_study(sampler=BlendedSampler(seed=0, space=SPACE))
    made.set_user_attr(spaces.SEARCH_SPACE, spaces.to_document(SPACE))
    return made


@pytest.mark.parametrize(
    ("params", "key", "words"),
    [
        ({"lr": 0.5}, "lr", "nearest legal value is 0.01"),
        ({"lr": "fast"}, "lr", None),
        ({"layers": 3.7}, "layers", "nearest legal value is 4"),
        ({"layers": True}, "layers", None),
        ({"layers": "12"}, "layers", "nearest legal value is 12"),
        ({"peft": "Lora"}, "peft", "nearest legal value is 'lora'"),
        ({"learning_rate": 1e-4}, "learning_rate", "Parameters are: lr"),
        ({"layer": 3}, "layer", "Did you mean `layers`?"),
        ({"peft": "none", "rank": 8}, "rank", "Set `peft` to 'lora'"),
        ({"batch": 8, "steps": 4}, "constraints", "nearest legal configuration"),
        ({}, "params", None),
        ({"lr": float("nan")}, "lr", None),
    ],
)
def test_a_refusal_names_key_and_remedy(
    study: optuna.Study, params: dict[str, Any], key: str, words: str | None
) -> None:
    """What cannot be tried is refused with the parameter and the nearest legal value."""
    with pytest.raises(ProposalError) as refusal:
        propose(study, params, why="because")

    assert refusal.value.key == key
    assert (words or "") in (refusal.value.hint or "")
    assert queued(study) == []


@pytest.mark.parametrize(
    "options", [{"why": " "}, {"why": "x", "confidence": 1.2}, {"why": "x", "source": [""]}]
)
def test_reason_source_and_confidence_are_checked(
    study: optuna.Study, options: dict[str, Any]
) -> None:
    """A proposal without a reason, or with a nonsensical confidence, is refused."""
    with pytest.raises(ProposalError):
        propose(study, {"lr": 1e-3}, **options)


def test_a_proposal_is_kept_with_all_it_came_with(study: optuna.Study) -> None:
    """Values as the space's own types, reason, sources and confidence survive the storage."""
    made = propose(study, {"layers": 6.0}, why="table 9", source="arXiv:1", confidence=0.7)

    assert queued(study) == [made]
    assert made.params == {"layers": 6}
    assert isinstance(made.params["layers"], int)
    assert (made.why, made.source, made.confidence) == ("table 9", ("arXiv:1",), 0.7)


def test_what_is_tried_or_queued_is_a_duplicate(study: optuna.Study) -> None:
    """Within a thousandth of each axis a configuration is the same; failures count, too."""
    tried = SPACE.default_configuration()
    study.enqueue_trial(tried)
    spaces.suggest(study.ask(), SPACE)
    study.tell(0, state=TrialState.FAIL)
    with pytest.raises(DuplicateProposalError) as duplicate:
        propose(study, {**tried, "lr": tried["lr"] * 1.0001}, why="again")
    assert duplicate.value.trial == 0

    waiting = propose(study, {"lr": 3e-4}, why="first")
    with pytest.raises(DuplicateProposalError) as duplicate:
        propose(study, {"lr": 3.0001e-4}, why="second")
    assert duplicate.value.proposal == waiting.id
    propose(study, {"lr": 5e-4}, why="another one")


def test_a_trial_that_never_ran_is_no_duplicate(study: optuna.Study) -> None:
    """What was refused before it started may be proposed again."""
    study.enqueue_trial(SPACE.default_configuration())
    trial = study.ask()
    spaces.suggest(trial, SPACE)
    trial.set_user_attr("ended_by", "not started")
    study.tell(trial, state=TrialState.FAIL)

    propose(study, SPACE.default_configuration(), why="it never ran")


def test_a_partial_proposal_is_completed_so_that_it_counts(study: optuna.Study) -> None:
    """Parents are set so that what is proposed is active, and the constraints hold."""
    first = study.ask()
    spaces.suggest(first, SPACE)
    study.tell(first, 1.0)
    made = propose(study, {"rank": 32, "batch": 8}, why="a larger rank")

    trial = study.ask()
    params = spaces.suggest(trial, SPACE)

    assert (params["peft"], params["rank"], params["batch"], params["steps"]) == ("lora", 32, 8, 8)
    assert trial.user_attrs["origin"] == "proposal"
    assert trial.user_attrs["proposal"] == made.id
    assert trial.user_attrs["why"] == "a larger rank"
    assert queued(study) == []


def test_what_turns_out_impossible_is_set_aside_with_its_reason() -> None:
    """Constraints that only the completed values break are found at the claim."""
    space = Space(
        {"a": IntDistribution(1, 4), "b": IntDistribution(1, 4)},
        constraints=(constraints.parse("a * b == 9", {"a", "b"}),),
    )
    study = optuna.create_study(sampler=BlendedSampler(seed=0, space=space))
    made = propose(study, {"a": 2}, why="two")

    params = spaces.suggest(study.ask(), space)

    assert params == {"a": 3, "b": 3}
    assert list(refused(study)) == [made.id]
    assert queued(study) == []


def test_without_a_space_it_is_checked_at_its_claim() -> None:
    """A define-by-run study takes proposals before it has shown a single parameter."""
    study = optuna.create_study(sampler=BlendedSampler(seed=0))
    propose(study, {"x": 99.0, "kind": "B"}, why="outside what is known later")

    trial = study.ask()
    values = trial.suggest_float("x", 0, 1), trial.suggest_categorical("kind", ["a", "b"])

    assert values == (1.0, "b")
    assert trial.user_attrs["origin"] == "proposal"


def test_plain_optunas_queue_goes_first(study: optuna.Study) -> None:
    """A trial that plain Optuna queued still runs before any proposal is weighed."""
    propose(study, {"lr": 5e-3}, why="later")
    study.enqueue_trial({"lr": 2e-3})

    trial = study.ask()
    assert spaces.suggest(trial, SPACE)["lr"] == 2e-3
    assert len(queued(study)) == 1


def claim_all(url: str, barrier: Any, results: Any) -> None:
    """Ask for trials in a process of its own and tell which proposals they got."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(
        study_name="s", storage=open_storage(url), sampler=BlendedSampler(seed=0)
    )
    barrier.wait()
    got = []
    for _ in range(5):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        got.append((trial.number, trial.user_attrs.get("proposal")))
    results.put(got)


@pytest.mark.parametrize("ours", [True, False])
def test_a_proposal_is_claimed_by_one_process(tmp_path: Path, ours: bool) -> None:
    """Three processes ask at once, with our tables and without: none of them shares a proposal."""
    url = f"sqlite:///{tmp_path / 'sweep.db'}"
    if ours:
        from sweeper.state.database import open_database

        open_database(url).close()
    study = optuna.create_study(storage=open_storage(url), study_name="s")
    if ours:
        study.set_user_attr("sweeper:uid", "0123abcd")
    for k in range(12):
        propose(study, {"x": k / 16}, why=f"point {k}", space=None)
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(3), spawn.Queue()
    workers = [spawn.Process(target=claim_all, args=(url, barrier, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    got = [pair for _ in workers for pair in results.get(timeout=100)]
    for worker in workers:
        worker.join()

    claimed = [proposal for _, proposal in got if proposal]
    assert len({number for number, _ in got}) == 15
    assert len(claimed) == len(set(claimed)) == 12
    assert queued(study) == []


def test_a_reattached_trial_keeps_its_configuration(tmp_path: Path) -> None:
    """Killed between two parameters, a trial goes on with the values that were chosen for it."""
    storage = open_storage(f"sqlite:///{tmp_path / 'sweep.db'}")
    study = optuna.create_study(storage=storage, sampler=BlendedSampler(seed=0, space=SPACE))
    study.enqueue_trial(SPACE.default_configuration())
    spaces.suggest(study.ask(), SPACE)
    study.tell(0, 1.0)
    propose(study, {"lr": 2e-3, "peft": "lora", "rank": 16}, why="table 9")
    trial = study.ask()
    assert trial.suggest_float("lr", 1e-6, 1e-2, log=True) == 2e-3

    again = optuna.load_study(
        study_name=study.study_name,
        storage=open_storage(storage._backend.url),
        sampler=BlendedSampler(seed=99, space=SPACE),
    )
    params = spaces.suggest(optuna.Trial(again, trial._trial_id), SPACE)

    assert (params["lr"], params["peft"], params["rank"]) == (2e-3, "lora", 16)
    assert queued(again) == []


def test_the_schema_takes_a_recipe_file() -> None:
    """What the researcher writes, a superset, passes; a missing reason does not."""
    schema = json.loads(SCHEMA.read_text())
    good = [{"params": {"lr": 3e-4}, "why": "x", "source": ["arXiv:1"], "recipe": {"a": 1}}]

    jsonschema.validate(good, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{"params": {"lr": 3e-4}}], schema)
