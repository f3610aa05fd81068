"""The page: which block is ours, and what would make one be passed over."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper import page
from sweeper.errors import ProgramError

NAMES = ("Goal", "Scope", "Budget envelope")


def blocks(text: str) -> dict[str, object]:
    """The content of our blocks."""
    return {name: block.values for name, block in page.read_blocks(text, NAMES).items()}


@pytest.mark.parametrize(
    "text",
    [
        "## Goal\n```yaml\na: 1\n```\n",
        "Prose.\n\n## Goal\n\nMore prose.\n\n```yaml\na: 1\n```\n\nAnd more.",
        "## Goal ##\n```yml\na: 1\n```",
        "##  goal  \n``` YAML linenos\na: 1\n```",
        "##\tGoal\n~~~yaml\na: 1\n~~~~~",
        "## Goal\n````yaml\na: 1\n````",
        "## Goal\n  ```yaml\n  a: 1\n  ```",
        "## Goal\n```text\n## Goal\n```\n```yaml\na: 1\n```",
        "## Goal\n### Details\n```yaml\na: 1\n```",
        "````markdown\n## Goal\n```yaml\na: 2\n```\n````\n## Goal\n```yaml\na: 1\n```",
        "## Notes\n```yaml\na: 2\n```\n## Goal\n```yaml\na: 1\n```\n## More\n```yaml\nb: 3\n```",
        "# Goal\nprose\n## Goal\n```yaml\na: 1\n```\n# Appendix\n```yaml\na: 2\n```",
        "## Goal\n```python\nx = 1\n```\n```yaml\na: 1\n```",
    ],
)
def test_the_block_under_a_heading_is_found(text: str) -> None:
    """However the page is written around it."""
    assert blocks(text) == {"Goal": {"a": 1}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "## Goal\nprose only",
        "```yaml\na: 1\n```",
        "````text\n## Goal\n```yaml\na: 1\n```\n````",
        "## Training data\n```yaml\na: 1\n```",
        "## Goal\nprose\n# Other\n```yaml\na: 1\n```",
    ],
)
def test_other_blocks_are_prose(text: str) -> None:
    """They are neither read nor checked."""
    assert blocks(text) == {}


def test_an_empty_block_is_a_block() -> None:
    """It says nothing; who reads it says what is missing."""
    assert blocks("## Goal\n```yaml\n```") == {"Goal": {}}


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        (
            "## Goal\n```yaml\na: 1\n```\n```yaml\nb: 1\n```",
            5,
            "two yaml blocks, in lines 2 and 5",
        ),
        ("## Goal\n\n## Scope\n## Goal\n```yaml\na: 1\n```", 4, "twice, in lines 1 and 4"),
        ("## Goal\n```yaml\na: 1\n\n## Scope\n```yaml\nb: 1\n```", 5, "inside the fence"),
        ("## Goal\n```yaml\na: 1\n", 2, "never closed"),
        ("## Notes\n~~~\nx\n```\n", 2, "never closed"),
        ("## Goal\n```\na: 1\n```", 2, "not marked as yaml"),
        ("## Goal\n```json\n{}\n```", 2, "not marked as yaml"),
        ("## Goal\n```yaml\n- a\n- b\n```", 3, "not a map"),
        ("## Goal\n```yaml\n\nhello\n```", 4, "not a map"),
        ("x\n## Goals\n```yaml\na: 1\n```", 2, "not a heading of ours"),
        ("## Budget\n```yaml\na: 1\n```", 1, "not a heading of ours"),
        ("## Budget envelop\n```yaml\na: 1\n```", 1, "not a heading of ours"),
        ("### Goal\n```yaml\na: 1\n```", 1, "not a heading of ours"),
        ("##Goal\n```yaml\na: 1\n```", 1, "not a heading of ours"),
        (" ## Goal\n```yaml\na: 1\n```", 1, "not a heading of ours"),
        ("# Goal\n```yaml\na: 1\n```", 1, "not a heading of ours"),
    ],
)
def test_a_block_that_would_be_passed_over_is_refused(text: str, line: int, word: str) -> None:
    """A limit that is not read does not bind."""
    with pytest.raises(ProgramError) as caught:
        page.read_blocks(text, NAMES)
    assert caught.value.line == line
    assert word in caught.value.message
    assert caught.value.hint


def test_lines_are_those_of_the_file() -> None:
    """Not of the block."""
    text = "title\n\n## Goal\nprose\n```yaml\na: 1\nb: [2,\n 3]\n```"
    block = page.read_blocks(text, NAMES)["Goal"]
    assert (block.line, block.line_of("a"), block.line_of("b", 1)) == (5, 6, 8)
    assert block.line_of("nothing") == 5


@pytest.mark.parametrize(
    ("text", "sentence", "line"),
    [
        ("x", "There is no `## Goal` with a ```yaml block.", None),
        ("x\n## Goal\nprose", "`## Goal` has no ```yaml block.", 2),
        (
            "```text\n## Goal\n```",
            "`## Goal` stands inside the fence that opens in line 1, where it does not count.",
            2,
        ),
    ],
)
def test_why_a_block_is_absent(text: str, sentence: str, line: int | None) -> None:
    """The nearest reason, with its line."""
    assert page.why_absent(text, "Goal") == (sentence, line)


@pytest.mark.parametrize(
    "content",
    [b"a\nb\n", b"\xef\xbb\xbfa\nb\n", b"a\r\nb\r\n", b"a\rb\r"],
)
def test_marks_and_line_ends_do_not_matter(content: bytes) -> None:
    """A page may come from any editor."""
    assert page.decode(content) == "a\nb\n"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"\xff\xfea\x00", 1),
        (b"a\nb\nc\xe4d", 3),
        (b"\xef\xbb\xbfa\r\nb\r\nc\xe4", 3),
        ("ä\nö\n".encode() + b"\x80", 3),
        (b"a\n\xc3", 2),
    ],
)
def test_bytes_that_are_not_utf8_are_named_with_their_line(content: bytes, line: int) -> None:
    """Latin-1 and UTF-16 are the usual ones."""
    with pytest.raises(ProgramError, match="is not UTF-8") as caught:
        page.decode(content)
    assert caught.value.line == line


def test_a_file_beyond_all_reason_is_not_read(tmp_path: Path) -> None:
    """Nor is one that is no file."""
    (tmp_path / "big.md").write_bytes(b"x" * (page.MAX_BYTES + 1))
    with pytest.raises(ProgramError, match="1024 KiB"):
        page.read_bytes(tmp_path / "big.md")
    with pytest.raises(ProgramError, match="cannot be read"):
        page.read_bytes(tmp_path)
    with pytest.raises(ProgramError, match=r"There is no none\.md"):
        page.read_bytes(tmp_path / "none.md")


LINES = st.sampled_from(
    [
        *("## Goal", "# Goal", "## Scope", "## Other", "```yaml", "```", "````", "~~~", "a: 1"),
        *("x", "", "  ```yaml", "##Goal", "b: [", "## Budget", "\t", "---", "&x *y"),
    ]
)


@given(st.lists(LINES, max_size=25))
def test_any_page_is_read_or_refused_with_a_line(lines: list[str]) -> None:
    """Never anything else."""
    error, found = None, {}
    try:
        found = page.read_blocks("\n".join(lines), NAMES)
    except ProgramError as caught:
        error = caught
    assert set(found) <= set(NAMES)
    if error is not None:
        assert error.line is not None
        assert 1 <= error.line <= len(lines)


def test_a_page_of_many_marks_is_read_in_linear_time() -> None:
    """A megabyte of spaces or hashes is no attack."""
    for line in ("## a" + " " * 300_000 + "b", "#" * 300_000, "```" + " " * 300_000 + "`x"):
        assert blocks(line) == {}
