"""YAML 1.2, read so that every value knows its line.

PyYAML supplies the events; which scalar is what is decided here, by the core schema
(https://yaml.org/spec/1.2.2/#103-core-schema): `1e-5` is a number, `no` and `1_000` are texts.
Anchors, aliases, merge keys, tags and second documents are refused, so no block can grow when it
is read.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING

import yaml

from sweeper.errors import ProgramError

if TYPE_CHECKING:
    from yaml._yaml import Mark as CMark

Scalar = str | int | float | bool | None
Plain = Scalar | list["Plain"] | dict[str, "Plain"]

#: Characters of one YAML block; PyYAML reads about a hundred thousand a second.
MAX_BLOCK = 64 * 1024
#: Lists and maps within each other.
MAX_DEPTH = 16
#: Characters of a number.
MAX_DIGITS = 64

_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}

#: What PyYAML's complaints usually come from.
_HINTS = {
    r"'\t'": "Use spaces instead of tabs.",
    "mapping values are not allowed": "Put a text that contains `: ` into quotes.",
    "cannot start any token": "Put a text that begins with this character into quotes.",
    "could not find expected ':'": "Write `key: value`, with a colon and a space.",
    "unexpected end of stream": "Close the quotation mark.",
    "expected ',' or": "Close the bracket, and put commas between its entries.",
    "expected <block end>": "Indent the keys of one map alike, and close every bracket.",
    "expected alphabetic or numeric": "Put a text that begins with * or & into quotes.",
    "escape": "Use single quotes, in which a backslash is only a backslash.",
    "": "Put a text that holds `{`, `[`, `: `, `#`, `%` or `@` into quotes.",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML block and where it stands.

    Attributes:
        line: Line of the file, counted from 1; for the value of a key, the line of the key.
        value: A scalar, the nodes of a list, or the nodes of a map by key.
        text: A scalar as it was written, without quotes; for lists and maps, "".
    """

    line: int
    value: Scalar | list[Node] | dict[str, Node]
    text: str = ""

    def plain(self, *, as_text: bool = False) -> Plain:
        """Return the value without its lines.

        Args:
            as_text: Take numbers and booleans as they were written: 3.10 is "3.10".
        """
        if isinstance(self.value, list):
            return [node.plain(as_text=as_text) for node in self.value]
        if isinstance(self.value, dict):
            return {key: node.plain(as_text=as_text) for key, node in self.value.items()}
        return self.text if as_text and self.value is not None else self.value

    def line_of(self, *path: str | int) -> int:
        """Return the line of the innermost part of `path` that exists."""
        node = self
        for part in path:
            inner = node._inner(part)
            if inner is None:
                break
            node = inner
        return node.line

    def _inner(self, part: str | int) -> Node | None:
        if isinstance(self.value, dict):
            return self.value.get(str(part))
        if isinstance(self.value, list) and isinstance(part, int) and part < len(self.value):
            return self.value[part]
        return None


def parse(text: str, first_line: int) -> Node:
    """Read one YAML 1.2 document.

    Args:
        text: The block, without its fences.
        first_line: Line of the file on which it begins.

    Returns:
        The document; of an empty block, a null.

    Raises:
        ProgramError: With the line, and with the key where there is one.
    """
    if len(text) > MAX_BLOCK:
        raise ProgramError(
            f"The block is larger than {MAX_BLOCK // 1024} KiB.",
            line=first_line,
            hint="Keep data in files of their own.",
        )
    return _Reader(text, first_line).document()


