"""The declared space and Optuna's distributions, one made from the other."""

from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution

from sweeper import program
from sweeper.optimizer import space as spaces
from sweeper.optimizer.sampler import BlendedSampler
from sweeper.optimizer.space import Space

PAGE = """# A sweep

## Goal
```yaml
metric: loss
direction: minimize
```
## Training
```yaml
script: train.py
```
## Search space
```yaml
lora_r: {low: 4, high: 64, log: true, when: {peft: [lora, dora]}}
peft: {choices: [lora, dora, none], default: none}
lr: {low: 1e-6, high: 1e-3, log: true, default: 2e-5}
dropout: {low: 0.0, high: 0.5, step: 0.1}
batch: [8, 16, 32]
accumulation: [2, 4, 8]
constraints: ["batch * accumulation == 64"]
```
## Budget envelope
```yaml
max_jobs: 12
max_walltime: 8h
max_timeout: 1h
```
"""
PAGE = PAGE.replace("batch: [8, 16, 32]", "batch: {choices: [8, 16, 32], default: 16}")
PAGE = PAGE.replace("accumulation: [2, 4, 8]", "accumulation: {choices: [2, 4, 8], default: 4}")


@pytest.fixture
def declared(tmp_path: Path) -> program.Program:
    (tmp_path / "train.py").write_text("")
    (tmp_path / "program.md").write_text(PAGE)
    return program.load(tmp_path)


def test_parents_come_before_what_hangs_on_them(declared: program.Program) -> None:
    """Whatever order the page has, parameters are suggested parents first."""
    names = list(spaces.distributions(declared))

    assert names.index("peft") < names.index("lora_r")


def test_distributions_say_what_the_page_says(declared: program.Program) -> None:
    """Whole numbers, logarithms, steps and choices arrive as Optuna's own."""
    made = spaces.distributions(declared)

    assert made["lora_r"] == IntDistribution(4, 64, log=True)
    assert made["lr"] == FloatDistribution(1e-6, 1e-3, log=True)
    assert made["dropout"] == FloatDistribution(0.0, 0.5, step=0.1)
    assert made["peft"] == CategoricalDistribution(["lora", "dora", "none"])


def test_a_study_can_rebuild_the_space(declared: program.Program) -> None:
    """What is stored with the study equals what the page declares, constraints included."""
    space = spaces.of_program(declared)
    study = optuna.create_study()
    study.set_user_attr(spaces.SEARCH_SPACE, spaces.to_document(declared))

    assert spaces.from_document(study.user_attrs[spaces.SEARCH_SPACE]) == space
    assert space.violated({"batch": 8, "accumulation": 2}) == ["batch * accumulation == 64"]


def test_every_suggestion_is_legal(declared: program.Program) -> None:
    """Only active parameters are suggested, and every configuration meets the constraints."""
    space = spaces.of_program(declared)
    study = optuna.create_study(sampler=BlendedSampler(seed=1, space=space))
    for _ in range(14):
        trial = study.ask()
        params = spaces.suggest(trial, declared)
        assert params == space.active_part(params) == trial.params
        assert ("lora_r" in params) == (params["peft"] != "none")
        assert space.holds(params)
        study.tell(trial, params["lr"] * params["batch"])

    assert study.trials[0].params == space.default_configuration()


@given(st.floats(-1e9, 1e9), st.sampled_from([0.1, 0.25, None]), st.booleans())
def test_the_nearest_legal_value_is_legal(value: float, step: float | None, whole: bool) -> None:
    """Whatever number is offered, its nearest legal value passes the check."""
    made = IntDistribution(2, 9) if whole else FloatDistribution(-1.0, 2.0, step=step)

    assert spaces.legal(made, spaces.nearest(made, value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("Cosine", "cosine"), ("16", 16), (True, True), ("zebra", None), (15, 16)],
)
def test_a_misspelt_choice_finds_its_neighbour(value: object, expected: object) -> None:
    """Spelling, case and text for a number are mended; what resembles nothing is not guessed."""
    made = CategoricalDistribution(["cosine", "linear", 16, True])

    assert spaces.nearest(made, value) == expected


def test_no_value_of_another_type_is_legal() -> None:
    """Text, booleans and fractions are no whole numbers."""
    whole = IntDistribution(0, 9)

    assert [spaces.legal(whole, v) for v in (3, 3.0, 3.7, "3", True, float("nan"))] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    assert not spaces.legal(CategoricalDistribution([0, 1]), True)


def test_active_part_drops_what_is_switched_off() -> None:
    """Inactive and unknown names are left out, grandchildren with their parents."""
    space = Space(
        {
            "a": CategoricalDistribution(["x", "y"]),
            "b": CategoricalDistribution(["x", "y"]),
            "c": IntDistribution(0, 3),
        },
        when={"b": {"a": ("x",)}, "c": {"b": ("y",)}},
    )

    assert space.active_part({"a": "y", "b": "y", "c": 1, "z": 0}) == {"a": "y"}
    assert space.ancestors("c") == {"a": ("x",), "b": ("y",)}
