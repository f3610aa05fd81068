"""From a block of the page to its record, or to the sentence that says what is wrong with it."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable
from typing import Any
from typing import TypeVar

from pydantic import ValidationError

from sweeper.blocks import BLOCKS
from sweeper.blocks import PageBlock
from sweeper.blocks import Resource
from sweeper.errors import ProgramError
from sweeper.page import Block
from sweeper.yaml12 import Plain

_Model = TypeVar("_Model", bound=PageBlock)

#: Pydantic's kinds of complaint -> what is wrong, and the fix.
_SENTENCES = {
    "int_type": ("is not a whole number", "Write it without quotes, such as 12."),
    "int_from_float": ("is not a whole number", "Write it without a fraction, such as 12."),
    "float_type": ("is not a number", "Write it without quotes, such as 0.5."),
    "finite_number": ("is not a finite number", "Write a number such as 0.5."),
    "bool_type": ("is neither true nor false", "Write true or false, without quotes."),
    "string_type": ("is not a text", "Write a text; put it into quotes if it looks otherwise."),
    "string_too_short": ("is empty", "Give it a value, or remove it."),
    "too_short": ("is empty", "Give it a value, or remove it."),
    "list_type": ("is not a list", "Write [a, b]."),
    "dict_type": ("is not a map", "Write {{key: value}}."),
    "model_type": ("is not a map", "Write {{name: step, max: 800}}."),
    "greater_than": ("is not above {gt:g}", "Write a number above {gt:g}."),
    "greater_than_equal": ("is less than {ge:g}", "Write a number from {ge:g}."),
    "less_than_equal": ("is more than {le:g}", "Write a number up to {le:g}."),
    "literal_error": ("is not known here", "Write {expected}."),
}


#: Keys whose values are not repeated in a message.
_SECRET = frozenset({"env", "secrets", "storage"})


def read(model: type[_Model], block: Block) -> _Model:
    """Return a block's record.

    Raises:
        ProgramError: With line, key, value and the fix of what is wrong and stands first.
    """
    for key, node in block.nodes.items():
        if key not in model.keys():  # noqa: SIM118 - a method of ours, not a mapping's
            raise unknown_key(key, model.keys(), block.heading, node.line, _home(key, model))
    values = {
        key: node.plain(as_text=key in model.written)
        for key, node in block.nodes.items()
        if node.value is not None or not _may_be_empty(model, key)
    }
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise _translated(model, block, _first(found, block)) from None


def _may_be_empty(model: type[PageBlock], key: str) -> bool:
    field = model.model_fields[model.keys()[key]]
    return not field.is_required() and field.default in (None, [], {})


def _first(found: list[Any], block: Block) -> Any:
    return min(found, key=lambda each: (each["type"] == "missing", block.line_of(*each["loc"])))


def unknown_key(
    key: str, known: Iterable[str], heading: str, line: int, home: str | None = None
) -> ProgramError:
    """Return the refusal of a key, with the one that was probably meant."""
    if home is not None:
        hint = f"It belongs under `## {home}`."
    else:
        hint = did_you_mean(key, known) or f"Known keys: {', '.join(known)}."
    return ProgramError(f"{heading} has an unknown key `{key}`.", line=line, key=key, hint=hint)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return "Did you mean …?" with the most alike of the known words, or None."""
    near = difflib.get_close_matches(word[:80], list(known), 1, 0.6)
    return f"Did you mean {near[0]}?" if near else None


def _home(key: str, model: type[PageBlock]) -> str | None:
    return next((name for name, each in BLOCKS.items() if key in each.keys()), None)  # noqa: SIM118


def shown(value: object) -> str:
    """Return a value as the page would write it, cut to a readable length."""
    words: dict[object, str] = {True: "true", False: "false", None: "null"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _translated(model: type[PageBlock], block: Block, found: Any) -> ProgramError:
    path = found["loc"]
    line, key = block.line_of(*path), _named(path)
    if found["type"] == "missing":
        return _missing(block, str(path[-1]), path)
    if found["type"] == "extra_forbidden":
        return unknown_key(str(path[-1]), Resource.keys(), str(path[0]), line)
    forgotten = _forgotten_quotes(found["input"])
    if forgotten and found["type"] == "string_type":
        return ProgramError(
            f"{key} is a map: {forgotten} lacks its quotes.",
            line=line,
            key=str(path[0]),
            hint=f'Write "{forgotten}", in quotes.',
        )
    fault, hint = _sentence(found)
    # A validator's own sentence shows the value; what may be secret is never shown.
    silent = found["type"] == "value_error" or found["input"] is None or path[0] in _SECRET
    value = "" if silent else f", {shown(found['input'])},"
    return ProgramError(f"{key}{value} {fault}.", line=line, key=str(path[0]), hint=hint)


def _named(path: tuple[str | int, ...]) -> str:
    """Return a path as people read it: `args, entry 2`, `env TOKEN`, `resource max`."""
    parts = [f"entry {part + 1} of" for part in path if isinstance(part, int)]
    keys = [part for part in path if isinstance(part, str) and part != "[key]"]
    return " ".join([*parts, *keys])


def _missing(block: Block, key: str, path: tuple[str | int, ...]) -> ProgramError:
    where = block.heading if len(path) == 1 else str(path[0])
    examples = {
        "metric": "metric: eval_loss",
        "direction": "direction: minimize",
        "max_jobs": "max_jobs: 12",
        "max_walltime": "max_walltime: 8h",
        "max_timeout": "max_timeout: 2h",
        "name": "{name: step}",
    }
    return ProgramError(
        f"{where} has no {key}.",
        line=block.line_of(*path[:-1]),
        key=key,
        hint=f"Add `{examples.get(key, f'{key}: …')}`.",
    )


def _forgotten_quotes(value: Plain) -> str | None:
    """Return the template that an unquoted `{name}` was meant to be."""
    if isinstance(value, dict) and list(value.values()) == [None]:
        return f"{{{next(iter(value))}}}"
    return None


def _sentence(found: Any) -> tuple[str, str]:
    kind, context = found["type"], found.get("ctx", {})
    if kind == "value_error":
        fault, _, fix = str(context["error"]).rpartition("; ")
        return f"cannot be read: {fault}", f"{fix[:1].upper()}{fix[1:]}."
    if found["input"] is None:
        return "is empty", "Give it a value, or remove it."
    fault, fix = _SENTENCES[kind]
    if kind == "list_type" and isinstance(found["input"], str):
        fix = f"Write [{', '.join(_words(found['input']))}]."
    if kind == "string_type" and isinstance(found["input"], dict):
        fix = "Put the whole text into quotes."
    return fault.format_map(context), fix.format_map(context)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)[:8]
    except ValueError:
        return [text]
