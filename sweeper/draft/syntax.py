"""Reads Python without running it: the tree of a script, and the values written out in it."""

from __future__ import annotations

import ast
import io
import operator
import tokenize
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sweeper.errors import ScriptError


class _Unknown:
    """Stands for a value that only running the script would tell."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()

_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
#: Larger powers are nobody's hyperparameter, and could take all memory.
_LARGEST_EXPONENT, _LARGEST_BASE = 64, 1e6


def parse(path: Path) -> ast.Module:
    """Return the tree of a script.

    Raises:
        ScriptError: There is no such file, or it is no Python; with the line.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ScriptError(
            f"The script {path} cannot be read: {error.strerror}.",
            key="script",
            hint="Name a Python file: `sweeper init --script train.py`.",
        ) from error
    try:
        text = source.decode(tokenize.detect_encoding(io.BytesIO(source).readline)[0])
        with warnings.catch_warnings():
            # an unknown escape in somebody's string is not ours to complain about
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise _unreadable(path, source, error) from error


def _unreadable(path: Path, source: bytes, error: Exception) -> ScriptError:
    line, said = 1, str(error)
    if isinstance(error, SyntaxError):
        line, said = error.lineno or 1, error.msg
    elif isinstance(error, UnicodeDecodeError):
        line, said = source.count(b"\n", 0, error.start) + 1, "bytes that are not UTF-8"
    return ScriptError(
        f"{path.name} is not valid Python: {said}, line {line}.",
        line=line,
        key="script",
        hint="Correct that line; the draft is read from the script's text.",
    )


def literal(node: ast.expr | None, known: Mapping[str, object] | None = None) -> object:
    """Return the value that an expression writes out, or UNKNOWN.

    Args:
        node: Numbers, texts, lists and arithmetic on them.
        known: Values of names.
    """
    if node is None:
        return UNKNOWN
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return (known or {}).get(node.id, UNKNOWN)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = literal(node.operand, known)
        return -value if isinstance(value, int | float) else UNKNOWN
    if isinstance(node, ast.BinOp):
        return _computed(node, known)
    if isinstance(node, ast.Tuple | ast.List):
        values = tuple(literal(element, known) for element in node.elts)
        return UNKNOWN if any(value is UNKNOWN for value in values) else values
    return UNKNOWN


def _computed(node: ast.BinOp, known: Mapping[str, object] | None) -> object:
    left, right = literal(node.left, known), literal(node.right, known)
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        return UNKNOWN
    if isinstance(node.op, ast.Pow):
        small = 0 < left <= _LARGEST_BASE and abs(right) <= _LARGEST_EXPONENT
        return left**right if small else UNKNOWN
    compute = _ARITHMETIC.get(type(node.op))
    if compute is None or (right == 0 and not isinstance(node.op, ast.Add | ast.Sub | ast.Mult)):
        return UNKNOWN
    return compute(left, right)


def dotted(node: ast.expr) -> str:
    """Return `a.b.c` as text, "" for anything that is not such a chain of names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        front = dotted(node.value)
        return f"{front}.{node.attr}" if front else f".{node.attr}"
    return ""


def last_name(node: ast.expr) -> str:
    """Return the last name of `a.b.c`, or of what `a.b.c[...]` and `a.b.c(...)` begin with."""
    if isinstance(node, ast.Subscript):
        return last_name(node.value)
    if isinstance(node, ast.Call):
        return last_name(node.func)
    return dotted(node).rpartition(".")[2]


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield every call, in the order of the text."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    yield from sorted(found, key=lambda call: (call.lineno, call.col_offset))


def keywords(call: ast.Call) -> dict[str, ast.expr]:
    """Return a call's named arguments."""
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def constants(tree: ast.Module) -> dict[str, tuple[object, int]]:
    """Return the names that the top level sets to a written-out value, with value and line."""
    found: dict[str, tuple[object, int]] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target, value = statement.target, statement.value
        else:
            continue
        plain = literal(value)
        if isinstance(target, ast.Name) and plain is not UNKNOWN:
            found[target.id] = (plain, statement.lineno)
    return found
