"""The page that people write: Markdown with one fenced YAML block under each heading of ours.

Headings count at the start of a line and outside fences. What stands in the blocks is read by
`yaml12.py`; everything else is prose.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sweeper import yaml12
from sweeper.errors import ProgramError
from sweeper.yaml12 import Node
from sweeper.yaml12 import Plain

#: The longest page that is read, in bytes.
MAX_BYTES = 1 << 20

_FENCE = re.compile(r"(?P<indent> {0,3})(?P<mark>`{3,}(?=[^`]*$)|~{3,})")
#: Also finds what was meant as a heading: indented, or without the space.
_HEADING = re.compile(r"(?P<indent> {0,3})(?P<marks>#{1,6})(?!#)(?P<space>[ \t]?)")
#: Likeness of a heading that is taken for a misspelt one of ours.
_LIKENESS = 0.8


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading, or what looks like one.

    Attributes:
        title: Its text, in lower case, with single spaces.
        line: Line of the file, counted from 1.
        written: The line as it stands.
        level: Number of its marks; 0 where it is indented or lacks the space, so does not count.
    """

    title: str
    line: int
    written: str
    level: int


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block.

    Attributes:
        section: The `##` heading that it belongs to, or None.
        above: The last heading of any kind above it, or None.
        language: First word behind the opening fence, in lower case.
        line: Line of the opening fence.
        body: Its lines.
    """

    section: Heading | None
    above: Heading | None
    language: str
    line: int
    body: list[str]

    @property
    def is_yaml(self) -> bool:
        """Whether it is marked as YAML."""
        return self.language in ("yaml", "yml")


@dataclass(frozen=True, slots=True)
class Block:
    """The YAML block under one heading of ours.

    Attributes:
        heading: The heading's title.
        line: Line of the opening fence.
        nodes: The values by key, with their lines.
    """

    heading: str
    line: int
    nodes: dict[str, Node]

    @property
    def values(self) -> dict[str, Plain]:
        """The content without its lines."""
        return {key: node.plain() for key, node in self.nodes.items()}

    def line_of(self, *path: str | int) -> int:
        """Return the line of the innermost part of `path` that exists."""
        node = self.nodes.get(str(path[0])) if path else None
        return self.line if node is None else node.line_of(*path[1:])


def read_bytes(path: Path) -> bytes:
    """Return a page's bytes.

    Raises:
        ProgramError: There is no such file, it cannot be read, or it is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ProgramError(
            f"There is no {path.name} in {path.absolute().parent}.",
            hint="`sweeper init --script train.py` drafts one.",
        ) from None
    except (OSError, ValueError) as error:
        raise ProgramError(
            f"It cannot be read: {getattr(error, 'strerror', None) or error}.",
            hint="Check its name and its permissions.",
        ) from error
    if len(content) > MAX_BYTES:
        raise ProgramError(
            f"It is larger than {MAX_BYTES // 1024} KiB.",
            hint="Keep data and logs in files of their own.",
        )
    return content


def decode(content: bytes) -> str:
    """Return a page's text with plain line ends and without a byte order mark.

    Raises:
        ProgramError: It is not UTF-8; with the line of the first such byte.
    """
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProgramError(
            f"The byte 0x{content[error.start]:02x} is not UTF-8.",
            line=_plain_ends(content[: error.start].decode("utf-8")).count("\n") + 1,
            hint="Save the file as UTF-8.",
        ) from error
    return _plain_ends(text)


def _plain_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_blocks(text: str, names: Collection[str]) -> dict[str, Block]:
    """Return the block under each heading that the page has.

    Args:
        text: The page.
        names: Titles of our headings; letter case does not matter on the page.

    Raises:
        ProgramError: With the line: a heading or block that stands twice, is swallowed by a
            fence or misspelt, or YAML that is wrong.
    """
    headings, fences = _outline(text)
    blocks: dict[str, Block] = {}
    for name in names:
        fence = _fence_of(name, headings, fences)
        if fence is not None:
            _refuse_swallowed(fence, names)
            blocks[name] = Block(name, fence.line, _nodes(name, fence))
    for name in names:
        if name not in blocks:
            _refuse_misspelt(name, names, fences)
    return blocks


def _outline(text: str) -> tuple[list[Heading], list[Fence]]:
    headings: list[Heading] = []
    fences: list[Fence] = []
    section: Heading | None = None
    lines = enumerate(text.split("\n"), start=1)
    for number, line in lines:
        if opening := _FENCE.match(line):
            above = headings[-1] if headings else None
            language = "".join(line[opening.end() :].lower().split(maxsplit=1)[:1])
            body = _body(lines, opening, number)
            fences.append(Fence(section, above, language, number, body))
        elif heading := _heading(line, number):
            headings.append(heading)
            if heading.level in (1, 2):
                section = heading if heading.level == 2 else None
    return headings, fences


