"""The pages of the shipped studies."""

from __future__ import annotations

import importlib.util

import pytest

from sweeper import program
from sweeper.draft import script
from tests.studies.shipped import STUDIES

NAMES = ("digits", "charlm", "capybara-sft")


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_page_loads(name: str):
    """Each study is a valid program, with its script in place."""
    found = program.load(STUDIES / name)

    assert found.name == name
    assert (found.folder / str(found.training.script)).is_file()


@pytest.mark.parametrize("name", ["digits", "charlm"])
def test_the_first_trial_is_what_the_script_does_by_itself(name: str):
    """The page's defaults are the script's own."""
    found = program.load(STUDIES / name)
    read = script.read(STUDIES / name / "train.py", STUDIES / name)
    own = {option.name: option.default for option in read.options}

    assert read.way == found.training.parameters
    for parameter in found.search_space.values():
        assert own[parameter.name] == parameter.default


def test_digits_has_conditional_logarithmic_and_chosen_parameters():
    """The embedded default shows what a search space can be, and ends soon."""
    found = program.load(STUDIES / "digits")
    space = found.search_space.values()

    assert len(space) >= 6
    assert sum(bool(each.when) for each in space) >= 2
    assert sum(each.log for each in space) >= 2
    assert any(each.kind == "int" for each in space)
    assert found.budget.max_parallel == 2
    assert found.budget.max_timeout_s <= 60


def test_the_jobs_study_touches_only_what_it_names():
    """Model, data set and repositories stand in its scope, and a price limit in its envelope."""
    found = program.load(STUDIES / "capybara-sft")

    assert found.sweep.executor == "hf"
    assert found.scope.models == ["Qwen/Qwen2-0.5B"]
    assert found.scope.datasets == ["trl-lib/Capybara"]
    assert found.budget.max_cost_usd
    assert found.training.secrets == ["HF_TOKEN"]


def test_the_harbour_log_is_what_its_grammar_writes():
    """The shipped text is our own and can be made again, byte for byte."""
    folder = STUDIES / "charlm"
    spec = importlib.util.spec_from_file_location("write_text", folder / "write_text.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    shipped = (folder / "text.txt").read_text(encoding="utf-8")

    assert shipped == module.text()
    assert len(shipped.encode()) < 200_000
