"""Reads a shell command line as far as the guard must: simple commands and what nests in them.

Standard library only and 3.9-clean. It knows no builtins and runs nothing; what it cannot read
raises ValueError, and the guard then looks at the whole text.
"""

from __future__ import annotations

import re

_BLANK = " \t\r"
_ENDS = frozenset(" \t\r\n;&|()<>")
_ANSI = re.compile(r"\\x([0-9a-fA-F]{1,2})|\\u([0-9a-fA-F]{1,4})|\\([0-7]{1,3})|\\(.)", re.DOTALL)
_HERE = re.compile(r"<<-?[ \t]*(['\"]?)(\w+)\1(?!<)")
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "a": "", "e": ""}


class Word:
    """One word of a command.

    Attributes:
        text: What it says without its quotes; expansions stand as they are written.
        literal: Whether the shell changes nothing in it (no expansion, no glob, no braces).
    """

    __slots__ = ("literal", "text")

    def __init__(self, text: str, literal: bool) -> None:
        self.text = text
        self.literal = literal


class Command:
    """One simple command.

    Attributes:
        words: Its words, redirections taken out.
        writes: Files that it writes to by redirection.
        fed: Text given on its stdin: here-documents and here-strings.
        piped: Whether its stdin is the output of the command before it.
    """

    __slots__ = ("fed", "piped", "words", "writes")

    def __init__(self, piped: bool) -> None:
        self.words: list[Word] = []
        self.writes: list[str] = []
        self.fed: list[str] = []
        self.piped = piped


class Line:
    """A command line.

    Attributes:
        commands: Its simple commands, in order.
        nested: Command lines inside substitutions; they run as well.
        alone: Whether it is one command and nothing else: no operator, no nesting, no file.
    """

    __slots__ = ("alone", "commands", "nested")

    def __init__(self, commands: list[Command], nested: list[str], alone: bool) -> None:
        self.commands = commands
        self.nested = nested
        self.alone = alone


def read(text: str) -> Line:
    """Read a command line.

    Raises:
        ValueError: A quote or a bracket is not closed.
    """
    return _Reader(text).line()


