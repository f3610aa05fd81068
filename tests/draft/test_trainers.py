"""The known configuration classes, compared with the installed releases."""

from __future__ import annotations

import dataclasses
import warnings

import pytest

from sweeper.draft import trainers

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("name", trainers.FIELDS)
def test_fields_and_defaults_are_those_of_the_library(name: str):
    """A draft must not claim a field or a default that the script's parser does not have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        home = pytest.importorskip(
            "transformers" if "Arguments" in name else "trl", reason="the extra `torch` is missing"
        )
        declared = {field.name: field for field in dataclasses.fields(getattr(home, name))}

    expected = trainers.FIELDS[name]
    assert {field: declared[field].default for field in expected} == expected
