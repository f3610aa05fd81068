"""Foreign JSON, read as strictly as its service documents it.

A field that a service may leave out is None when it is missing or null; a field of the wrong
type, or a required one that is missing, raises `StrangeAnswerError` with the field's path, so
that a broken answer is never shown as an empty result.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import NoReturn

from sweeper.research.faults import StrangeAnswerError


def decode(body: bytes, where: str) -> object:
    """Return the JSON value in `body`.

    Raises:
        StrangeAnswerError: It is no JSON (HTML, a truncated body, NaN, absurd nesting).
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise StrangeAnswerError(
            f"{where} answered with {_kind_of(body)} instead of JSON.",
            hint="It may be under maintenance; ask again later.",
        ) from exc


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _kind_of(body: bytes) -> str:
    start = body.lstrip()[:15].lower()
    if not start:
        return "an empty body"
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")):
        return "a web page"
    return "a damaged or truncated body"


class Fields:
    """One JSON object from outside, with the path that names it in errors."""

    __slots__ = ("_values", "where")

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise StrangeAnswerError(f"{where} should be an object, not {_type_name(value)}.")
        self._values = value
        self.where = where

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def raw(self, name: str) -> object:
        """Return the field as it came; None when it is missing."""
        return self._values.get(name)

    def text(self, name: str) -> str:
        """Return a required text that is not empty."""
        value = self.text_or_none(name)
        if not value:
            self._fail(name, "is missing or empty")
        return value

    def text_or_none(self, name: str) -> str | None:
        """Return an optional text."""
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value
        self._fail(name, f"should be text, not {_type_name(value)}")

    def whole(self, name: str) -> int:
        """Return a required whole number."""
        value = self.whole_or_none(name)
        if value is None:
            self._fail(name, "is missing")
        return value

    def whole_or_none(self, name: str) -> int | None:
        """Return an optional whole number."""
        value = self.number_or_none(name)
        if value is not None and value != int(value):
            self._fail(name, f"should be a whole number, not {value}")
        return None if value is None else int(value)

    def number_or_none(self, name: str) -> float | None:
        """Return an optional finite number."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._fail(name, f"should be a number, not {_type_name(value)}")
        if isinstance(value, float) and not math.isfinite(value):
            self._fail(name, "should be a finite number")
        return value

    def truth(self, name: str) -> bool:
        """Return a required boolean."""
        value = self.truth_or_none(name)
        if value is None:
            self._fail(name, "is missing")
        return value

    def truth_or_none(self, name: str) -> bool | None:
        """Return an optional boolean."""
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        self._fail(name, f"should be true or false, not {_type_name(value)}")

    def items(self, name: str) -> list[object]:
        """Return a required list."""
        value = self._values.get(name)
        if not isinstance(value, list):
            self._fail(name, f"should be a list, not {_type_name(value)}")
        return value

    def items_or_empty(self, name: str) -> list[object]:
        """Return an optional list; empty when it is missing or null."""
        return [] if self._values.get(name) is None else self.items(name)

    def texts_or_empty(self, name: str) -> list[str]:
        """Return an optional list of texts."""
        values = self.items_or_empty(name)
        for value in values:
            if not isinstance(value, str):
                self._fail(name, f"should hold texts, not {_type_name(value)}")
        return [value for value in values if isinstance(value, str)]

    def record(self, name: str) -> Fields:
        """Return a required object."""
        return Fields(self._values.get(name), f"{self.where}.{name}")

    def record_or_none(self, name: str) -> Fields | None:
        """Return an optional object."""
        return None if self._values.get(name) is None else self.record(name)

    def records(self, name: str) -> list[Fields]:
        """Return a required list of objects."""
        return records(self.items(name), f"{self.where}.{name}")

    def records_or_empty(self, name: str) -> list[Fields]:
        """Return an optional list of objects."""
        return records(self.items_or_empty(name), f"{self.where}.{name}")

    def _fail(self, name: str, what: str) -> NoReturn:
        raise StrangeAnswerError(f"The answer cannot be trusted: {self.where}.{name} {what}.")


def records(value: object, where: str) -> list[Fields]:
    """Return a list of objects from outside.

    Raises:
        StrangeAnswerError: It is no list, or one of its items is no object.
    """
    if not isinstance(value, list):
        raise StrangeAnswerError(f"{where} should be a list, not {_type_name(value)}.")
    return [Fields(item, f"{where}[{index}]") for index, item in enumerate(value)]


def _type_name(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean"}
    return "nothing" if value is None else names.get(type(value), "a number")
