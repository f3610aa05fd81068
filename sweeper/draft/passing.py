"""Whether the parameters reached the script: what its text accepts, and what it said."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Iterable

from sweeper.draft import arguments
from sweeper.draft import fields
from sweeper.draft import surroundings
from sweeper.draft import syntax
from sweeper.draft.findings import Passing
from sweeper.errors import ScriptError
from sweeper.program import Program

_REFUSALS = (
    re.compile(r"unrecognized arguments: (.+)"),
    re.compile(r"[Nn]o such option:? (\S+)"),
    re.compile(r"not used by the HfArgumentParser: \[(.+)\]"),
    re.compile(r"argument (--?[\w-]+)[^:]*: (?:invalid|expected|ignored)"),
    re.compile(r"Invalid value for '?(--?[\w-]+)"),
    re.compile(r"[Gg]ot unexpected extra arguments? \((.+)\)"),
    re.compile(r"Option '?(--?[\w-]+)'? does not take a value"),
)


def judge(program: Program, lines: Iterable[str], *, went_on: bool) -> Passing:
    """Say how the parameters arrived.

    Args:
        program: The program that was tried.
        lines: What the script said.
        went_on: Whether it came to print a metric, or ended well.
    """
    way, names = program.training.parameters, list(program.defaults())
    refused = list(dict.fromkeys(_refused(lines)))
    if refused:
        said = f"The script refused {', '.join(refused)}."
        fix = " Its arguments and the names in the search space must agree."
        return Passing(way, False, said + fix, tuple(refused))
    if way == "constants":
        return Passing(way, True, "Parameters arrive: its constants are set in a copy.")
    try:
        lost, certain = _unread(program, names)
    except ScriptError:
        lost, certain = (), False
    if lost:
        return Passing(way, False, _unread_sentence(way, lost), tuple(lost))
    if certain and went_on:
        return Passing(way, True, f"Parameters arrive by {way}: the script takes each of them.")
    return Passing(way, None, _unsure(way, went_on))


def _refused(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        for pattern in _REFUSALS:
            for found in pattern.finditer(line):
                yield from (re.findall(r"--?[A-Za-z][\w-]*", found[1]) or [found[1].strip()])


def _unread(program: Program, names: Collection[str]) -> tuple[Collection[str], bool]:
    """Return what the script does not look at, and whether its text tells for certain."""
    training = program.training
    if training.script is None or training.launcher:
        return (), False
    tree = syntax.parse(program.folder / training.script)
    if training.parameters == "json":
        read = surroundings.reads_document(tree)
        return (() if read else names), read
    if training.parameters == "env":
        known = {option.name for option in surroundings.environment(tree)}
        missing = [name for name in names if name not in known]
        return (missing if known else ()), bool(known)
    declared = {option.name for option in [*arguments.find(tree), *fields.parsed(tree)]}
    if fields.config_classes(tree):
        return (), True  # their parser refuses what it does not know, aloud
    missing = [name for name in names if name not in declared]
    dropped = missing if declared and arguments.ignores_unknown(tree) else []
    return dropped, bool(declared) and not missing


def _unread_sentence(way: str, lost: Collection[str]) -> str:
    shown = ", ".join(lost)
    if way == "json":
        return (
            f"The script does not read SWEEPER_PARAMS, so {shown} have no effect."
            " Read it, or choose another way in `parameters:`."
        )
    if way == "env":
        return f"The script does not read the environment variables {shown}."
    return f"The script's parser drops {shown} silently (parse_known_args): they have no effect."


def _unsure(way: str, went_on: bool) -> str:
    if not went_on:
        return f"Whether the parameters arrive by {way} is not known: the script did not get far."
    return f"The parameters were passed by {way}; whether the script uses them was not seen."
