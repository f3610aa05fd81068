"""The command line of a script: what argparse, click and typer are told to accept."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from collections.abc import Mapping

from sweeper.draft import syntax
from sweeper.draft.options import Kind
from sweeper.draft.options import Option
from sweeper.draft.options import kind_of
from sweeper.draft.options import usable
from sweeper.program import Scalar

_TYPES: Mapping[str, Kind] = {
    "int": "int",
    "float": "float",
    "str": "str",
    "INT": "int",
    "FLOAT": "float",
    "STRING": "str",
    "IntRange": "int",
    "FloatRange": "float",
}
_FLAG_ACTIONS = frozenset({"store_true", "store_false", "store_const", "count"})
_LIST_ACTIONS = frozenset({"append", "extend", "append_const"})
_NOT_FOR_VALUES = frozenset({"help", "version"})


def find(tree: ast.Module) -> list[Option]:
    """Return what the script's own command line accepts, in the order of the text."""
    known = {name: value for name, (value, _) in syntax.constants(tree).items()}
    return [*_argparse(tree, known), *_click(tree, known), *_typer(tree, known)]


def ignores_unknown(tree: ast.Module) -> bool:
    """Tell whether the script silently drops arguments that it does not know."""
    return any(syntax.last_name(call.func) == "parse_known_args" for call in syntax.calls(tree))


def _argparse(tree: ast.Module, known: Mapping[str, object]) -> Iterator[Option]:
    for call in syntax.calls(tree):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument":
            option = _argument(call, known)
            if option is not None:
                yield option


def _argument(call: ast.Call, known: Mapping[str, object]) -> Option | None:
    flags, given = _flags(call), syntax.keywords(call)
    action = _action(given.get("action"))
    if not flags or action in _NOT_FOR_VALUES:
        return None
    default, choices = _scalar(given.get("default"), known), _choices(given.get("choices"), known)
    flag = _best(flags)
    obstacle = (
        _spelling(flags)
        or _action_obstacle(action)
        or _type_obstacle(given, default, choices)
        or _nargs_obstacle(given.get("nargs"))
    )
    return Option(
        name=_name(flag),
        kind=_kind(given.get("type"), default, choices),
        default=default,
        choices=choices,
        line=call.lineno,
        flag=flag,
        required=_true(given.get("required")) or not flag.startswith("-"),
        obstacle=obstacle,
        takes_value=not (action in _FLAG_ACTIONS or action == "BooleanOptionalAction"),
    )


def _flags(call: ast.Call) -> list[str]:
    values = [syntax.literal(argument) for argument in call.args]
    return [value for value in values if isinstance(value, str)]


def _best(flags: list[str]) -> str:
    """Return the spelling that a parameter can have, else the longest one."""
    for flag in flags:
        if flag.startswith("--") and usable(flag[2:]):
            return flag
    return max(flags, key=len)