def _heading(line: str, number: int) -> Heading | None:
    found = _HEADING.match(line)
    words = line[found.end() :].casefold().split() if found else []
    if found is None or not words:
        return None
    if len(words) > 1 and not words[-1].strip("#"):
        words.pop()
    counts = found["space"] and not found["indent"]
    return Heading(" ".join(words), number, line.strip(), len(found["marks"]) if counts else 0)


def _body(lines: Iterator[tuple[int, str]], opening: re.Match[str], number: int) -> list[str]:
    mark, indent = opening["mark"], len(opening["indent"])
    closing = re.compile(rf" {{0,3}}{mark[0]}{{{len(mark)},}}[ \t]*$")
    body: list[str] = []
    for _, line in lines:
        if closing.match(line):
            return body
        body.append(line[min(indent, len(line) - len(line.lstrip(" "))) :])
    raise ProgramError(
        f"The fence that opens in line {number} is never closed.",
        line=number,
        hint=f"Close it with {mark}.",
    )


def _fence_of(name: str, headings: list[Heading], fences: list[Fence]) -> Fence | None:
    ours = [each for each in headings if each.level == 2 and each.title == name.casefold()]
    if len(ours) > 1:
        raise ProgramError(
            f"`## {name}` stands twice, in lines {ours[0].line} and {ours[1].line}.",
            line=ours[1].line,
            key=name,
            hint="Keep one of them.",
        )
    below = [fence for fence in fences if ours and fence.section == ours[0]]
    blocks = [fence for fence in below if fence.is_yaml]
    if len(blocks) > 1:
        raise ProgramError(
            f"`## {name}` has two yaml blocks, in lines {blocks[0].line} and {blocks[1].line}.",
            line=blocks[1].line,
            key=name,
            hint="Put everything into one block; an example can be fenced as ```text.",
        )
    if below and not blocks:
        raise ProgramError(
            f"The block under `## {name}` is not marked as yaml.",
            line=below[0].line,
            key=name,
            hint="Open it with ```yaml.",
        )
    return blocks[0] if blocks else None


def _refuse_swallowed(fence: Fence, names: Collection[str]) -> None:
    titles = {name.casefold() for name in names}
    for number, line in enumerate(fence.body, start=fence.line + 1):
        heading = _heading(line, number)
        if heading and heading.level == 2 and heading.title in titles:
            raise ProgramError(
                f"`{heading.written}` stands inside the fence that opens in line {fence.line}.",
                line=number,
                key=heading.title,
                hint="Close the fence above the heading.",
            )


def _refuse_misspelt(name: str, names: Collection[str], fences: list[Fence]) -> None:
    """Refuse a YAML block whose heading is nearly ours: what it says would be passed over."""
    taken = {each.casefold() for each in names} - {name.casefold()}
    for fence in fences:
        above = fence.above
        if above and fence.is_yaml and above.title not in taken and _alike(above.title, name):
            raise ProgramError(
                f"`{above.written}` is not a heading of ours, and a yaml block stands under it.",
                line=above.line,
                key=name,
                hint=f"Did you mean `## {name}`, at the start of the line?",
            )


def _alike(title: str, name: str) -> bool:
    wanted, title = name.casefold(), title[:80]
    part = set(title.split()) <= set(wanted.split())
    return part or difflib.SequenceMatcher(None, title, wanted).ratio() >= _LIKENESS


def why_absent(text: str, name: str) -> tuple[str, int | None]:
    """Say why a page has no block of ours, and on which line; None where nothing is near."""
    headings, fences = _outline(text)
    for fence in fences:
        for number, line in enumerate(fence.body, start=fence.line + 1):
            heading = _heading(line, number)
            if heading and heading.level == 2 and heading.title == name.casefold():
                where = f"the fence that opens in line {fence.line}"
                return f"`## {name}` stands inside {where}, where it does not count.", number
    for heading in headings:
        if heading.level == 2 and heading.title == name.casefold():
            return f"`## {name}` has no ```yaml block.", heading.line
    return f"There is no `## {name}` with a ```yaml block.", None


def _nodes(name: str, fence: Fence) -> dict[str, Node]:
    root = yaml12.parse("\n".join(fence.body), fence.line + 1)
    if root.value is None:
        return {}
    if not isinstance(root.value, dict):
        raise ProgramError(
            f"The block under `## {name}` is not a map.",
            line=root.line,
            key=name,
            hint="Write one `key: value` a line.",
        )
    return root.value
