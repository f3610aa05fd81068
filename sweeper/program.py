"""program.md: what to optimise, what may be touched, what may be spent.

`load` reads the page into a `Program`; everything wrong with it is refused with line, key, value
and the fix.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated
from typing import Any
from typing import Literal
from typing import TypeVar

from pydantic import BaseModel
from pydantic import BeforeValidator
from pydantic import ConfigDict
from pydantic import Field
from pydantic import ValidationError

from sweeper import constraints as language
from sweeper import page
from sweeper import parameters
from sweeper.budget.prices import MICRO
from sweeper.budget.prices import parse_duration
from sweeper.budget.rules import Envelope
from sweeper.constraints import Constraint
from sweeper.constraints import Scalar
from sweeper.errors import ProgramError
from sweeper.page import Block
from sweeper.parameters import Parameter

__all__ = ["Constraint", "Parameter", "Program", "Scalar", "Training", "load"]

#: What `{…}` may name in `args`.
TEMPLATES = ("output_repo", "output_dir", "trial", "seed")

_TEMPLATE = re.compile(r"\{(\w*)\}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def _duration(value: object) -> float:
    return parse_duration(value)


def _text(value: object) -> object:
    """A number or a boolean in a list of words is meant as the word that it was."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


def _words(value: object) -> object:
    return value.split() if isinstance(value, str) else value


