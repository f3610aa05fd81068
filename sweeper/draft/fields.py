"""Dataclasses as command lines: HfArgumentParser, TrlParser, tyro and their like."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from collections.abc import Mapping

from sweeper.draft import syntax
from sweeper.draft import trainers
from sweeper.draft.options import Kind
from sweeper.draft.options import Option
from sweeper.draft.options import kind_of
from sweeper.draft.options import usable
from sweeper.program import Scalar

#: Parsers that make `--name value` of every field, booleans included.
_PARSERS = frozenset({"HfArgumentParser", "TrlParser"})
#: Parsers that do so too, but make a flag without a value of a boolean.
_FLAG_PARSERS = frozenset({"cli", "parse", "wrap", "ArgumentParser", "add_arguments", "Parser"})
_FLAG_MODULES = frozenset({"tyro", "simple_parsing", "draccus", "jsonargparse", "pyrallis"})
_KINDS: Mapping[str, Kind] = {"int": "int", "float": "float", "bool": "bool", "str": "str"}


def parsed(tree: ast.Module) -> list[Option]:
    """Return the fields of the dataclasses that a parser makes arguments of."""
    classes = dataclasses(tree)
    imported = _imported(tree)
    found: list[Option] = []
    for call in syntax.calls(tree):
        strict = syntax.last_name(call.func) in _PARSERS
        if strict or (syntax.last_name(call.func) in _FLAG_PARSERS and imported & _FLAG_MODULES):
            for name in _named_classes(call, tree):
                found += [_field_option(o, strict) for o in _class_options(name, classes)]
    return list({option.name: option for option in found}.values())


def dataclasses(tree: ast.Module) -> dict[str, ast.ClassDef]:
    """Return the script's own dataclasses by name."""
    return {
        node.name: node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(syntax.last_name(decorator) == "dataclass" for decorator in node.decorator_list)
    }


def fields(node: ast.ClassDef) -> list[Option]:
    """Return a dataclass's own fields that hold one value each."""
    return [
        _field(statement)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    ]


def config_classes(tree: ast.Module) -> frozenset[str]:
    """Return the libraries' configuration classes that the script mentions."""
    names = {
        syntax.last_name(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
    }
    return trainers.KNOWN & names


def _imported(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def _named_classes(call: ast.Call, tree: ast.Module) -> Iterator[str]:
    """Yield the classes that a parser's call names, directly or through a variable."""
    for argument in (*call.args, *syntax.keywords(call).values()):
        if isinstance(argument, ast.Tuple | ast.List):
            yield from (syntax.last_name(element) for element in argument.elts)
        elif isinstance(argument, ast.Name):
            yield argument.id
            yield from _assigned_classes(argument.id, tree)
        elif isinstance(argument, ast.Attribute):
            yield argument.attr


def _assigned_classes(name: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
            and isinstance(node.value, ast.Tuple | ast.List)
        ):
            yield from (syntax.last_name(element) for element in node.value.elts)


def _class_options(name: str, classes: Mapping[str, ast.ClassDef]) -> list[Option]:
    """Return a class's options, those of its bases first; later ones replace them."""
    if name in trainers.FIELDS:
        return [
            Option(field, kind_of(default), default, flag=f"--{field}")
            for field, default in trainers.FIELDS[name].items()
        ]
    node = classes.get(name)
    if node is None:
        return []
    bases = [syntax.last_name(base) for base in node.bases]
    found = [option for base in bases if base != name for option in _class_options(base, classes)]
    own = {option.name: option for option in [*found, *fields(node)]}
    return list(own.values())


def _field(statement: ast.AnnAssign) -> Option:
    name = statement.target.id if isinstance(statement.target, ast.Name) else ""
    kind, choices, single = _annotation(statement.annotation)
    node, required = _default(statement.value)
    value = syntax.literal(node)
    default = value if isinstance(value, str | int | float) else None
    return Option(
        name=name,
        kind=kind if kind != "unknown" else kind_of(default),
        default=default,
        choices=choices,
        line=statement.lineno,
        flag=f"--{name}",
        required=required,
        obstacle=None if single and usable(name) else "it does not hold one plain value",
    )


def _field_option(option: Option, strict: bool) -> Option:
    """Return the option as a parser offers it; some make a flag of a boolean."""
    if strict or option.kind != "bool":
        return option
    return Option(
        option.name,
        "bool",
        option.default,
        line=option.line,
        flag=option.flag,
        obstacle="it is a flag without a value; a sweep passes `true` or `false` as a value",
        takes_value=False,
    )


def _default(node: ast.expr | None) -> tuple[ast.expr | None, bool]:
    """Return the expression of a field's default, and whether there is none."""
    if isinstance(node, ast.Call) and syntax.last_name(node) in ("field", "Field"):
        given = syntax.keywords(node)
        return given.get("default"), "default" not in given and "default_factory" not in given
    return node, node is None


def _annotation(node: ast.expr) -> tuple[Kind, tuple[Scalar, ...] | None, bool]:
    """Return a field's kind, its choices, and whether it holds one plain value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            node = ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return "unknown", None, False
    if isinstance(node, ast.BinOp):
        return _union([node.left, node.right])
    if isinstance(node, ast.Subscript):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        outer = syntax.last_name(node.value)
        if outer in ("Optional", "Union"):
            return _union(inner)
        if outer == "Literal":
            values = tuple(syntax.literal(each) for each in inner)
            plain = tuple(value for value in values if isinstance(value, str | int | float))
            return kind_of(plain[0]) if plain else "unknown", plain or None, True
        return "unknown", None, False
    kind = _KINDS.get(syntax.last_name(node), "unknown")
    return kind, None, kind != "unknown"


def _union(parts: list[ast.expr]) -> tuple[Kind, tuple[Scalar, ...] | None, bool]:
    named = [part for part in parts if not _is_none(part)]
    kinds = [_annotation(part) for part in named]
    return next((each for each in kinds if each[2]), ("unknown", None, False))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
