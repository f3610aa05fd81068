"""YAML 1.2 with lines: the core schema, and refusal of what a block must not do."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper import yaml12
from sweeper.errors import ProgramError


def plain(text: str) -> object:
    """The value of one document, without its lines."""
    return yaml12.parse(text, 1).plain()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5e+3", -500.0),
        ("12", 12),
        ("+12", 12),
        ("-0", 0),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("yes", "yes"),
        ("off", "off"),
        ("y", "y"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("0b11", "0b11"),
        ("e5", "e5"),
        ("1e", "1e"),
        ("tRUE", "tRUE"),
        ("'1e-5'", "1e-5"),
        ('"true"', "true"),
        ("'~'", "~"),
        ("٣", "٣"),
        ("me/sweep-*", "me/sweep-*"),
    ],
)
def test_a_scalar_is_what_the_core_schema_says(written: str, value: object) -> None:
    """Of that type, too: 1 is not true."""
    found = plain(f"key: {written}")
    assert found == {"key": value}
    assert isinstance(found, dict)
    assert type(found["key"]) is type(value)


@pytest.mark.parametrize("written", [".nan", ".NaN", ".NAN"])
def test_not_a_number_is_read_as_such(written: str) -> None:
    """Who reads it must refuse it."""
    found = plain(written)
    assert isinstance(found, float)
    assert math.isnan(found)


def test_a_scalar_remembers_how_it_was_written() -> None:
    """A version 3.10 is not 3.1."""
    node = yaml12.parse("[3.10, true, 1e-5, null, 'x']", 1)
    assert node.plain(as_text=True) == ["3.10", "true", "1e-5", None, "x"]


PAGE = """\
# a comment
metric: loss

args: [
  --model,
  {a: b}
]
space:
  lr:
    low: 1
  text: >
    folded
    lines
last: 3
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("metric",), 12),
        (("args",), 14),
        (("args", 0), 15),
        (("args", 1), 16),
        (("args", 1, "a"), 16),
        (("args", 7), 14),
        (("space", "lr", "low"), 20),
        (("space", "lr", "high"), 19),
        (("last",), 24),
        (("nothing",), 12),
    ],
)
def test_every_value_knows_its_line(path: tuple[str | int, ...], line: int) -> None:
    """That of its key; what is missing has the line of what it is missing from."""
    assert yaml12.parse(PAGE, 11).line_of(*path) == line


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a: 1\nb: 2\na: 3", 12, "a stands twice, in lines 10 and 12"),
        ("a: {b: 1,\n b: 2}", 11, "b stands twice"),
        ("a: &x 1", 10, "anchor &x"),
        ("a: &x [1]", 10, "anchor &x"),
        ("a: *x", 10, "alias *x"),
        ("a: 1\n<<: {b: 1}", 11, "merge key"),
        ("a: !!int 3", 10, "tag"),
        ("a: !x {b: 1}", 10, "tag !x"),
        ("a: ! x", 10, "tag !"),
        ("a: 1\n---\nb: 2", 11, "second YAML document"),
        ("a: 1\n...\n---\nb: 2", 12, "second YAML document"),
        ("%YAML 1.1\n---\na: 1", 10, "directives"),
        ("%TAG ! tag:x:\n---\na: 1", 10, "directives"),
        ("a:\n\tb: 1", 11, "not YAML"),
        ("a: 1\nb: c: d", 11, "not YAML"),
        ("a: 1\nb: 'x\nc: 2\n", 11, "not YAML"),
        ("a: [1, 2\n", 10, "not YAML"),
        ("a: 1\n- b", 11, "not YAML"),
        ("a: 1\n b: 2", 11, "not YAML"),
        ("a: @x", 10, "not YAML"),
        ("a: 'b' c", 10, "not YAML"),
        ("a: 1\n{b: 1}: 2", 11, "a key is expected"),
        ("a: 1\n? [x]\n: 2", 11, "a key is expected"),
        ("1: a", 10, "1 stands where a key"),
        ("true: a", 10, "true stands where a key"),
        ("? \n: a", 10, "Nothing stands where a key"),
        ('a: 1\nb: "\\UFFFFFFFF"', 10, "escape"),
        ('a: 1\nb: "\\ud800"', 11, "cannot be passed on"),
        ('a: "\\0"', 10, "cannot be passed on"),
        ("a: 1\nb: \x07", 11, "does not belong in YAML"),
        ("a: 1\n# x\u2028b: 2", 11, "does not belong in YAML"),
        ("a: " + "9" * 5000, 10, "is a number of 5000 characters"),
        ("a:\n " + "[" * 5000, 11, "deep in each other"),
        ("a: 1\n" + "\n".join(" " * n + "k:" for n in range(60)), 27, "deep in each other"),
    ],
)
def test_what_a_block_must_not_do_is_refused_with_its_line(
    text: str, line: int, word: str
) -> None:
    """And with a way out."""
    with pytest.raises(ProgramError) as caught:
        yaml12.parse(text, 10)
    assert caught.value.line == line
    assert word in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a:\n\tb: 1", "tabs"),
        ("a: b: c", "`: `"),
        ("a: 'x", "quotation mark"),
        ("a: [1", "bracket"),
        ("a: [*]", "begins with *"),
        ("{x}: 1", '"{output_dir}"'),
    ],
)
def test_the_hint_fits_the_mistake(text: str, word: str) -> None:
    """The usual ones, at least."""
    with pytest.raises(ProgramError) as caught:
        yaml12.parse(text, 1)
    assert word in (caught.value.hint or "")


def test_an_alias_bomb_does_not_go_off() -> None:
    """It is refused at its first anchor."""
    bomb = "a: &a [x, x]\n" + "".join(
        f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abc", "bcd", strict=True)
    )
    began = time.process_time()
    with pytest.raises(ProgramError, match="anchor"):
        yaml12.parse(bomb, 1)
    assert time.process_time() - began < 1


def test_a_block_beyond_all_reason_is_not_read() -> None:
    """It would take minutes."""
    with pytest.raises(ProgramError, match="64 KiB"):
        yaml12.parse("a: 1\n" * 20_000, 1)


def test_an_empty_block_is_a_null() -> None:
    """Also one of comments only."""
    assert plain("") is None
    assert plain("# nothing\n\n") is None


@given(st.text(max_size=60) | st.text(alphabet="a1:-{}[]&*!|>'\"%@`#,?\n \t\\", max_size=60))
def test_any_text_is_read_or_refused_with_a_line_of_the_block(text: str) -> None:
    """Never anything else."""
    error = None
    try:
        yaml12.parse(text, 100)
    except ProgramError as caught:
        error = caught
    if error is not None:
        assert error.line is not None
        assert 100 <= error.line <= 100 + text.count("\n")
        assert error.hint
