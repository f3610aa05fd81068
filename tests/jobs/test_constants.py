"""Constants are replaced in place; everything else of a script stays as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.errors import ScriptError
from sweeper.jobs.constants import replaced

SCRIPT = b'''"""A script."""
LR = 1e-3  # the learning rate
NAME: str = "caf\xc3\xa9"; DEPTH=  2**3
SIZES = [
    1,  # one
    2,
]
def f():
    LR = 7
'''


def test_only_the_values_change() -> None:
    """Comments, blanks, other statements on the line and locals of that name stay."""
    text = replaced(SCRIPT, {"LR": 3e-05, "NAME": "ü", "DEPTH": 4, "SIZES": None}, "train.py")

    assert text.decode() == (
        '"""A script."""\nLR = 3e-05  # the learning rate\nNAME: str = \'ü\'; DEPTH=  4\n'
        "SIZES = None\ndef f():\n    LR = 7\n"
    )


def test_a_missing_constant_is_named_with_what_was_meant() -> None:
    """The parameter's name and the constant's must agree."""
    with pytest.raises(ScriptError, match=r"train\.py has no top-level constant DEPHT") as caught:
        replaced(SCRIPT, {"DEPHT": 1}, "train.py")

    assert caught.value.hint == "Did you mean DEPTH?"
    assert caught.value.key == "DEPHT"


def test_a_constant_that_is_computed_is_not_a_constant() -> None:
    """Replacing `LR = base * 2` would drop what it depends on."""
    with pytest.raises(ScriptError, match="LR"):
        replaced(b"base = 1\nLR = base * 2\n", {"LR": 1}, "train.py")


def test_a_script_that_is_no_python_names_its_line() -> None:
    """As every wrong input does."""
    with pytest.raises(ScriptError, match="not valid Python") as caught:
        replaced(b"LR = 1\nx = = 2\n", {"LR": 1}, "train.py")

    assert caught.value.line == 2


def test_other_encodings_and_line_ends_stay() -> None:
    """A script of an old editor is still the same script."""
    script = "# -*- coding: latin-1 -*-\r\nNAME = 'é'; LR = 1\r\n".encode("latin-1")
    expected = "# -*- coding: latin-1 -*-\r\nNAME = 'é'; LR = 0.5\r\n".encode("latin-1")

    assert replaced(script, {"LR": 0.5}, "train.py") == expected


_values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(st.dictionaries(st.sampled_from(["LR", "NAME", "DEPTH", "SIZES"]), _values))
def test_the_copy_has_the_values_when_it_runs(params: dict[str, object]) -> None:
    """Whatever a value is, Python reads it back as it was."""
    names: dict[str, object] = {}
    exec(replaced(SCRIPT, params, "train.py"), names)

    assert {name: names[name] for name in params} == params