def _name(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


def _spelling(flags: list[str]) -> str | None:
    flag = _best(flags)
    if flag.startswith("--") and usable(flag[2:]):
        return None
    if not flag.startswith("-"):
        return "it is positional; make it an option such as `--" + flag + "`"
    wanted = "--" + _name(flag)
    if not usable(_name(flag)):
        return f"a parameter cannot be called {_name(flag)}"
    return f"parameters are passed as `{wanted}`; give it that spelling beside `{flag}`"


def _action(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return syntax.last_name(node) if node is not None else "store"


def _action_obstacle(action: str) -> str | None:
    if action in _FLAG_ACTIONS or action == "BooleanOptionalAction":
        return "it is a flag without a value; a sweep passes `true` or `false` as a value"
    return "it collects a list" if action in _LIST_ACTIONS else None


def _type_obstacle(
    given: Mapping[str, ast.expr], default: Scalar, choices: tuple[Scalar, ...] | None
) -> str | None:
    kind = given.get("type")
    if kind is None:
        numeric = kind_of(default) in ("int", "float", "bool") or (
            choices is not None and any(not isinstance(choice, str) for choice in choices)
        )
        return "it has no `type`, so a given value stays text" if numeric else None
    if syntax.dotted(kind) == "bool":
        return "`type=bool` takes every text for true, also `false`"
    return None


def _nargs_obstacle(node: ast.expr | None) -> str | None:
    nargs = syntax.literal(node) if node is not None else None
    return None if nargs in (None, "?") else "it takes a list"


def _kind(node: ast.expr | None, default: Scalar, choices: tuple[Scalar, ...] | None) -> Kind:
    named = _TYPES.get(syntax.last_name(node), "unknown") if node is not None else "unknown"
    if named != "unknown":
        return named
    if default is not None:
        return kind_of(default)
    return kind_of(choices[0]) if choices else named


def _scalar(node: ast.expr | None, known: Mapping[str, object]) -> Scalar:
    value = syntax.literal(node, known)
    return value if isinstance(value, str | int | float) else None


def _choices(node: ast.expr | None, known: Mapping[str, object]) -> tuple[Scalar, ...] | None:
    values = syntax.literal(node, known)
    if not isinstance(values, tuple) or not values:
        return None
    plain = tuple(value for value in values if isinstance(value, str | int | float))
    return plain if len(plain) == len(values) else None


def _true(node: ast.expr | None) -> bool:
    return node is not None and syntax.literal(node) is True


def _click(tree: ast.Module, known: Mapping[str, object]) -> Iterator[Option]:
    for call in syntax.calls(tree):
        if syntax.dotted(call.func) in ("click.option", "click.argument"):
            flags = _flags(call)
            if flags:
                yield _click_option(call, flags, known)


def _click_option(call: ast.Call, flags: list[str], known: Mapping[str, object]) -> Option:
    given = syntax.keywords(call)
    default, kind = _scalar(given.get("default"), known), given.get("type")
    choices = None
    if isinstance(kind, ast.Call) and syntax.last_name(kind) == "Choice":
        choices = _choices(kind.args[0], known) if kind.args else None
        kind = None
    flag = _best([flag for flag in flags if flag.startswith("-")] or flags)
    is_flag = "/" in flag or _true(given.get("is_flag"))
    flag = flag.partition("/")[0]
    return Option(
        name=_name(flag),
        kind=_click_kind(kind, default, choices),
        default=default,
        choices=choices,
        line=call.lineno,
        flag=flag,
        required=_true(given.get("required")) or not flag.startswith("-"),
        obstacle=_click_obstacle(flag, is_flag, given),
        takes_value=not is_flag,
    )


def _click_kind(
    node: ast.expr | None, default: Scalar, choices: tuple[Scalar, ...] | None
) -> Kind:
    is_bool = node is not None and syntax.last_name(node) in ("bool", "BOOL")
    return "bool" if is_bool else _kind(node, default, choices)


def _click_obstacle(flag: str, is_flag: bool, given: Mapping[str, ast.expr]) -> str | None:
    if is_flag:
        return _action_obstacle("store_true")
    if _true(given.get("multiple")) or "nargs" in given:
        return "it takes a list"
    return _spelling([flag])


def _typer(tree: ast.Module, known: Mapping[str, object]) -> Iterator[Option]:
    run = {
        syntax.dotted(call.args[0])
        for call in syntax.calls(tree)
        if syntax.dotted(call.func) == "typer.run" and call.args
    }
    if not any(_imports(node, "typer") for node in ast.walk(tree)):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and (node.name in run or _is_command(node)):
            yield from _typer_parameters(node, known)


def _imports(node: ast.AST, module: str) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name == module for alias in node.names)
    return isinstance(node, ast.ImportFrom) and node.module == module


def _is_command(function: ast.FunctionDef) -> bool:
    return any(
        syntax.last_name(decorator) in ("command", "callback")
        for decorator in function.decorator_list
    )


def _typer_parameters(function: ast.FunctionDef, known: Mapping[str, object]) -> Iterator[Option]:
    positional = function.args.args
    missing: list[ast.expr | None] = [None] * (len(positional) - len(function.args.defaults))
    pairs = [
        *zip(positional, [*missing, *function.args.defaults], strict=True),
        *zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True),
    ]
    for parameter, default in pairs:
        yield _typer_option(parameter, default, known)


def _typer_option(
    parameter: ast.arg, default: ast.expr | None, known: Mapping[str, object]
) -> Option:
    annotation, call = _annotated(parameter.annotation)
    declared = default
    if isinstance(default, ast.Call):
        call = default
        declared = default.args[0] if default.args else syntax.keywords(default).get("default")
    value = _scalar(declared, known)
    kind = _TYPES.get(syntax.last_name(annotation), "unknown") if annotation else "unknown"
    is_flag = annotation is not None and syntax.last_name(annotation) == "bool"
    positional = (default is None and call is None) or (
        call is not None and syntax.last_name(call) == "Argument"
    )
    # typer turns underscores into dashes unless it is told the spelling.
    given = [flag for flag in _flags(call) if flag.startswith("-")] if call else []
    flag = parameter.arg if positional else _best(given or [_dashed(parameter.arg)])
    return Option(
        name=_name(flag),
        kind="bool" if is_flag else kind if kind != "unknown" else kind_of(value),
        default=value,
        line=parameter.lineno,
        flag=flag,
        required=positional,
        obstacle=_action_obstacle("store_true") if is_flag else _spelling([flag]),
        takes_value=not is_flag,
    )


def _annotated(annotation: ast.expr | None) -> tuple[ast.expr | None, ast.Call | None]:
    """Split `Annotated[float, typer.Option(...)]` into its type and its call."""
    if not isinstance(annotation, ast.Subscript) or syntax.last_name(annotation) != "Annotated":
        return annotation, None
    parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else []
    call = next((part for part in parts[1:] if isinstance(part, ast.Call)), None)
    return (parts[0] if parts else None), call


def _dashed(name: str) -> str:
    return "--" + name.replace("_", "-")
