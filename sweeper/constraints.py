"""The language of `constraints:`: comparisons over parameters and numbers, read by a whitelist.

`+ - * / // % ** min max abs and or not` and comparisons; nothing is called, indexed or assigned.
A constraint that mentions an inactive parameter holds.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from sweeper.yaml12 import Scalar as Scalar

_MAX_LENGTH = 1000
_MAX_DEPTH = 60

_EXAMPLE = "write for example `batch * steps == 64`"
_WORDS = "use + - * / // % ** min max abs, comparisons, and, or, not"

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    # Floats: `9 ** 9 ** 9` overflows at once instead of filling the memory.
    ast.Pow: math.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {"min": min, "max": max, "abs": abs}


@dataclass(frozen=True, slots=True)
class Constraint:
    """A condition that every configuration must meet.

    Attributes:
        text: As it was written.
        names: Parameters that it mentions.
        equality: Whether a `==` stands in it, for which discrete parameters are enumerated.
    """

    text: str
    names: frozenset[str]
    equality: bool
    _tree: ast.expr = field(repr=False, compare=False)

    def evaluate(self, params: Mapping[str, Scalar]) -> bool:
        """Tell whether `params` meet the condition; one with an inactive parameter holds.

        What has no meaning (a division by zero, a text among numbers) does not hold.
        """
        if not self.names <= params.keys():
            return True
        try:
            return bool(_value(self._tree, params))
        except (ArithmeticError, TypeError, ValueError):
            return False


def parse(text: str, names: Collection[str]) -> Constraint:
    """Read one constraint over the parameters `names`.

    Raises:
        ValueError: With a sentence of a fault and its fix, and "; " between them.
    """
    tree = _checked(text)
    parameters = _mentioned(tree)
    if unknown := sorted(parameters - set(names)):
        raise ValueError(f"{unknown[0]} in {text!r} is no parameter; use {_listed(names)}")
    if not parameters:
        raise ValueError(f"{text!r} mentions no parameter; {_EXAMPLE}")
    equality = any(isinstance(node, ast.Eq) for node in ast.walk(tree))
    return Constraint(text.strip(), frozenset(parameters), equality, tree)


def mentioned(text: str) -> set[str]:
    """Return the names that a constraint is about, known or not.

    Raises:
        ValueError: As `parse`.
    """
    return _mentioned(_checked(text))


def _mentioned(tree: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - _FUNCTIONS.keys()


def _checked(text: str) -> ast.expr:
    tree = _parsed(text)
    _check_condition(tree, text)
    return tree


def _listed(names: Collection[str]) -> str:
    return ", ".join(list(names)[:8]) or "the names in the search space"


def _parsed(text: str) -> ast.expr:
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"it has {len(text)} characters; use at most {_MAX_LENGTH}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `1if` and the like: the whitelist judges
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        raise ValueError(f"{text!r} is not an expression; {_EXAMPLE}") from None


def _check_condition(node: ast.expr, text: str, depth: int = 0) -> None:
    """Refuse what is neither a comparison nor `and`, `or`, `not` of some."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"it is more than {_MAX_DEPTH} levels deep; split it into several")
    if isinstance(node, ast.BoolOp):
        for part in node.values:
            _check_condition(part, text, depth + 1)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        _check_condition(node.operand, text, depth + 1)
    elif isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
        for part in (node.left, *node.comparators):
            _check_number(part, text, depth + 1)
    else:
        raise ValueError(f"{_source(node, text)} is no comparison; {_EXAMPLE}")


def _check_number(node: ast.expr, text: str, depth: int) -> None:
    """Refuse what is no arithmetic over parameters and numbers."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"it is more than {_MAX_DEPTH} levels deep; split it into several")
    if isinstance(node, ast.Name) and node.id not in _FUNCTIONS:
        return
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return
    for part in _operands(node, text):
        _check_number(part, text, depth + 1)


def _operands(node: ast.expr, text: str) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return [node.operand]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id == "abs" and len(node.args) == 1:
            return node.args
        if node.func.id in ("min", "max") and len(node.args) >= 2:
            return node.args
    raise ValueError(f"{_source(node, text)} is not allowed; {_WORDS}")


def _source(node: ast.expr, text: str) -> str:
    return f"`{ast.get_source_segment(text.strip(), node) or text}`"


def _value(node: ast.expr, params: Mapping[str, Scalar]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return _number(params[node.id])
        case ast.BinOp():
            left, right = _value(node.left, params), _value(node.right, params)
            return _BINARY[type(node.op)](left, right)
        case ast.UnaryOp():
            return _UNARY[type(node.op)](_value(node.operand, params))
        case ast.Call(func=ast.Name(id=function)):
            return _FUNCTIONS[function](*(_value(part, params) for part in node.args))
        case ast.BoolOp():
            truths = (_value(part, params) for part in node.values)
            return all(truths) if isinstance(node.op, ast.And) else any(truths)
        case ast.Compare():
            return _compare(node, params)
    raise TypeError(ast.dump(node))


def _number(value: Scalar) -> int | float:
    if isinstance(value, int | float):
        return value
    raise TypeError(f"{value!r} is no number")


def _compare(node: ast.Compare, params: Mapping[str, Scalar]) -> bool:
    left = _value(node.left, params)
    for op, right_node in zip(node.ops, node.comparators, strict=True):
        right = _value(right_node, params)
        if not _holds(op, left, right):
            return False
        left = right
    return True


def _holds(op: ast.cmpop, left: Any, right: Any) -> bool:
    if isinstance(left, float) or isinstance(right, float):
        # 0.1 * 3 == 0.3 and 0.1 * 3 <= 0.3 are meant.
        close = math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-15)
        if close:
            return isinstance(op, ast.Eq | ast.LtE | ast.GtE)
    return _COMPARE[type(op)](left, right)
