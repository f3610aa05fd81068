"""What a program.md says, once it is read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from pathlib import Path

from sweeper import parameters
from sweeper.blocks import Budget
from sweeper.blocks import Goal
from sweeper.blocks import Scope
from sweeper.blocks import Sweep
from sweeper.blocks import Training
from sweeper.budget.rules import Envelope
from sweeper.constraints import Constraint
from sweeper.page import Block
from sweeper.parameters import Parameter
from sweeper.yaml12 import Scalar

_PASSWORD = re.compile(r"(?<=:)[^:/@]*(?=@)")


@dataclass(frozen=True)
class Program:
    """A program.md, read and checked.

    Attributes:
        path: The file, absolute.
        sha256: Hash of its bytes, hexadecimal.
        sweep: Name, executor and storage.
        goal: What is optimised.
        scope: What may be touched.
        training: What is run.
        search_space: Parameters by name, in the order of the page.
        constraints: Conditions that every configuration meets.
        budget: What may be spent.
        warnings: What is allowed but probably not meant, a sentence each.
        blocks: The page's blocks by heading, for `line_of`.
    """

    path: Path
    sha256: str
    sweep: Sweep
    goal: Goal
    scope: Scope
    training: Training
    search_space: Mapping[str, Parameter]
    constraints: tuple[Constraint, ...]
    budget: Budget
    warnings: tuple[str, ...] = ()
    blocks: Mapping[str, Block] = field(default_factory=dict, repr=False, compare=False)

    @property
    def folder(self) -> Path:
        """The folder of the page; the script's paths are relative to it."""
        return self.path.parent

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.sweep.name

    def envelope(self) -> Envelope:
        """Return the limits as the rules read them."""
        return self.budget.envelope()

    def line_of(self, heading: str, *path: str | int) -> int | None:
        """Return the line of a key, such as `line_of("Training", "script")`, if it stands."""
        block = self.blocks.get(heading)
        return None if block is None else block.line_of(*path)

    @cached_property
    def _order(self) -> tuple[str, ...]:
        return tuple(parameters.order(self.search_space))

    def order(self) -> list[str]:
        """Return the parameters' names, every parent before its children."""
        return list(self._order)

    def active(self, params: Mapping[str, Scalar]) -> list[str]:
        """Return the names of the parameters that are active under `params`, parents first."""
        chosen: dict[str, Scalar] = {}
        active: list[str] = []
        for name in self._order:
            if parameters.is_active(self.search_space[name], chosen):
                active.append(name)
                chosen |= {name: params[name]} if name in params else {}
        return active

    def defaults(self) -> dict[str, Scalar]:
        """Return the active parameters with their defaults."""
        every = {name: self.search_space[name].default for name in self._order}
        return {name: every[name] for name in self.active(every)}

    def as_document(self) -> dict[str, object]:
        """Return the program as plain data; durations in seconds under `<key>_s`.

        A password in the storage's URL is left out.
        """
        sweep, budget = self.sweep.model_dump(), self.budget.model_dump()
        if self.sweep.storage is not None:
            sweep["storage"] = _PASSWORD.sub("***", self.sweep.storage)
        budget["max_cost"] = budget.pop("max_cost_usd")
        return {
            "sweep": sweep,
            "goal": self.goal.model_dump(),
            "scope": self.scope.model_dump(),
            "training": self.training.model_dump(),
            "search_space": {name: each.as_document() for name, each in self.search_space.items()},
            "constraints": [each.text for each in self.constraints],
            "budget": budget,
        }
