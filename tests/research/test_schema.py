"""Our own checker of JSON Schemas agrees with the reference, and teaches."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sweeper.research import door
from sweeper.research import schema
from tests.research.test_recipes import RECIPE

SCHEMA = schema.load("recipes.json")
REFERENCE = Draft202012Validator(SCHEMA)
NAMES = st.text(max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | NAMES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    pairs = value.items() if isinstance(value, dict) else (
        enumerate(value) if isinstance(value, list) else ())  # fmt: skip
    for key, item in pairs:
        found += _places(item, (*path, key))
    return found


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_it_accepts_and_refuses_what_the_reference_does(data: st.DataObject) -> None:
    """A recipe with any one part replaced, removed or renamed is judged alike by both."""
    value: Any = [copy.deepcopy(RECIPE)]
    *outer, last = data.draw(st.sampled_from(_places(value)))
    holder = value
    for key in outer:
        holder = holder[key]
    what = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if what == "replace":
        holder[last] = data.draw(VALUES)
    elif what == "remove":
        del holder[last]
    elif isinstance(holder, dict):
        holder[data.draw(st.text(max_size=4))] = data.draw(VALUES)

    assert (not schema.faults(value, SCHEMA)) == REFERENCE.is_valid(value)


@pytest.mark.parametrize("path", sorted(door.SCHEMAS.glob("*.json")), ids=lambda path: path.name)
def test_every_shipped_schema_is_a_sound_schema(path: Any) -> None:
    """The files in the package are valid JSON Schemas with a title and a description."""
    document = json.loads(path.read_text(encoding="utf-8"))

    Draft202012Validator.check_schema(document)
    assert document["title"]
    assert document["description"]


def test_a_fault_names_the_place_the_rule_and_the_likely_meaning() -> None:
    """The error is enough to mend the file."""
    broken = copy.deepcopy(RECIPE)
    broken["confidense"] = broken.pop("confidence")
    broken["result"]["value"] = "90.2"

    found = {fault.path: fault for fault in schema.faults([broken], SCHEMA)}

    assert "did you mean confidence?" in found["[0].confidense"].message
    assert found["[0].confidence"].message == "is missing"
    assert "should be a number" in found["[0].result.value"].message
    assert found["[0].result.value"].rule == "#/$defs/result/properties/value"
