"""What a script lets others set: one `Option` each, wherever in the script it was found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sweeper.program import Scalar

#: The ways of passing parameters, as `parameters:` in program.md names them.
Way = Literal["args", "env", "json", "constants"]
Kind = Literal["int", "float", "bool", "str", "unknown"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
_TAKEN = frozenset({"help", "h", "constraints"})


@dataclass(frozen=True, slots=True)
class Option:
    """Something that can be set from outside.

    Attributes:
        name: As a parameter is called: letters, digits and underscores.
        kind: What its values are.
        default: The script's own value; None where it has none, or none that can be read.
        choices: The only values that the script accepts, or None.
        line: Where it is declared; 0 for what a library declares.
        flag: How it is typed on a command line, or None.
        required: Whether the script refuses to start without it.
        obstacle: Why a sweep cannot set it, and what to change; None when it can.
        takes_value: Whether a value follows the flag.
    """

    name: str
    kind: Kind = "unknown"
    default: Scalar = None
    choices: tuple[Scalar, ...] | None = None
    line: int = 0
    flag: str | None = None
    required: bool = False
    obstacle: str | None = None
    takes_value: bool = True


def usable(name: str) -> bool:
    """Tell whether a parameter may bear this name in program.md."""
    return bool(_NAME.match(name)) and name not in _TAKEN


def kind_of(value: object) -> Kind:
    """Return the kind of a default."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    return "str" if isinstance(value, str) else "unknown"
