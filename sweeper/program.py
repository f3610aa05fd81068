"""program.md: what to optimise, what may be touched, what may be spent.

`load` reads the page into a `Program`; everything wrong with it is refused with line, key, value
and the fix.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from sweeper import consistency
from sweeper import declarations
from sweeper import faults
from sweeper import page
from sweeper.blocks import BLOCKS
from sweeper.blocks import Budget as Budget
from sweeper.blocks import Goal as Goal
from sweeper.blocks import Resource as Resource
from sweeper.blocks import Scope as Scope
from sweeper.blocks import Sweep as Sweep
from sweeper.blocks import Training as Training
from sweeper.constraints import Constraint as Constraint
from sweeper.contents import Program as Program
from sweeper.declarations import HEADING as SEARCH_SPACE
from sweeper.errors import ProgramError
from sweeper.page import Block
from sweeper.parameters import Parameter as Parameter
from sweeper.yaml12 import Node
from sweeper.yaml12 import Scalar as Scalar

_REQUIRED = {
    Goal.heading: "metric and direction",
    Training.heading: "script",
    SEARCH_SPACE: "one parameter",
    Budget.heading: "max_jobs, max_walltime and max_timeout",
}
_HEADINGS = (*BLOCKS, SEARCH_SPACE)


def load(path: Path | str) -> Program:
    """Read a program.md, or the one in a folder.

    Raises:
        ProgramError: With line, key and hint; the line is None where the whole file is meant.
    """
    file = Path(path)
    try:
        file = file / "program.md" if file.is_dir() else file
        return _read(file.absolute())
    except ProgramError as error:
        if error.line is not None:
            raise
        raise ProgramError(
            f"{file.name}: {error.message}", key=error.key, hint=error.hint
        ) from error


def _read(file: Path) -> Program:
    content = page.read_bytes(file)
    text = page.decode(content)
    blocks = page.read_blocks(text, _HEADINGS)
    _require(blocks, text)
    blocks = _with_older_scope(blocks)
    space = declarations.read(blocks[SEARCH_SPACE])
    conditions, warnings = declarations.read_constraints(blocks[SEARCH_SPACE], space)
    program = Program(
        path=file,
        sha256=hashlib.sha256(content).hexdigest(),
        sweep=_named(faults.read(Sweep, _block(Sweep.heading, blocks)), file),
        goal=faults.read(Goal, blocks[Goal.heading]),
        scope=faults.read(Scope, _block(Scope.heading, blocks)),
        training=faults.read(Training, blocks[Training.heading]),
        search_space=space,
        constraints=conditions,
        budget=faults.read(Budget, blocks[Budget.heading]),
        warnings=warnings,
        blocks=blocks,
    )
    consistency.check(program)
    return program


def _block(heading: str, blocks: Mapping[str, Block]) -> Block:
    """Return an optional block; one that is missing says nothing."""
    return blocks.get(heading, Block(heading, 1, {}))


def _require(blocks: Mapping[str, Block], text: str) -> None:
    missing = [heading for heading in _REQUIRED if heading not in blocks]
    if not missing:
        return
    sentence, line = page.why_absent(text, missing[0])
    if list(blocks) == [Budget.heading]:
        sentence = f"Only the envelope is there, as older pages had it. {sentence}"
    adds = "; ".join(f"`## {heading}` with {_REQUIRED[heading]}" for heading in missing)
    raise ProgramError(
        sentence,
        line=line,
        key=missing[0],
        hint=f"Add {adds}, each in a ```yaml block; `sweeper init --script train.py` drafts them.",
    )


def _with_older_scope(blocks: Mapping[str, Block]) -> dict[str, Block]:
    """Move `output_repos` into the scope: older pages keep them inside the envelope."""
    budget = blocks[Budget.heading]
    scope = _block(Scope.heading, blocks)
    repos = budget.nodes.get("output_repos")
    if repos is None:
        return dict(blocks)
    if "output_repos" in scope.nodes:
        raise ProgramError(
            f"output_repos stands twice, in lines {scope.line_of('output_repos')} and"
            f" {repos.line}.",
            line=repos.line,
            key="output_repos",
            hint="Keep the one under `## Scope`.",
        )
    kept: dict[str, Node] = {k: v for k, v in budget.nodes.items() if k != "output_repos"}
    return {
        **blocks,
        Scope.heading: Block(scope.heading, scope.line, {**scope.nodes, "output_repos": repos}),
        Budget.heading: Block(budget.heading, budget.line, kept),
    }


def _named(sweep: Sweep, file: Path) -> Sweep:
    """Put in the folder's name, made safe, where the page gives none."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", file.parent.resolve().name).strip("-._")
    return sweep if sweep.name else sweep.model_copy(update={"name": safe[:64] or "sweep"})