class _Reader:
    """Walks over the text once."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("\\\n", "")
        self._at = 0
        self._commands: list[Command] = []
        self._nested: list[str] = []
        self._current = Command(piped=False)
        self._alone = True
        self._pending: list[tuple[Command, str, bool]] = []

    def line(self) -> Line:
        while self._at < len(self._text):
            self._step()
        self._end(piped=False)
        alone = self._alone and len(self._commands) == 1 and not self._nested
        return Line(self._commands, self._nested, alone)

    def _step(self) -> None:
        char = self._text[self._at]
        if char in _BLANK:
            self._at += 1
        elif char == "#":
            self._at = self._find("\n", len(self._text))
        elif char == "\n":
            self._at += 1
            self._end(piped=False)
            self._here_documents()
        elif char in ";&|()":
            self._operator()
        elif char in "<>":
            self._redirection()
        else:
            self._add(self._word())

    def _add(self, word: Word) -> None:
        redirected = self._text[self._at : self._at + 1]
        if redirected and redirected in "<>" and word.literal and word.text.isdigit():
            return  # a file descriptor's number
        self._current.words.append(word)

    def _find(self, what: str, otherwise: int) -> int:
        found = self._text.find(what, self._at)
        return otherwise if found < 0 else found

    def _end(self, piped: bool) -> None:
        done = self._current
        if done.words or done.writes or done.fed:
            self._commands.append(done)
        self._current = Command(piped)

    def _operator(self) -> None:
        start = self._at
        if self._text.startswith("&>", start):
            self._at += 1
            self._redirection()
            return
        while self._at < len(self._text) and self._text[self._at] in ";&|":
            self._at += 1
        operator = self._text[start : self._at] or self._text[start]
        self._at = max(self._at, start + 1)
        self._alone = False
        self._end(piped=operator in ("|", "|&"))

    def _redirection(self) -> None:
        start = self._at
        while self._at < len(self._text) and self._text[self._at] in "<>|&-":
            if self._text[self._at] == "-" and not self._text.startswith("<<", start):
                break
            self._at += 1
            if self._text.startswith("(", self._at):
                self._nested.append(self._bracketed())
                return
        operator = self._text[start : self._at]
        while self._text[self._at : self._at + 1] in (" ", "\t"):
            self._at += 1
        quoted = self._text[self._at : self._at + 1] in ("'", '"', "\\")
        self._redirect(operator, self._word(), quoted)

    def _redirect(self, operator: str, target: Word, quoted: bool) -> None:
        if operator.startswith("<<<"):
            self._current.fed.append(target.text)
            self._alone = False
        elif operator.startswith("<<"):
            self._pending.append((self._current, target.text, quoted))
            self._alone = False
        elif operator.endswith("&") and (target.text.isdigit() or target.text == "-"):
            return  # 2>&1 moves nothing anywhere new
        elif ">" in operator:
            self._current.writes.append(target.text)
            self._alone = False
        else:
            self._alone = False

    def _here_documents(self) -> None:
        for command, end, quoted in self._pending:
            lines: list[str] = []
            while self._at < len(self._text):
                stop = self._find("\n", len(self._text))
                line = self._text[self._at : stop]
                self._at = stop + 1
                if line.strip("\t") == end:
                    break
                lines.append(line)
            body = "\n".join(lines)
            command.fed.append(body)
            if not quoted:
                self._nested += _substitutions(body)
        self._pending = []

    def _word(self) -> Word:
        parts: list[str] = []
        literal = True
        while self._at < len(self._text) and self._text[self._at] not in _ENDS:
            char = self._text[self._at]
            if char == "'":
                parts.append(self._single())
            elif char == '"':
                literal = self._double(parts) and literal
            elif char == "\\":
                parts.append(self._text[self._at + 1 : self._at + 2])
                self._at += 2
            elif char in "$`":
                literal = self._expansion(parts) and literal
            else:
                literal = literal and char not in "*?[]{}~"
                parts.append(char)
                self._at += 1
                if char == "=" and self._text.startswith("(", self._at):
                    parts.append(self._bracketed())
                    literal = False
        return Word("".join(parts), literal)

    def _single(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise ValueError("a quote is not closed")
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        return inside

    def _double(self, parts: list[str]) -> bool:
        literal = True
        self._at += 1
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == '"':
                self._at += 1
                return literal
            if char == "\\":
                parts.append(self._text[self._at + 1 : self._at + 2])
                self._at += 2
            elif char in "$`":
                literal = self._expansion(parts, quoted=True) and literal
            else:
                parts.append(char)
                self._at += 1
        raise ValueError("a quote is not closed")

    def _expansion(self, parts: list[str], quoted: bool = False) -> bool:
        """Take an expansion as it is written; return whether the shell leaves it alone."""
        start = self._at
        following = self._text[start + 1 : start + 2]
        if self._text[start] == "`":
            end = self._text.find("`", start + 1)
            if end < 0:
                raise ValueError("a backtick is not closed")
            self._nested.append(self._text[start + 1 : end])
            self._at = end + 1
        elif following == "'" and not quoted:
            self._at += 1
            parts.append(self._ansi())
            return True
        elif following == '"' and not quoted:
            self._at += 1
            return True
        elif following == "(":
            self._at += 1
            self._nested.append(self._bracketed())
        elif following == "{":
            self._at = self._text.find("}", start)
            if self._at < 0:
                raise ValueError("a brace is not closed")
            self._at += 1
            self._nested += _substitutions(self._text[start + 2 : self._at - 1])
        else:
            self._at += 1
            while self._text[self._at : self._at + 1].isidentifier():
                self._at += 1
        parts.append(self._text[start : self._at])
        return self._at == start + 1 and not (following and following in "@*#?$!-0123456789")

    def _ansi(self) -> str:
        end = self._at + 1
        while end < len(self._text) and self._text[end] != "'":
            end += 2 if self._text[end] == "\\" else 1
        if end >= len(self._text):
            raise ValueError("a quote is not closed")
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        return _ANSI.sub(_escaped, inside)

    def _bracketed(self) -> str:
        """Return what stands in the round brackets that open here, quotes respected."""
        start = self._at
        depth = 0
        ends: list[str] = []
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == "'":
                self._single()
                continue
            if char == '"':
                self._double([])
                continue
            here = _HERE.match(self._text, self._at)
            if here:
                ends.append(here[2])
                self._at = here.end()
                continue
            self._at += 2 if char == "\\" else 1
            if char == "\n" and ends:
                self._skip_bodies(ends)
                ends = []
            depth += {"(": 1, ")": -1}.get(char, 0)
            if depth == 0:
                return self._text[start + 1 : self._at - 1]
        raise ValueError("a bracket is not closed")

    def _skip_bodies(self, ends: list[str]) -> None:
        for end in ends:
            while self._at < len(self._text):
                stop = self._find("\n", len(self._text))
                line = self._text[self._at : stop]
                self._at = min(stop + 1, len(self._text))
                if line.strip("\t") == end:
                    break


def _escaped(match: re.Match[str]) -> str:
    wide = match[1] or match[2]
    if wide:
        return chr(int(wide, 16))
    return chr(int(match[3], 8)) if match[3] else _CONTROLS.get(match[4], match[4])


def _substitutions(text: str) -> list[str]:
    """Return the command lines that run inside a text whose quotes mean nothing."""
    if "$(" not in text and "`" not in text:
        return []
    try:
        reader = _Reader('"' + text.replace('"', "'") + '"')
        return reader.line().nested
    except ValueError:
        return [text]
