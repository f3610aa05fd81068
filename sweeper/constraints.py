"""The language of `constraints:`: comparisons over parameters and numbers, read by a whitelist.

`+ - * / // % ** min max abs and or not` and comparisons; nothing is called, indexed or assigned.
A constraint that mentions an inactive parameter holds.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

Scalar = str | int | float | bool | None

#: The largest exponent that `**` is computed with: beyond it numbers grow without use.
_MAX_EXPONENT = 64.0
_MAX_LENGTH = 1000

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
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


@dataclass(frozen=True)
class Constraint:
    """A condition that every configuration must meet.

    Attributes:
        text: As it was written.
        names: Parameters that it mentions.
        equality: Whether it is a single `==`, which discrete parameters are enumerated for.
    """

    text: str
    names: frozenset[str]
    equality: bool
    _tree: ast.expr = field(repr=False, compare=False)

    def evaluate(self, params: Mapping[str, Scalar]) -> bool:
        """Tell whether `params` meet the condition; one with an inactive parameter holds.

        A comparison that has no meaning (a division by zero, text against a number) does not
        hold.
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
        ValueError: With a sentence that names what is not allowed.
    """
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"a constraint has at most {_MAX_LENGTH} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        raise ValueError(f"{text!r} is not an expression such as `batch * steps == 64`") from None
    if not _is_condition(tree):
        raise ValueError(f"{text!r} compares nothing; write for example `batch * steps == 64`")
    mentioned: set[str] = set()
    _check(tree, names, mentioned)
    if not mentioned:
        raise ValueError(f"{text!r} mentions no parameter")
    return Constraint(text.strip(), frozenset(mentioned), _is_equality(tree), tree)


def _is_condition(tree: ast.expr) -> bool:
    if isinstance(tree, ast.BoolOp):
        return all(_is_condition(each) for each in tree.values)
    if isinstance(tree, ast.UnaryOp):
        return isinstance(tree.op, ast.Not) and _is_condition(tree.operand)
    return isinstance(tree, ast.Compare)


def _is_equality(tree: ast.expr) -> bool:
    return isinstance(tree, ast.Compare) and [type(op) for op in tree.ops] == [ast.Eq]


def _check(node: ast.expr, names: Collection[str], mentioned: set[str]) -> None:
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise ValueError(f"{node.id!r} is not a parameter of the search space")
        mentioned.add(node.id)
    elif isinstance(node, ast.Constant):
        if not isinstance(node.value, (int, float, str, bool)):
            raise ValueError(f"{node.value!r} cannot stand in a constraint")
    else:
        for child in _children(node):
            _check(child, names, mentioned)


def _children(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub, ast.UAdd)):
        return [node.operand]
    if isinstance(node, ast.BinOp) and (type(node.op) in _BINARY or isinstance(node.op, ast.Pow)):
        return [node.left, node.right]
    if isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        least = 1 if node.func.id == "abs" else 2
        if node.func.id in _FUNCTIONS and len(node.args) >= least:
            return node.args
    raise ValueError(
        f"`{ast.unparse(node)}` is not allowed; a constraint knows + - * / // % **, min, max,"
        " abs, comparisons, and, or, not"
    )


def _value(node: ast.expr, params: Mapping[str, Scalar]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return params[node.id]
    if isinstance(node, ast.BoolOp):
        truths = (bool(_value(each, params)) for each in node.values)
        return all(truths) if isinstance(node.op, ast.And) else any(truths)
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, params)
        if isinstance(node.op, ast.Not):
            return not value
        return -value if isinstance(node.op, ast.USub) else +value
    if isinstance(node, ast.BinOp):
        return _binary(node, params)
    if isinstance(node, ast.Compare):
        return _compare(node, params)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _FUNCTIONS[node.func.id](*(_value(each, params) for each in node.args))
    raise TypeError(ast.dump(node))


def _binary(node: ast.BinOp, params: Mapping[str, Scalar]) -> Any:
    left, right = _value(node.left, params), _value(node.right, params)
    if isinstance(left, str) or isinstance(right, str):
        raise TypeError("text has no arithmetic here")
    if isinstance(node.op, ast.Pow):
        if abs(right) > _MAX_EXPONENT:
            raise OverflowError("exponent too large")
        return math.pow(left, right)
    return _BINARY[type(node.op)](left, right)


def _compare(node: ast.Compare, params: Mapping[str, Scalar]) -> bool:
    left = _value(node.left, params)
    for op, right_node in zip(node.ops, node.comparators, strict=True):
        right = _value(right_node, params)
        if not _holds(op, left, right):
            return False
        left = right
    return True


def _holds(op: ast.cmpop, left: Any, right: Any) -> bool:
    floats = isinstance(left, float) or isinstance(right, float)
    if floats and isinstance(op, (ast.Eq, ast.NotEq)) and not isinstance(left, str):
        # 0.1 * 3 == 0.3 is meant.
        close = math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
        return close if isinstance(op, ast.Eq) else not close
    return _COMPARE[type(op)](left, right)