class _Reader:
    """Builds nodes from PyYAML's events."""

    def __init__(self, text: str, first_line: int) -> None:
        self._text = text
        self._first_line = first_line
        self._line_ends = [match.start() for match in re.finditer("\n", text)]
        self._refuse_separators()
        self._events = self._guarded(yaml.parse(text, Loader=yaml.SafeLoader))

    def document(self) -> Node:
        root = Node(self._first_line, None)
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                self._check_start(event, documents)
                root = self._node(next(self._events), 0)
        return root

    def _guarded(self, events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
        """Pass the events on and translate PyYAML's errors at the border."""
        try:
            yield from events
        except yaml.reader.ReaderError as error:
            raise ProgramError(
                f"The character {_visible(error.character)} does not belong in YAML.",
                line=self._line(error.position),
                hint="Delete it; it is invisible.",
            ) from error
        except yaml.MarkedYAMLError as error:
            raise self._unreadable(error) from error
        except (ValueError, OverflowError) as error:  # an escape beyond the last character
            raise ProgramError(
                "The block has an escape that is no character.",
                line=self._first_line,
                hint=_HINTS["escape"],
            ) from error

    def _unreadable(self, error: yaml.MarkedYAMLError) -> ProgramError:
        problem = error.problem or error.context or "it cannot be read"
        mark = error.problem_mark or error.context_mark
        hint = next((text for part, text in _HINTS.items() if part in problem), _HINTS[""])
        if "unexpected end" in problem and error.context_mark:
            mark = error.context_mark  # where the quotation opened
        return ProgramError(f"The block is not YAML: {problem}.", line=self._at(mark), hint=hint)

    def _line(self, index: int) -> int:
        return self._first_line + bisect_right(self._line_ends, index - 1)

    def _at(self, mark: yaml.Mark | CMark | None) -> int:
        if mark is None:
            return self._first_line
        # What is missed at the end of the block would otherwise stand on the closing fence.
        return self._line(min(mark.index, max(len(self._text) - 1, 0)))

    def _refuse_separators(self) -> None:
        # YAML 1.1, which PyYAML reads, breaks lines there; 1.2 and every editor do not.
        if found := re.search("[\x85\u2028\u2029]", self._text):
            raise ProgramError(
                f"The line separator {found[0]!r} does not belong in YAML.",
                line=self._line(found.start()),
                hint="Delete it; it is invisible.",
            )

    def _check_start(self, event: yaml.DocumentStartEvent, count: int) -> None:
        if count > 1:
            raise ProgramError(
                "A second YAML document begins here.",
                line=self._at(event.start_mark),
                hint="Remove the line `---`; a block is one document.",
            )
        if event.tags or event.version not in (None, (1, 2)):
            raise ProgramError(
                "A block is YAML 1.2 without directives.",
                line=self._first_line,
                hint="Remove the lines that begin with %.",
            )

    def _node(self, event: yaml.Event, depth: int) -> Node:
        if isinstance(event, yaml.NodeEvent):
            self._check(event, depth)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._at(event.start_mark), self._entries(depth))
        return Node(self._at(event.start_mark), self._pairs(depth))

    def _check(self, event: yaml.NodeEvent, depth: int) -> None:
        line = self._at(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            raise ProgramError(
                f"The alias *{event.anchor} is not read here.",
                line=line,
                hint="Write the value out, or put a text that begins with * into quotes.",
            )
        if event.anchor:
            raise ProgramError(
                f"The anchor &{event.anchor} is not read here.",
                line=line,
                hint="Write the value out, or put a text that begins with & into quotes.",
            )
        if tag := getattr(event, "tag", None):
            raise ProgramError(
                f"The tag {tag} is not read here.",
                line=line,
                hint="Remove it, or put a text that begins with ! into quotes.",
            )
        if depth > MAX_DEPTH:
            raise ProgramError(
                f"Lists and maps stand more than {MAX_DEPTH} deep in each other.",
                line=line,
                hint="Close the brackets.",
            )

    def _entries(self, depth: int) -> list[Node]:
        nodes = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            nodes.append(self._node(event, depth + 1))
        return nodes

    def _pairs(self, depth: int) -> dict[str, Node]:
        pairs: dict[str, Node] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            name = self._key(key, event, pairs)
            pairs[name] = replace(self._node(next(self._events), depth + 1), line=key.line)
        return pairs

    def _key(self, key: Node, event: yaml.Event, pairs: dict[str, Node]) -> str:
        if not isinstance(key.value, str):
            written = "A list or a map" if isinstance(key.value, list | dict) else key.text
            raise ProgramError(
                f"{written or 'Nothing'} stands where a key is expected.",
                line=key.line,
                hint='A key is a name; put a text like "{output_dir}" into quotes.',
            )
        if key.value == "<<" and not getattr(event, "style", None):
            raise ProgramError(
                "The merge key << is not read here.", line=key.line, hint="Write the keys out."
            )
        if key.value in pairs:
            raise ProgramError(
                f"{key.value} stands twice, in lines {pairs[key.value].line} and {key.line}.",
                line=key.line,
                key=key.value,
                hint="Keep one of them.",
            )
        return key.value

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        line, text = self._at(event.start_mark), event.value
        if unfit := re.search("[\0\ud800-\udfff]", text):
            raise ProgramError(
                f"The character {unfit[0]!r} cannot be passed on.",
                line=line,
                hint=_HINTS["escape"],
            )
        return Node(line, text if event.style else resolve(text, line), text)


def resolve(text: str, line: int) -> Scalar:
    """Return what an unquoted text is by the core schema of YAML 1.2.

    Raises:
        ProgramError: It is a number of more digits than anything here can mean.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", "").lower())
    readers = ((_INT, int), (_OCTAL, _of_octal), (_HEX, _of_hex), (_FLOAT, float))
    for pattern, read in readers:
        if pattern.fullmatch(text):
            if len(text) > MAX_DIGITS:
                raise ProgramError(
                    f"{text[:12]}… is a number of {len(text)} characters.",
                    line=line,
                    hint="Write it shorter, such as 1e-5.",
                )
            return read(text)
    return text


def _of_octal(text: str) -> int:
    return int(text, 8)


def _of_hex(text: str) -> int:
    return int(text, 16)


def _visible(character: int | str | bytes) -> str:
    return ascii(chr(character) if isinstance(character, int) else character)
