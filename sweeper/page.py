"""The page that people write: markdown with one fenced YAML block under each heading of ours.

Headings count at the start of a line and outside fences. The YAML is that of the 1.2 core schema
(`1e-5` is a number, `no` and `1_000` are text); anchors, aliases, merge keys, tags and second
documents are refused, so that a page means what it looks like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from sweeper.errors import ProgramError

#: The longest page that is read, in bytes.
MAX_BYTES = 1 << 20
#: How deep a block may nest lists and maps.
MAX_DEPTH = 12

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([^`\s]*)")
_HEADING = re.compile(r"##[ \t]+(.*?)[ \t#]*$")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL_HEX = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)\Z")
_NAN = frozenset((".nan", ".NaN", ".NAN"))
#: More digits than any setting needs; Python refuses to convert 4,301 of them.
_MAX_DIGITS = 400


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block, read.

    Attributes:
        heading: The heading above it.
        line: Line of the opening fence, from 1.
        values: Its content as plain data.
        lines: Path of keys and indices -> line on which that key or item stands.
    """

    heading: str
    line: int
    values: dict[str, Plain]
    lines: dict[tuple[str | int, ...], int]

    def line_of(self, path: Iterable[str | int]) -> int:
        """Return the line of the innermost known part of `path`."""
        parts = tuple(path)
        while parts and parts not in self.lines:
            parts = parts[:-1]
        return self.lines.get(parts, self.line)


