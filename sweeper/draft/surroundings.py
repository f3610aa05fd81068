"""What a script takes from around it: environment variables, SWEEPER_PARAMS, its own constants."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from sweeper.draft import fields
from sweeper.draft import ranges
from sweeper.draft import syntax
from sweeper.draft.options import Kind
from sweeper.draft.options import Option
from sweeper.draft.options import kind_of
from sweeper.draft.options import usable
from sweeper.program import Scalar

#: The variable that holds all parameters as one JSON document.
PARAMS = "SWEEPER_PARAMS"
#: Prefixes of variables that configure the machine, a service or us; never a hyperparameter.
_FOREIGN = ("SWEEPER_", "HF_", "CUDA", "NCCL", "OMP_", "MKL_", "WANDB", "TOKENIZERS_", "TORCH")
_PLAIN: Mapping[str, Kind] = {"float": "float", "int": "int", "str": "str"}


def environment(tree: ast.Module) -> list[Option]:
    """Return the environment variables that the script reads."""
    found: dict[str, Option] = {}
    for node, kind in _with_kinds(tree):
        read = _variable(node)
        if read is not None and not read[0].startswith(_FOREIGN):
            name, default = read
            found.setdefault(name, _option(name, kind, _as_number(default), node.lineno))
    return list(found.values())


def document(tree: ast.Module) -> list[Option]:
    """Return the parameters that the script takes out of SWEEPER_PARAMS."""
    holders, found = _holders(tree), dict[str, Option]()
    if not reads_document(tree):
        return []
    for option in [*_merged(tree, holders), *_spread(tree, holders)]:
        found.setdefault(option.name, option)
    for node, kind in _with_kinds(tree):
        read = _entry(node, holders)
        if read is not None:
            found.setdefault(read[0], _option(read[0], kind, read[1], node.lineno))
    return list(found.values())


def reads_document(tree: ast.AST) -> bool:
    """Tell whether SWEEPER_PARAMS is mentioned."""
    return any(isinstance(n, ast.Constant) and n.value == PARAMS for n in ast.walk(tree))


def constants(tree: ast.Module) -> list[Option]:
    """Return the top level's CAPITAL constants, and small ones with a hyperparameter's name."""
    return [
        _option(name, "unknown", value, line)
        for name, (value, line) in syntax.constants(tree).items()
        if isinstance(value, str | int | float) and (name.isupper() or ranges.knows(name))
    ]


def _option(name: str, kind: Kind, default: Scalar, line: int) -> Option:
    value = _converted(default, kind)
    return Option(
        name,
        kind if kind != "unknown" else kind_of(value),
        value,
        line=line,
        obstacle=None if usable(name) else f"a parameter cannot be called {name}",
    )


def _as_number(text: Scalar) -> Scalar:
    """Return a variable's default as the number that it spells; variables are texts."""
    for number in (int, float):
        try:
            return number(text) if isinstance(text, str) else text
        except ValueError:
            continue
    return text


def _converted(default: Scalar, kind: Kind) -> Scalar:
    """Return a default as the script's own conversion makes it."""
    try:
        if kind == "float" and isinstance(default, str | int):
            return float(default)
        if kind == "int" and isinstance(default, str):
            return int(default)
    except ValueError:
        return None
    return default


def _with_kinds(tree: ast.Module) -> Iterator[tuple[ast.expr, Kind]]:
    """Yield every expression with the conversion that is put around it, wrapped ones first."""
    expressions = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    for node in expressions:
        if isinstance(node, ast.Call) and len(node.args) == 1:
            kind = _PLAIN.get(syntax.dotted(node.func))
            if kind is not None:
                yield node.args[0], kind
    yield from ((node, "unknown") for node in expressions)


def _variable(node: ast.expr) -> tuple[str, Scalar] | None:
    """Return name and default if an expression reads an environment variable."""
    if isinstance(node, ast.Call) and node.args:
        if syntax.dotted(node.func) not in (
            "os.environ.get",
            "os.getenv",
            "environ.get",
            "getenv",
        ):
            return None
        name = syntax.literal(node.args[0])
        default = syntax.literal(node.args[1]) if len(node.args) > 1 else None
    elif isinstance(node, ast.Subscript) and syntax.dotted(node.value) in (
        "os.environ",
        "environ",
    ):
        name, default = syntax.literal(node.slice), None
    else:
        return None
    return (name, _plain(default)) if isinstance(name, str) else None


def _plain(value: object) -> Scalar:
    return value if isinstance(value, str | int | float) else None


def _holders(tree: ast.Module) -> set[str]:
    """Return the names of variables that hold the parameters."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr)
        and node.value is not None
        and reads_document(node.value)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    } | set(_updated(tree))


def _updated(tree: ast.Module) -> Iterator[str]:
    """Yield `config` of `config.update(json.loads(os.environ["SWEEPER_PARAMS"]))`."""
    for call in syntax.calls(tree):
        if (
            isinstance(call.func, ast.Attribute)
            and call.func.attr == "update"
            and any(reads_document(argument) for argument in call.args)
        ):
            yield syntax.last_name(call.func.value)


def _entry(node: ast.expr, holders: set[str]) -> tuple[str, Scalar] | None:
    """Return name and default if an expression looks a parameter up."""
    if isinstance(node, ast.Subscript) and _holds(node.value, holders):
        name, default = syntax.literal(node.slice), None
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("get", "pop")
        and _holds(node.func.value, holders)
        and node.args
    ):
        name = syntax.literal(node.args[0])
        default = syntax.literal(node.args[1]) if len(node.args) > 1 else None
    else:
        return None
    return (name, _plain(default)) if isinstance(name, str) and name != PARAMS else None


def _holds(node: ast.expr, holders: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in holders
    # json.loads(os.environ["SWEEPER_PARAMS"])["lr"], but not os.environ["SWEEPER_PARAMS"] itself
    return isinstance(node, ast.Call) and reads_document(node)


def _merged(tree: ast.Module, holders: set[str]) -> Iterator[Option]:
    """Yield the entries of dicts of defaults that the parameters are laid over."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        mentions = {syntax.last_name(target) for target in node.targets} & holders
        used = _used_beside(tree, node)
        if mentions or used or reads_document(node.value):
            for each in ast.walk(node.value):
                if isinstance(each, ast.Dict):
                    yield from _entries(each)


def _used_beside(tree: ast.Module, assignment: ast.Assign) -> bool:
    """Tell whether a name is mentioned in an expression that reads the parameters."""
    names = {target.id for target in assignment.targets if isinstance(target, ast.Name)}
    return any(
        isinstance(node, ast.Assign)
        and reads_document(node.value)
        and any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node.value))
        for node in ast.walk(tree)
    )


def _entries(node: ast.Dict) -> Iterator[Option]:
    for key, value in zip(node.keys, node.values, strict=True):
        name = syntax.literal(key)
        default = syntax.literal(value)
        if isinstance(name, str) and isinstance(default, str | int | float):
            yield _option(name, "unknown", default, value.lineno)


def _spread(tree: ast.Module, holders: set[str]) -> Iterator[Option]:
    """Yield the fields of a dataclass that is made as `Config(**params)`."""
    classes = fields.dataclasses(tree)
    for call in syntax.calls(tree):
        node = classes.get(syntax.last_name(call.func))
        if node is not None and _spreads(call.keywords, holders):
            yield from (dataclasses.replace(option, flag=None) for option in fields.fields(node))


def _spreads(keywords: Iterable[ast.keyword], holders: set[str]) -> bool:
    return any(each.arg is None and _holds(each.value, holders) for each in keywords)
