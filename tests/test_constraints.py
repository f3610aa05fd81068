"""The language of constraints: arithmetic and comparisons, and nothing else."""

from __future__ import annotations

import copy
import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper import constraints

NAMES = ("a", "b", "c", "batch", "steps")


@pytest.mark.parametrize(
    ("text", "params", "holds"),
    [
        ("batch * steps == 64", {"batch": 8, "steps": 8}, True),
        ("batch * steps == 64", {"batch": 8, "steps": 4}, False),
        ("a < b < c", {"a": 1, "b": 2, "c": 3}, True),
        ("a < b < c", {"a": 1, "b": 3, "c": 3}, False),
        ("a != b", {"a": 1, "b": 1.0}, False),
        ("a % 2 == 0 and a // 3 >= 1", {"a": 4}, True),
        ("a > 1 or b > 1", {"a": 0, "b": 2}, True),
        ("not a > 1", {"a": 2}, False),
        ("min(a, b, 9) == 2", {"a": 2, "b": 5}, True),
        ("max(a, b) - abs(a - b) <= 2", {"a": 2, "b": 5}, True),
        ("a ** 2 == 9", {"a": -3}, True),
        ("-a + +b == (a - b) * -1", {"a": 2, "b": 5}, True),
        ("a / b == 0.5", {"a": 1, "b": 2}, True),
        (" a >= 1e-5 ", {"a": 1e-5}, True),
        ("a == 1", {"a": True}, True),
        ("3 * a == 0.3", {"a": 0.1}, True),
        ("3 * a <= 0.3", {"a": 0.1}, True),
        ("3 * a < 0.3", {"a": 0.1}, False),
        ("a > 0", {"a": 1e-12}, True),
    ],
)
def test_a_constraint_means_what_it_says(text: str, params: dict[str, float], holds: bool) -> None:
    """Within the rounding of floats."""
    assert constraints.parse(text, NAMES).evaluate(params) is holds


def test_a_constraint_with_an_inactive_parameter_holds() -> None:
    """Even where the rest of it would not."""
    assert constraints.parse("a > 1 and b > 1", NAMES).evaluate({"a": 0})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 / a > 0", 0),
        ("a % 0 == 0", 1),
        ("a ** 0.5 > 0", -1),
        ("9 ** 9 ** a > 0", 9),
        ("a > 0", "text"),
        ("a > 0", None),
        ("1e308 * 10 ** a == 0", 400),
    ],
)
def test_what_has_no_meaning_does_not_hold(text: str, value: object) -> None:
    """Nothing is raised, and nothing is computed for minutes."""
    began = time.process_time()
    assert constraints.parse(text, NAMES).evaluate({"a": value}) is False  # type: ignore[dict-item]
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "not an expression"),
        ("a ==", "not an expression"),
        ("a = 1", "not an expression"),
        ("a == 1; b == 1", "not an expression"),
        ("a == 1\nb == 1", "not an expression"),
        ("\0", "not an expression"),
        ("(" * 400 + "a" + ")" * 400 + " > 1", "not an expression"),
        ("a", "no comparison"),
        ("a + b", "no comparison"),
        ("not a", "no comparison"),
        ("a == 1 or b", "no comparison"),
        ("a == b if c else a > 1", "no comparison"),
        ("(lambda: a == 1)()", "no comparison"),
        ("[a == 1]", "no comparison"),
        ("(x := a) == 1", "not allowed"),
        ("a in (1, 2)", "no comparison"),
        ("a is b", "no comparison"),
        ("a == 'x'", "`'x'` is not allowed"),
        ("a == True", "not allowed"),
        ("a == None", "not allowed"),
        ("a == 1j", "not allowed"),
        ("a == ...", "not allowed"),
        ("a == b'x'", "not allowed"),
        ("a == f'{b}'", "not allowed"),
        ("a == [1]", "not allowed"),
        ("a[0] == 1", "`a[0]` is not allowed"),
        ("a.real == 1", "not allowed"),
        ("a @ b == 1", "not allowed"),
        ("a << b == 1", "not allowed"),
        ("a & b == 1", "not allowed"),
        ("~a == 1", "not allowed"),
        ("(not a) == 1", "not allowed"),
        ("(a == 1) == (b == 1)", "not allowed"),
        ("(a and b) == 1", "not allowed"),
        ("print(a) == 1", "not allowed"),
        ("abs() == a", "not allowed"),
        ("abs(a, b) == 1", "not allowed"),
        ("min(a) == 1", "not allowed"),
        ("min(*a) == 1", "not allowed"),
        ("min(a, b, key=c) == 1", "not allowed"),
        ("a.__class__() == 1", "not allowed"),
        ("__import__('os').system('x') == a", "not allowed"),
        ("min == a", "not allowed"),
        ("learning_rate > 1", "learning_rate in 'learning_rate > 1' is no parameter"),
        ("a == z", "z in 'a == z' is no parameter"),
        ("1 < 2", "mentions no parameter"),
        ("a == " + "1+" * 600 + "1", "use at most 1000"),
        ("a == " + "-" * 90 + "1", "levels deep"),
        ("not " * 90 + "a > 1", "levels deep"),
    ],
)
def test_what_is_not_in_the_language_is_refused(text: str, word: str) -> None:
    """With a fault and its fix."""
    with pytest.raises(ValueError, match=r"; (use|write|split) ") as caught:
        constraints.parse(text, NAMES)
    assert word in str(caught.value)


def test_a_constraint_knows_what_it_is_about() -> None:
    """Its names, and whether equality must be met."""
    one = constraints.parse("max(batch, 1) * steps == 64", NAMES)
    assert (one.names, one.equality) == ({"batch", "steps"}, True)
    assert not constraints.parse("a < b", NAMES).equality
    assert constraints.parse("a < 1 and b == 2", NAMES).equality
    assert constraints.mentioned("foo * max(bar, 1) == 3") == {"foo", "bar"}


@pytest.mark.parametrize("double", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_constraint_can_be_copied(double: object) -> None:
    """Samplers are copied and sent between processes."""
    one = constraints.parse("a * b == 64", NAMES)
    other = double(one)  # type: ignore[operator]
    assert other == one
    assert other.evaluate({"a": 8, "b": 8})
    assert not other.evaluate({"a": 8, "b": 9})


@given(st.text(max_size=40) | st.text(alphabet="ab1.=<>!+-*/%()andort,[]'\\ ", max_size=40))
def test_any_text_is_a_constraint_or_refused(text: str) -> None:
    """And one that is read can be evaluated."""
    try:
        constraint = constraints.parse(text, NAMES)
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = "; none"
        assert constraint.evaluate({"a": 0, "b": 1.5, "c": -1, "batch": 2**40}) in (True, False)
    assert "; " in refusal
