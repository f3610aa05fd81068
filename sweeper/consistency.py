"""What the blocks of a program.md say to each other: refused where they contradict."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from sweeper.blocks import Budget
from sweeper.blocks import Scope
from sweeper.blocks import Training
from sweeper.budget import prices
from sweeper.contents import Program
from sweeper.declarations import CONSTRAINTS
from sweeper.declarations import HEADING as SEARCH_SPACE
from sweeper.errors import ProgramError
from sweeper.faults import did_you_mean
from sweeper.faults import shown

#: What `{…}` may name in the words that are executed.
TEMPLATES = ("output_repo", "output_dir", "trial", "seed")

_TEMPLATE = re.compile(r"\{([A-Za-z_]\w*)\}")


def check(program: Program) -> None:
    """Refuse a program whose blocks contradict each other.

    Raises:
        ProgramError: With line, key, value and the fix.
    """
    _check_script(program)
    _check_templates(program)
    _check_names(program)
    _check_paths(program)
    _check_flavors(program)
    _check_limits(program)
    _check_constraints(program)


def _words(program: Program) -> Iterator[tuple[str, int, str]]:
    """Yield key, place and text of every word that is executed."""
    training = program.training
    groups = {"args": training.args, "command": training.command, "launcher": training.launcher}
    for key, words in groups.items():
        for number, word in enumerate(words or ()):
            yield key, number, word


def _check_script(program: Program) -> None:
    training = program.training
    if training.script is None and training.command is None:
        raise ProgramError(
            "Training has neither script nor command.",
            line=program.line_of(Training.heading),
            key="script",
            hint="Add `script: train.py`.",
        )
    if training.script is not None and training.command is not None:
        raise ProgramError(
            "Training has both script and command.",
            line=program.line_of(Training.heading, "command"),
            key="command",
            hint="Remove one of the two.",
        )
    if training.parameters == "constants" and training.script is None:
        raise ProgramError(
            "`parameters: constants` rewrites a script, and there is only a command.",
            line=program.line_of(Training.heading, "parameters"),
            key="parameters",
            hint="Write args, env or json, or name the script.",
        )


def _check_templates(program: Program) -> None:
    for key, number, word in _words(program):
        line = program.line_of(Training.heading, key, number)
        for name in _TEMPLATE.findall(word):
            if name not in TEMPLATES:
                raise _unknown_template(program, name, key, line)
        if "{output_repo}" in word and not program.scope.output_repos:
            raise ProgramError(
                f"{key} uses {{output_repo}}, and Scope has no output_repos.",
                line=line,
                key="output_repos",
                hint=f'Add `output_repos: ["me/sweep-*"]` under `## {Scope.heading}`.',
            )


def _unknown_template(program: Program, name: str, key: str, line: int | None) -> ProgramError:
    known = f"Known: {', '.join(f'{{{each}}}' for each in TEMPLATES)}."
    if name in program.search_space:
        known = "A parameter reaches the script by itself: remove it here."
    return ProgramError(
        f"{{{name}}} in {key} is not known.",
        line=line,
        key=key,
        hint=did_you_mean(name, TEMPLATES) or known,
    )


def _check_names(program: Program) -> None:
    given = {
        word[2:].split("=", 1)[0].replace("-", "_"): program.line_of(Training.heading, key, number)
        for key, number, word in _words(program)
        if word.startswith("--") and key != "launcher"
    }
    for name in program.search_space:
        if name in given:
            raise ProgramError(
                f"{name} is a parameter, and --{name} stands in line {given[name]} too.",
                line=program.line_of(SEARCH_SPACE, name),
                key=name,
                hint="Remove one of the two.",
            )
        if program.training.parameters == "env" and (
            name.startswith("SWEEPER_") or name in program.training.env
        ):
            raise ProgramError(
                f"{name} is set in a trial's environment already.",
                line=program.line_of(SEARCH_SPACE, name),
                key=name,
                hint="Give the parameter another name.",
            )


def _check_paths(program: Program) -> None:
    """A job gets a copy of the page's folder: what lies elsewhere cannot go along."""
    training = program.training
    paths = [("script", 0, training.script), ("evaluate", 0, training.evaluate)]
    paths += [("files", number, name) for number, name in enumerate(training.files)]
    for key, number, name in paths:
        if name is None or program.sweep.executor == "local":
            continue
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ProgramError(
                f"{key} {shown(name)} lies outside the folder of {program.path.name}.",
                line=program.line_of(Training.heading, key, number),
                key=key,
                hint="Move it into the folder: a job gets a copy of that.",
            )


def _check_flavors(program: Program) -> None:
    flavors, local = program.budget.allowed_flavors, program.sweep.executor == "local"
    if not flavors and not local:
        raise ProgramError(
            "The envelope has no allowed_flavors, and executor is hf.",
            line=program.line_of(Budget.heading, "allowed_flavors"),
            key="allowed_flavors",
            hint="Add `allowed_flavors: [t4-small]`.",
        )
    for number, flavor in enumerate(flavors):
        # On Hugging Face the live list decides, which may know more than the snapshot.
        exists = flavor in prices.SNAPSHOT or flavor == "local"
        if (local and exists) or (not local and flavor not in prices.FREE):
            continue
        raise ProgramError(
            f"There is no flavor {shown(flavor)} for executor {program.sweep.executor}.",
            line=program.line_of(Budget.heading, "allowed_flavors", number),
            key="allowed_flavors",
            hint=did_you_mean(flavor, prices.SNAPSHOT) or f"Known: {', '.join(prices.SNAPSHOT)}.",
        )


def _check_limits(program: Program) -> None:
    budget = program.budget
    limits = {"max_walltime": budget.max_walltime_s, "max_elapsed": budget.max_elapsed_s}
    for key, seconds in limits.items():
        if seconds is not None and budget.max_timeout_s > seconds:
            timeout, limit = map(prices.format_duration, (budget.max_timeout_s, seconds))
            raise ProgramError(
                f"max_timeout, {timeout}, is longer than {key}, {limit}: no job could start.",
                line=program.line_of(Budget.heading, "max_timeout"),
                key="max_timeout",
                hint=f"Write a max_timeout up to {limit}, or raise {key}.",
            )


def _check_constraints(program: Program) -> None:
    defaults = program.defaults()
    for constraint in program.constraints:
        if not constraint.evaluate(defaults):
            values = ", ".join(f"{name} = {defaults[name]}" for name in sorted(constraint.names))
            raise ProgramError(
                f"The defaults do not meet `{constraint.text}`: {values}.",
                line=_line_of_constraint(program, constraint.text),
                key=CONSTRAINTS,
                hint="The first trial runs the defaults: change one of them, or the constraint.",
            )


def _line_of_constraint(program: Program, text: str) -> int | None:
    node = program.blocks[SEARCH_SPACE].nodes[CONSTRAINTS]
    entries = node.value if isinstance(node.value, list) else []
    return next((entry.line for entry in entries if entry.text.strip() == text), node.line)