def read_text(path: Path) -> str:
    """Return a page's text.

    Raises:
        ProgramError: The file is absent, too large or not UTF-8 (with the line of the byte).
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ProgramError(
            f"There is no {path.name} in {path.parent}.",
            hint="`sweeper init --script train.py` drafts one.",
        ) from None
    except OSError as error:
        raise ProgramError(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_BYTES:
        raise ProgramError(
            f"{path.name} has {len(data):,} bytes; at most {MAX_BYTES:,} are read.",
            hint="Keep data and notes in files of their own.",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProgramError(
            f"{path.name} is not UTF-8: byte 0x{data[error.start]:02x} cannot be read.",
            line=data.count(b"\n", 0, error.start) + 1,
            hint="Save the file as UTF-8.",
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_blocks(text: str, headings: Iterable[str]) -> dict[str, Block]:
    """Return the block under each of `headings` that the page has.

    Raises:
        ProgramError: With the line: two blocks or headings of one name, a heading swallowed by
            an open fence, or YAML that is wrong.
    """
    known = {heading.casefold(): heading for heading in headings}
    blocks: dict[str, Block] = {}
    seen: dict[str, int] = {}
    for heading, heading_line, fences in _sections(text):
        name = known.get(heading.casefold())
        if name is None:
            continue
        if name in seen:
            raise ProgramError(
                f"`## {name}` stands twice, in lines {seen[name]} and {heading_line}.",
                line=heading_line,
                key=name,
                hint="Keep one of them.",
            )
        seen[name] = heading_line
        ours = [fence for fence in fences if fence.language.casefold() in ("yaml", "yml")]
        if len(ours) > 1:
            raise ProgramError(
                f"`## {name}` has two yaml blocks, in lines {ours[0].line} and {ours[1].line}.",
                line=ours[1].line,
                key=name,
                hint="Put everything into one block; examples can be fenced as ```text.",
            )
        if ours:
            _refuse_swallowed_heading(ours[0], known)
            blocks[name] = _block(name, ours[0])
        elif fences:
            raise ProgramError(
                f"The block under `## {name}` is not marked as yaml.",
                line=fences[0].line,
                key=name,
                hint="Open it with ```yaml.",
            )
    return blocks


@dataclass(slots=True)
class _Fence:
    line: int
    language: str
    body: list[str]


def _sections(text: str) -> Iterator[tuple[str, int, list[_Fence]]]:
    """Yield (heading, its line, the fences below it) for every `##` heading."""
    heading, heading_line, fences = "", 0, list[_Fence]()
    fence: _Fence | None = None
    mark = ""
    for number, line in enumerate(text.split("\n"), start=1):
        opened = _FENCE.match(line)
        if fence is not None:
            closes = opened and opened[1][0] == mark[0] and len(opened[1]) >= len(mark)
            if closes and opened is not None and not line.strip().strip(mark[0]):
                fence = None
            else:
                fence.body.append(line)
        elif opened:
            mark, fence = opened[1], _Fence(number, opened[2], [])
            fences.append(fence)
        elif found := _HEADING.match(line):
            yield heading, heading_line, fences
            heading, heading_line, fences = found[1], number, []
    if fence is not None:
        raise ProgramError(
            f"The fence that opens in line {fence.line} is never closed.",
            line=fence.line,
            hint=f"Close it with {mark}.",
        )
    yield heading, heading_line, fences


def _refuse_swallowed_heading(fence: _Fence, known: dict[str, str]) -> None:
    for offset, line in enumerate(fence.body, start=1):
        found = _HEADING.match(line)
        if found and found[1].casefold() in known:
            raise ProgramError(
                f"The heading `## {found[1]}` stands inside the fence that opens in line"
                f" {fence.line}.",
                line=fence.line + offset,
                key=found[1],
                hint="Close the fence above the heading.",
            )


def _block(heading: str, fence: _Fence) -> Block:
    text = "\n".join(fence.body)
    try:
        _refuse_surprises(text, fence.line)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ProgramError(
            f"The block under `## {heading}` is not YAML: {error.problem or error.context}.",
            line=fence.line + 1 + (mark.line if mark else 0),
            hint="Quote text that holds `{`, `[`, `: `, `#`, `%` or `@`.",
        ) from None
    except yaml.YAMLError as error:
        raise ProgramError(
            f"The block under `## {heading}` holds a character that YAML does not allow.",
            line=fence.line + 1 + text.count("\n", 0, getattr(error, "position", 0)),
            hint="Remove control characters.",
        ) from None
    lines: dict[tuple[str | int, ...], int] = {}
    values = {} if node is None else _plain(node, (), lines, fence.line + 1)
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ProgramError(
            f"The block under `## {heading}` must be a map of `key: value` lines.",
            line=fence.line + 1,
            key=heading,
            hint="Write one `key: value` a line.",
        )
    return Block(heading, fence.line, values, lines)


def _refuse_surprises(text: str, fence_line: int) -> None:
    depth, documents = 0, 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = fence_line + 1 + event.start_mark.line
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise ProgramError(
                    "A block holds one document; `---` begins a second.",
                    line=line,
                    hint="Remove the `---`.",
                )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ProgramError(f"A block nests at most {MAX_DEPTH} levels.", line=line)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ProgramError(
                "Anchors and aliases (`&name`, `*name`) are not read.",
                line=line,
                hint="Write the value out, or quote text that begins with & or *.",
            )
        if getattr(event, "tag", None) is not None:
            raise ProgramError(
                f"The tag {event.tag!r} is not read.",
                line=line,
                hint="Remove it, or quote text that begins with !.",
            )


def _plain(
    node: yaml.Node,
    path: tuple[str | int, ...],
    lines: dict[tuple[str | int, ...], int],
    first: int,
) -> Plain:
    lines.setdefault(path, first + node.start_mark.line)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each, (*path, n), lines, first) for n, each in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines, first)
    return _scalar(node, first)


def _mapping(
    node: yaml.MappingNode,
    path: tuple[str | int, ...],
    lines: dict[tuple[str | int, ...], int],
    first: int,
) -> dict[str, Plain]:
    values: dict[str, Plain] = {}
    for key_node, value_node in node.value:
        line = first + key_node.start_mark.line
        key = _key(key_node, line, first)
        if key in values:
            raise ProgramError(
                f"{key} stands twice, in lines {lines[(*path, key)]} and {line}.",
                line=line,
                key=key,
                hint="Keep one of them.",
            )
        lines[(*path, key)] = line
        values[key] = _plain(value_node, (*path, key), lines, first)
    return values


def _key(node: yaml.Node, line: int, first: int) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise ProgramError(
            "A key must be a word, not a list or a map.",
            line=line,
            hint='Quote text in braces: "{output_dir}".',
        )
    if node.value == "<<" and node.style is None:
        raise ProgramError("Merge keys (`<<`) are not read.", line=line, hint="Write them out.")
    value = _scalar(node, first)
    # `when: {flag: {true: …}}` and the like: keys are always text here.
    return value if isinstance(value, str) else node.value


def _scalar(node: yaml.Node, first: int) -> Plain:
    text: str = node.value
    if node.style is not None:
        return text
    if text in _NULL:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if len(text) > _MAX_DIGITS and (_INTEGER.match(text) or _OCTAL_HEX.match(text)):
        raise ProgramError(
            f"A number of {len(text)} digits is more than any setting needs.",
            line=first + node.start_mark.line,
        )
    if _INTEGER.match(text):
        return int(text)
    if _OCTAL_HEX.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        return float(text)
    if found := _INFINITE.match(text):
        return float(f"{found[1]}inf")
    return float("nan") if text in _NAN else text