Duration = Annotated[float, BeforeValidator(_duration)]
Word = Annotated[str, BeforeValidator(_text), Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Positive = Annotated[float, Field(gt=0)]


class _Block(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True
    )


class Sweep(_Block):
    """What the sweep is called, where it runs and where it is kept."""

    name: str = ""
    executor: Literal["local", "hf"] = "local"
    storage: str | None = None


class Goal(_Block):
    """What is optimised, and when it is good enough."""

    metric: Annotated[str, Field(min_length=1)]
    direction: Literal["minimize", "maximize"]
    value: Literal["last", "best"] = "last"
    target: float | None = None
    patience: Count | None = None
    min_gain_per_usd: Positive | None = None


class Scope(_Block):
    """What may be touched."""

    models: list[Word] = []
    datasets: list[Word] = []
    output_repos: list[Word] = []
    frozen_script: bool = False


class Resource(_Block):
    """The axis of intermediate values."""

    name: Annotated[str, Field(min_length=1)]
    max: Positive | None = None

    @property
    def scaled_max(self) -> int | None:
        """The axis' end in the study's whole steps: epochs count in thousandths."""
        if self.max is None:
            return None
        return round(self.max * (1000 if self.name == "epoch" else 1))


class Training(_Block):
    """What is run, and how it gets its parameters."""

    script: str | None = None
    command: Annotated[list[Word] | None, BeforeValidator(_words)] = None
    args: list[Word] = []
    parameters: Literal["args", "env", "json", "constants"] = "args"
    files: list[Word] = []
    dependencies: list[Word] = []
    image: str | None = None
    python: Annotated[str | None, BeforeValidator(_text)] = None
    env: dict[str, Annotated[str, BeforeValidator(_text)]] = {}
    secrets: list[Word] = []
    volumes: list[Word] = []
    gpus_per_trial: Annotated[int, Field(ge=1, le=1024)] | None = None
    launcher: Annotated[list[Word], BeforeValidator(_words)] = []
    evaluate: str | None = None
    namespace: str | None = None
    resource_group: str | None = None
    resource: Resource | None = None


class Budget(_Block):
    """What may be spent."""

    max_jobs: Count
    max_walltime_s: Annotated[Duration, Field(alias="max_walltime")]
    max_timeout_s: Annotated[Duration, Field(alias="max_timeout")]
    max_cost_usd: Annotated[Positive | None, Field(alias="max_cost")] = None
    max_elapsed_s: Annotated[Duration | None, Field(alias="max_elapsed")] = None
    allowed_flavors: list[Word] = []
    max_parallel: Annotated[int, Field(ge=1, le=10_000)] = 1
    allow_deletes: bool = False

    def envelope(self) -> Envelope:
        """Return the limits as the rules read them."""
        cost = self.max_cost_usd
        return Envelope(
            max_jobs=self.max_jobs,
            max_walltime_s=self.max_walltime_s,
            max_timeout_s=self.max_timeout_s,
            max_micro_usd=None if cost is None else round(cost * MICRO),
            max_elapsed_s=self.max_elapsed_s,
            allowed_flavors=tuple(self.allowed_flavors),
            max_parallel=self.max_parallel,
            allow_deletes=self.allow_deletes,
        )


@dataclass(frozen=True)
class Program:
    """A program.md, read and checked.

    Attributes:
        path: The file.
        sha256: Hash of its bytes.
        search_space: Parameters by name, in the order of the page.
        constraints: Conditions that every configuration meets.
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

    @cached_property
    def _order(self) -> tuple[str, ...]:
        return tuple(parameters.order(self.search_space))

    def order(self) -> list[str]:
        """Return the parameters' names, every parent before its children."""
        return list(self._order)

    def active(self, params: Mapping[str, Scalar]) -> list[str]:
        """Return the names of the parameters that are active under `params`, in that order."""
        chosen: dict[str, Scalar] = {}
        for name in self._order:
            if name in params and parameters.is_active(self.search_space[name], chosen):
                chosen[name] = params[name]
        return [
            name for name in self._order if parameters.is_active(self.search_space[name], chosen)
        ]

    def defaults(self) -> dict[str, Scalar]:
        """Return the active parameters with their defaults."""
        every = {name: self.search_space[name].default for name in self._order}
        return {name: every[name] for name in self.active(every)}

    def as_document(self) -> dict[str, object]:
        """Return the program as plain data; durations in seconds under `<key>_s`."""
        budget = self.budget.model_dump()
        budget["max_cost"] = budget.pop("max_cost_usd")
        return {
            "sweep": self.sweep.model_dump(),
            "goal": self.goal.model_dump(),
            "scope": self.scope.model_dump(),
            "training": self.training.model_dump(),
            "search_space": {
                name: parameter.as_document() for name, parameter in self.search_space.items()
            },
            "constraints": [each.text for each in self.constraints],
            "budget": budget,
        }


_BLOCKS: dict[str, type[_Block]] = {
    "Sweep": Sweep,
    "Goal": Goal,
    "Scope": Scope,
    "Training": Training,
    "Budget envelope": Budget,
}
_HEADINGS = (*_BLOCKS, parameters.HEADING)
_REQUIRED = ("Goal", "Training", parameters.HEADING, "Budget envelope")


def load(path: Path) -> Program:
    """Read a program.md, or the one in a folder.

    Raises:
        ProgramError: With line, key and hint.
    """
    file = path / "program.md" if path.is_dir() else path
    text = page.read_text(file)
    blocks = page.read_blocks(text, _HEADINGS)
    _require_blocks(file, blocks)
    scope, budget = _older_envelope(blocks)
    read = {
        heading: _model(_BLOCKS[heading], block)
        for heading, block in blocks.items()
        if heading in _BLOCKS and heading not in ("Scope", "Budget envelope")
    }
    program = Program(
        path=file.absolute(),
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        sweep=_named(read.get("Sweep"), blocks.get("Sweep"), file),
        goal=read["Goal"],  # type: ignore[arg-type]
        scope=_model(Scope, scope) if scope else Scope(),
        training=read["Training"],  # type: ignore[arg-type]
        search_space=parameters.read(blocks[parameters.HEADING]),
        constraints=_constraints(blocks[parameters.HEADING]),
        budget=_model(Budget, budget),
    )
    _check_together(program, blocks)
    return program


def _require_blocks(file: Path, blocks: Mapping[str, Block]) -> None:
    missing = [heading for heading in _REQUIRED if heading not in blocks]
    if not missing:
        return
    names = ", ".join(f"`## {heading}`" for heading in missing)
    hint = "Add each heading with a ```yaml block below it; `sweeper init` drafts a whole page."
    if "Budget envelope" in blocks:
        hint = (
            "A page that only has the envelope needs a Goal (metric, direction), Training"
            " (script) and a Search space too; `sweeper init` drafts them."
        )
    raise ProgramError(f"{file.name} has no block under {names}.", hint=hint, key=missing[0])


def _older_envelope(blocks: Mapping[str, Block]) -> tuple[Block | None, Block]:
    """Return Scope and envelope; an older page keeps `output_repos` inside the envelope."""
    budget, scope = blocks["Budget envelope"], blocks.get("Scope")
    if "output_repos" not in budget.values:
        return scope, budget
    line = budget.line_of(("output_repos",))
    if scope is not None and "output_repos" in scope.values:
        raise ProgramError(
            "output_repos stands both under `## Scope` and in the envelope.",
            line=line,
            key="output_repos",
            hint="Keep the one under `## Scope`.",
        )
    values = {key: value for key, value in budget.values.items() if key != "output_repos"}
    moved = dict(scope.values if scope else {}) | {"output_repos": budget.values["output_repos"]}
    lines = dict(scope.lines if scope else {}) | {
        where: number for where, number in budget.lines.items() if where[:1] == ("output_repos",)
    }
    return (
        Block("Scope", scope.line if scope else budget.line, moved, lines),
        Block(budget.heading, budget.line, values, budget.lines),
    )


_Model = TypeVar("_Model", bound=_Block)


def _model(model: type[_Model], block: Block) -> _Model:
    try:
        return model.model_validate(block.values)
    except ValidationError as error:
        raise _translated(model, block, error.errors()[0]) from None


def _translated(model: type[_Block], block: Block, found: Any) -> ProgramError:
    """Turn the first complaint into a sentence with line, key, value and fix."""
    where = tuple(part for part in found["loc"] if not _is_branch(part))
    # Inside a union the path may go on with names of types; the page only has keys.
    key = str(where[0]) if where else block.heading
    line = block.line_of(where)
    value = found["input"]
    if found["type"] == "missing":
        return ProgramError(
            f"`## {block.heading}` has no `{where[-1]}`.",
            line=line,
            key=str(where[-1]),
            hint=f"Add a line `{where[-1]}: …`.",
        )
    if found["type"] == "extra_forbidden":
        return _unknown_key(model, block, where, line)
    if isinstance(value, dict) and key in ("args", "command", "launcher", "output_repos"):
        inner = next(iter(value), "")
        return ProgramError(
            f"An item of {key} is a map: {{{inner}}} lacks its quotes.",
            line=line,
            key=key,
            hint=f'Write "{{{inner}}}" in quotes.',
        )
    return ProgramError(
        f"{'.'.join(map(str, where)) or block.heading} is {value!r}: {_complaint(found)}.",
        line=line,
        key=key,
        hint=_fix(found),
    )


def _is_branch(part: object) -> bool:
    return isinstance(part, str) and ("[" in part or part in _BRANCHES)


_BRANCHES = frozenset({"str", "int", "float", "constrained-float", "constrained-int", "Resource"})


def _unknown_key(
    model: type[_Block], block: Block, where: tuple[Any, ...], line: int
) -> ProgramError:
    key = str(where[-1])
    fields = Resource.model_fields if where[:-1] == ("resource",) else model.model_fields
    known = [field.alias or name for name, field in fields.items()]
    near = difflib.get_close_matches(key, known, 1, 0.6)
    elsewhere = [
        heading
        for heading, other in _BLOCKS.items()
        if other is not model
        and key in [field.alias or name for name, field in other.model_fields.items()]
    ]
    if elsewhere:
        hint = f"It belongs under `## {elsewhere[0]}`."
    elif near:
        hint = f"Did you mean {near[0]}?"
    else:
        hint = f"Known keys: {', '.join(known)}."
    return ProgramError(
        f"`## {block.heading}` has an unknown key `{key}`.", line=line, key=key, hint=hint
    )


def _complaint(found: Any) -> str:
    kind, context = found["type"], found.get("ctx", {})
    if kind == "value_error":
        return str(context.get("error", found["msg"])).rstrip(".")
    if kind == "literal_error":
        return f"expected {context['expected']}"
    if kind in ("greater_than", "greater_than_equal"):
        bound = context.get("gt", context.get("ge"))
        return f"it must be {'above' if 'gt' in context else 'at least'} {bound}"
    if kind in ("less_than", "less_than_equal"):
        return f"it must be at most {context.get('lt', context.get('le'))}"
    if kind == "finite_number":
        return "it must be a finite number"
    if kind == "string_too_short":
        return "it is empty"
    expected = {
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "string_type": "text",
        "bool_type": "true or false",
        "list_type": "a list",
        "dict_type": "a map",
        "model_type": "a map",
    }
    return f"expected {expected.get(kind, found['msg'])}"


def _fix(found: Any) -> str:
    return {
        "int_type": "Write the number without quotes, for example 12.",
        "int_from_float": "Write the number without a fraction, for example 12.",
        "float_type": "Write the number without quotes, for example 0.5.",
        "bool_type": "Write true or false without quotes.",
        "list_type": "Write [a, b].",
        "string_type": "Write one word or quoted text.",
        "value_error": "Durations are 2h30m, 1.5h, 90m, 1d or seconds.",
        "literal_error": "Use one of the words named.",
    }.get(found["type"], "Correct the value.")


def _named(sweep: _Block | None, block: Block | None, file: Path) -> Sweep:
    found = sweep if isinstance(sweep, Sweep) else Sweep()
    name = found.name or re.sub(r"[^A-Za-z0-9._-]+", "-", file.absolute().parent.name).strip("-._")
    name = name[:64] or "sweep"
    if not _NAME.match(name):
        raise ProgramError(
            f"name is {name!r}.",
            line=None if block is None else block.line_of(("name",)),
            key="name",
            hint="Use letters, digits, `.`, `_` and `-`, at most 64.",
        )
    return found.model_copy(update={"name": name})


def _constraints(block: Block) -> tuple[Constraint, ...]:
    texts = block.values.get("constraints")
    if texts is None:
        return ()
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ProgramError(
            f"constraints is {texts!r}.",
            line=block.line_of(("constraints",)),
            key="constraints",
            hint='Write a list of quoted comparisons: ["batch * steps == 64"].',
        )
    names = [name for name in block.values if name != "constraints"]
    read = []
    for number, text in enumerate(texts):
        try:
            read.append(language.parse(str(text), names))
        except ValueError as error:
            raise ProgramError(
                f"A constraint cannot be read: {error}.",
                line=block.line_of(("constraints", number)),
                key="constraints",
                hint="A constraint compares parameters and numbers.",
            ) from None
    return tuple(read)


def _check_together(program: Program, blocks: Mapping[str, Block]) -> None:
    space = blocks[parameters.HEADING]
    if not program.search_space:
        raise ProgramError(
            "The search space declares no parameter.",
            line=space.line,
            key=parameters.HEADING,
            hint="Add one, for example `lr: {low: 1e-5, high: 1e-3, log: true}`.",
        )
    defaults = program.defaults()
    for number, constraint in enumerate(program.constraints):
        if not constraint.evaluate(defaults):
            shown = ", ".join(f"{n} = {defaults[n]}" for n in sorted(constraint.names))
            raise ProgramError(
                f"The defaults do not meet `{constraint.text}` ({shown}).",
                line=space.line_of(("constraints", number)),
                key="constraints",
                hint="The first trial runs the defaults: change one of them.",
            )
    _check_training(program, blocks["Training"], space)
    _check_budget(program, blocks["Budget envelope"])


def _check_training(program: Program, block: Block, space: Block) -> None:
    training = program.training
    if (training.script is None) == (training.command is None):
        raise ProgramError(
            "Training needs either `script` or `command`"
            + (", not both." if training.script else "."),
            line=block.line_of(("command",)) if training.script else block.line,
            key="script",
            hint="Write `script: train.py`.",
        )
    if training.parameters == "constants" and training.script is None:
        raise ProgramError(
            "`parameters: constants` rewrites a script, and there is only a command.",
            line=block.line_of(("parameters",)),
            key="parameters",
            hint="Use args, env or json, or name the script.",
        )
    for key in ("args", "command"):
        for number, text in enumerate(getattr(training, key) or ()):
            for name in _TEMPLATE.findall(text):
                if name in TEMPLATES or not name.isidentifier():
                    continue
                raise ProgramError(
                    f"{key} names {{{name}}}, which is not known.",
                    line=block.line_of((key, number)),
                    key=key,
                    hint=f"Known: {', '.join(f'{{{each}}}' for each in TEMPLATES)}.",
                )
    _check_names(program, space)
    if _uses_output_repo(training) and not program.scope.output_repos:
        raise ProgramError(
            "{output_repo} is used, but Scope allows no output_repos.",
            line=block.line_of(("args",)),
            key="output_repos",
            hint='Add `output_repos: ["me/sweep-*"]` under `## Scope`.',
        )


def _uses_output_repo(training: Training) -> bool:
    return any("{output_repo}" in text for text in (*training.args, *(training.command or ())))


def _check_names(program: Program, space: Block) -> None:
    if program.training.parameters != "args":
        return
    given = {
        text.split("=", 1)[0].lstrip("-").replace("-", "_")
        for text in (*program.training.args, *(program.training.command or ()))
        if text.startswith("--")
    }
    for name in program.search_space:
        if name in given:
            raise ProgramError(
                f"{name} is a parameter, but args already gives --{name}.",
                line=space.line_of((name,)),
                key=name,
                hint=f"Remove --{name} from args, or {name} from the search space.",
            )


def _check_budget(program: Program, block: Block) -> None:
    budget = program.budget
    if program.sweep.executor == "hf" and not budget.allowed_flavors:
        raise ProgramError(
            "A sweep on Hugging Face Jobs needs allowed_flavors.",
            line=block.line,
            key="allowed_flavors",
            hint="Add for example `allowed_flavors: [t4-small]`.",
        )
    if budget.max_timeout_s > budget.max_walltime_s:
        raise ProgramError(
            f"max_timeout ({budget.max_timeout_s:g} s) is longer than max_walltime"
            f" ({budget.max_walltime_s:g} s): not one job could start.",
            line=block.line_of(("max_timeout",)),
            key="max_timeout",
            hint="Lower max_timeout or raise max_walltime.",
        )
