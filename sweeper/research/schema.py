"""Checks a JSON value against one of the package's JSON Schemas, with errors that teach.

Knows the words our own input schemas use: type, enum, required, properties,
additionalProperties, items, minItems, minLength, minimum, maximum, pattern, anyOf and local $ref.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parent / "schemas"
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


class Fault(NamedTuple):
    """One violation.

    Attributes:
        path: Where in the value, e.g. `[2].result.value`.
        message: What is wrong, as the end of a sentence.
        rule: Where in the schema, as a JSON pointer.
    """

    path: str
    message: str
    rule: str


@cache
def load(name: str) -> dict[str, object]:
    """Return the schema in `schemas/<name>`."""
    schema: dict[str, object] = json.loads((_FOLDER / name).read_text(encoding="utf-8"))
    return schema


def faults(value: object, schema: dict[str, object], rule: str = "#") -> list[Fault]:
    """Return every violation of the schema's part at `rule`, in document order."""
    part = _at(schema, rule)
    return list(_faults(value, part, schema, "", rule))


def _at(schema: dict[str, object], pointer: str) -> dict[str, object]:
    part: object = schema
    for name in pointer.removeprefix("#").strip("/").split("/"):
        if name and isinstance(part, dict):
            part = part[name]
    assert isinstance(part, dict)
    return part


def _faults(
    value: object, part: dict[str, object], schema: dict[str, object], path: str, rule: str
) -> Iterator[Fault]:
    reference = part.get("$ref")
    if isinstance(reference, str):
        yield from _faults(value, _at(schema, reference), schema, path, reference)
        return
    if isinstance(options := part.get("anyOf"), list):
        yield from _any(value, options, part, schema, path, rule)
        return
    if not _has_type(value, part.get("type")):
        yield Fault(path, f"should be {_types(part.get('type'))}, not {_shown(value)}", rule)
        return
    if isinstance(allowed := part.get("enum"), list) and value not in allowed:
        yield Fault(path, f"should be one of {', '.join(map(str, allowed))}", rule)
    if isinstance(value, dict):
        yield from _object(value, part, schema, path, rule)
    elif isinstance(value, list):
        yield from _array(value, part, schema, path, rule)
    elif isinstance(value, str):
        yield from _text(value, part, path, rule)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, part, path, rule)


def _any(
    value: object,
    options: list[dict[str, object]],
    part: dict[str, object],
    schema: dict[str, object],
    path: str,
    rule: str,
) -> Iterator[Fault]:
    tries = [
        list(_faults(value, option, schema, path, f"{rule}/anyOf/{index}"))
        for index, option in enumerate(options)
    ]
    if any(not found for found in tries):
        return
    # The option that got furthest is the one that was meant.
    deepest = max(tries, key=lambda found: len(found[0].path))
    if len(deepest[0].path) > len(path):
        yield from deepest
    else:
        yield Fault(path, str(part.get("description", "has none of the allowed forms")), rule)


def _object(
    value: dict[str, object],
    part: dict[str, object],
    schema: dict[str, object],
    path: str,
    rule: str,
) -> Iterator[Fault]:
    properties = part.get("properties")
    known: dict[str, dict[str, object]] = properties if isinstance(properties, dict) else {}
    required = part.get("required")
    for name in required if isinstance(required, list) else []:
        if name not in value:
            yield Fault(f"{path}.{name}", "is missing", f"{rule}/required")
    for name, item in value.items():
        where = f"{path}.{name}"
        if name in known:
            yield from _faults(item, known[name], schema, where, f"{rule}/properties/{name}")
        elif part.get("additionalProperties") is False:
            close = difflib.get_close_matches(name, known, 1)
            meant = f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"
            yield Fault(where, f"is unknown{meant}", f"{rule}/additionalProperties")
        elif isinstance(other := part.get("additionalProperties"), dict):
            yield from _faults(item, other, schema, where, f"{rule}/additionalProperties")


def _array(
    value: list[object],
    part: dict[str, object],
    schema: dict[str, object],
    path: str,
    rule: str,
) -> Iterator[Fault]:
    least = part.get("minItems")
    if isinstance(least, int) and len(value) < least:
        yield Fault(path, f"needs at least {least} item", f"{rule}/minItems")
    if isinstance(items := part.get("items"), dict):
        for index, item in enumerate(value):
            yield from _faults(item, items, schema, f"{path}[{index}]", f"{rule}/items")


def _text(value: str, part: dict[str, object], path: str, rule: str) -> Iterator[Fault]:
    least, pattern = part.get("minLength"), part.get("pattern")
    if isinstance(least, int) and len(value.strip()) < least:
        yield Fault(path, "must not be empty", f"{rule}/minLength")
    elif isinstance(pattern, str) and not re.search(pattern, value):
        say = part.get("description", f"should match {pattern}")
        yield Fault(path, f"is {value!r}: {say}", f"{rule}/pattern")


def _number(value: float, part: dict[str, object], path: str, rule: str) -> Iterator[Fault]:
    low, high = part.get("minimum"), part.get("maximum")
    if isinstance(low, int | float) and value < low:
        yield Fault(path, f"is {value}, below {low}", f"{rule}/minimum")
    if isinstance(high, int | float) and value > high:
        yield Fault(path, f"is {value}, above {high}", f"{rule}/maximum")


def _has_type(value: object, names: object) -> bool:
    wanted = names if isinstance(names, list) else [names]
    if names is None:
        return True
    if isinstance(value, bool):
        return "boolean" in wanted
    return any(isinstance(value, _TYPES[str(name)]) for name in wanted)


def _types(names: object) -> str:
    words = {"object": "an object", "array": "a list", "string": "text", "number": "a number",
             "integer": "a whole number", "boolean": "true or false", "null": "null"}  # fmt: skip
    return " or ".join(words[str(n)] for n in (names if isinstance(names, list) else [names]))


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
