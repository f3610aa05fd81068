"""Recipes: checked, ranked, every figure with its place."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.research import schema
from sweeper.research.papers import recipes
from tests.research.conftest import Caller
from tests.research.conftest import validator

RECIPE: dict[str, Any] = {
    "params": {"learning_rate": 2e-4, "peft": "lora"},
    "why": "LoRA reaches full fine-tuning with a high learning rate.",
    "source": ["arXiv:2106.09685"],
    "confidence": 0.7,
    "paper": {"id": "arXiv:2106.09685", "title": "LoRA", "date": "2021-06-17", "venue": "ICLR",
              "citations": 9000, "section": "4.1"},
    "result": {"metric": "accuracy", "value": 90.2, "benchmark": "MNLI", "place": "Table 2"},
    "dataset": {"name": "GLUE", "hub_id": "nyu-mll/glue", "size": "393k", "available": True,
                "format": "needs mapping", "license": None},
    "model": "RoBERTa",
    "method": "LoRA",
    "hyperparameters": {"learning_rate": 2e-4, "rank": {"value": 8, "section": "4.1"},
                        "seeds": {"value": 5, "section": "A", "place": None}},
    "what_made_it_work": "Adapting the query and value projections.",
    "code": None,
    "caveats": None,
}  # fmt: skip


def _write(*items: dict[str, Any]) -> Path:
    path = Path("recipes.json")
    path.write_text(json.dumps(items, indent=1), encoding="utf-8")
    return path


def _recipe(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(RECIPE) | changes


def test_the_table_is_ranked_and_each_figure_leads_to_its_paper_and_section(call: Caller) -> None:
    """Confidence first, then data that can be had, then the newest."""
    gone = {**RECIPE["dataset"], "available": False}
    older = {**RECIPE["paper"], "date": "2019"}
    _write(
        _recipe(confidence=0.2, method="weak"),
        _recipe(method="older", paper=older),
        _recipe(method="gone", dataset=gone),
        _recipe(method="best"),
    )

    done = call("papers", "recipes")
    document = call.json("papers", "recipes")

    methods = [item["method"] for item in document["result"]["recipes"]]
    assert methods == ["best", "older", "gone", "weak"]
    validator("papers").validate(document)
    figures = document["result"]["recipes"][0]["figures"]
    assert {(f["name"], f["section"], f["paper"]) for f in figures} >= {
        ("MNLI accuracy", "4.1", "arXiv:2106.09685"),
        ("rank", "4.1", "arXiv:2106.09685"),
        ("seeds", "A", "arXiv:2106.09685"),
    }
    assert "MNLI accuracy = 90.2: arXiv:2106.09685 §4.1, Table 2 https://arxiv.org/" in done.out
    assert done.out.index("best") < done.out.index("weak")


def test_verify_finds_each_figure_in_its_section_or_says_that_it_is_not_there(
    call: Caller,
) -> None:
    """A number that the paper does not state where it is said to is named."""
    wrong = {**RECIPE["result"], "value": 95.5}
    lost = {"temperature": {"value": 0.7, "section": "9.9"}}
    _write(_recipe(), _recipe(confidence=0.5, result=wrong, hyperparameters=lost))

    document = call.json("papers", "recipes", "--verify")

    first, second = document["result"]["recipes"]
    assert {f["name"]: f["verified"] for f in first["figures"]} == {
        "MNLI accuracy": True,
        "learning_rate": True,
        "rank": True,
        "seeds": False,  # the paper writes "Five"
    }
    assert [f["verified"] for f in second["figures"]] == [False, None]
    assert document["notes"][0].startswith(
        "Of 6 figures: 3 stand where they are said to, 2 do not"
    )
    assert "NOT found there" in call("papers", "recipes", "--verify").out


def test_it_is_a_superset_of_a_proposals_file() -> None:
    """Every recipe has what `sweeper propose --file` needs."""
    required = schema.load("recipes.json")["$defs"]["recipe"]["required"]  # type: ignore[index]

    assert {"params", "why", "source", "confidence"} <= set(required)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"confidence": 1.5}, "above 1"),
        ({"confidence": "high"}, 'should be a number, not "high"'),
        ({"source": []}, "at least 1"),
        ({"source": ["Hu et al."]}, "arXiv id like"),
        ({"params": {"lr": [1]}}, "params.lr should be"),
        ({"why": " "}, "must not be empty"),
        ({"metod": "x"}, "did you mean method?"),
        ({"result": {"metric": "acc"}}, "result.value is missing"),
        ({"paper": {**RECIPE["paper"], "date": "June"}}, "YYYY"),
        ({"hyperparameters": {"lr": {"at": 1}}}, "hyperparameters.lr"),
    ],
)
def test_a_broken_recipe_is_named_with_line_key_and_rule(
    change: dict[str, Any], said: str, call: Caller
) -> None:
    """Nothing is shown of a file that breaks its schema; the error points into both."""
    _write(_recipe(), _recipe(**change))

    done = call("papers", "recipes", "--json")

    assert done.code == 1
    error = done.document["error"]
    assert error["code"] == "proposal"
    assert said in error["message"]
    assert "recipes.json[1]" in error["message"]
    assert "rule #/" in error["message"]
    assert error["line"] == Path("recipes.json").read_text()[: _second()].count("\n") + 1


def _second() -> int:
    text = Path("recipes.json").read_text()
    return json.JSONDecoder().raw_decode(text, text.index("{"))[1] + 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[{]", "line 1, column 3"),
        ("", "is no JSON"),
        ("{}", "should be a list"),
        ("[]", "at least 1"),
        ('[{"why": NaN}]', "NaN"),
        ('[{"why": "a", "why": "b"}]', "twice"),
    ],
)
def test_what_is_no_list_of_recipes_is_said_so(text: str, said: str, call: Caller) -> None:
    """Broken JSON, an empty list, NaN and doubled keys are errors of the file."""
    Path("recipes.json").write_text(text)

    done = call("papers", "recipes")

    assert done.code == 1
    assert said in done.err


def test_a_missing_file_and_the_form(call: Caller) -> None:
    """The file's name can be given; its schema can be printed."""
    assert call("papers", "recipes", "elsewhere.json").code == 1
    done = call("papers", "recipes", "--form", "--max-tokens", "9000")

    assert json.loads(done.out.partition("\n")[2])["title"] == "Recipes"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2e-4, "learning rate of $2\\times 10^{-4}$"),
        (2e-4, "2e-4"),
        (2e-4, "lr=0.0002"),
        (1e-5, "we use 10^{-5}"),
        (1000, "1,000 steps"),
        (1000, "1k steps"),
        (0.1, "dropout .1"),
        (8, "rank 8."),
        (-1.5, "$-1.5$"),
        ("cosine", "a Cosine schedule"),
        (True, "anything"),
    ],
)
def test_numbers_are_found_in_the_ways_papers_write_them(value: Any, text: str) -> None:
    """Powers of ten, thousands, signs and words."""
    assert recipes.stands_in(value, text)


@pytest.mark.parametrize(("value", "text"), [(8, "18 and 80 and 8.5"), (0.2, "0.25"), (5, "Five")])
def test_numbers_are_not_found_inside_others(value: Any, text: str) -> None:
    """A figure is the whole figure."""
    assert not recipes.stands_in(value, text)


@given(st.floats(1e-9, 1e9))
def test_a_number_stands_in_its_own_text(value: float) -> None:
    """Any number is found again as Python prints it."""
    assert recipes.stands_in(value, f"a {value} b")
