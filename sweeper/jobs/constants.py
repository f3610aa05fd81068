"""Parameters as top-level constants: the shipped copy of a script says `NAME = <value>`.

Only the values change; every other character of the script, comments included, stays in place.
"""

from __future__ import annotations

import ast
import difflib
import io
import math
import tokenize
from collections.abc import Iterator
from collections.abc import Mapping

from sweeper.errors import ScriptError
from sweeper.program import Scalar

_PARTS = (
    ast.Constant,
    ast.UnaryOp,
    ast.BinOp,
    ast.operator,
    ast.unaryop,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.expr_context,
)


def replaced(source: bytes, params: Mapping[str, Scalar], name: str) -> bytes:
    """Return a script with its constants set to `params`.

    Args:
        source: The script as it lies in its file.
        params: New values by the constants' names.
        name: How errors call the script.

    Raises:
        ScriptError: The script is no Python, or has no such constant at its top level.
    """
    tree, encoding = _parsed(source, name)
    found = dict(_literals(tree))
    for missing in params.keys() - found.keys():
        raise _missing(missing, sorted(found), name)
    text = source.decode(encoding).encode()  # ast counts columns in bytes of UTF-8
    lines = text.splitlines(keepends=True)
    places = [(_place(lines, node), params[key]) for key in params for node in found[key]]
    for (start, end), value in sorted(places, key=lambda each: each[0], reverse=True):
        text = text[:start] + _spelled(value).encode() + text[end:]
    return text.decode().encode(encoding)


def _parsed(source: bytes, name: str) -> tuple[ast.Module, str]:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return ast.parse(source, name), encoding
    except SyntaxError as error:
        raise ScriptError(f"{name} is not valid Python: {error.msg}", line=error.lineno) from error
    except ValueError as error:
        raise ScriptError(f"{name} is not valid Python: {error}") from error


def _literals(tree: ast.Module) -> Iterator[tuple[str, list[ast.expr]]]:
    """Yield each constant that is assigned at the top level, with the values it is assigned."""
    found: dict[str, list[ast.expr]] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets, value = [statement.target], statement.value
        else:
            continue
        if len(targets) == 1 and isinstance(targets[0], ast.Name) and _literal(value):
            found.setdefault(targets[0].id, []).append(value)
    yield from found.items()


def _literal(value: ast.expr) -> bool:
    """Whether a value is written out, arithmetic such as `2**16` included."""
    return all(isinstance(node, _PARTS) for node in ast.walk(value))


def _spelled(value: Scalar) -> str:
    """Return a value as Python reads it; infinity has no literal of its own."""
    endless = isinstance(value, float) and not math.isfinite(value)
    return f"float({str(value)!r})" if endless else repr(value)


def _place(lines: list[bytes], node: ast.expr) -> tuple[int, int]:
    """Return where a value begins and ends, in bytes."""
    end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
    before = sum(map(len, lines[: node.lineno - 1]))
    until = sum(map(len, lines[: end_line - 1]))
    return before + node.col_offset, until + end_column


def _missing(constant: str, found: list[str], name: str) -> ScriptError:
    near = difflib.get_close_matches(constant, found, n=1, cutoff=0.6)
    known = ", ".join(found[:12]) or "none"
    hint = f"Did you mean {near[0]}?" if near else f"Its constants are: {known}."
    return ScriptError(
        f"{name} has no top-level constant {constant} that is set to a literal",
        key=constant,
        hint=hint,
    )
