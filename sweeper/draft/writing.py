"""Writes the drafted program.md: ready to edit, every guess with its reason beside it."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

from sweeper.draft import omitted
from sweeper.draft import placement
from sweeper.draft import ranges
from sweeper.draft import script as reading
from sweeper.draft import space as spaces
from sweeper.draft import trainers
from sweeper.draft.options import Option
from sweeper.draft.options import Way
from sweeper.draft.ranges import Range
from sweeper.draft.script import Script
from sweeper.draft.space import Space
from sweeper.program import Scalar

_PLAIN = re.compile(r"(?:--?)?[A-Za-z_][\w./-]*\Z")
_WORDS_OF_YAML = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_WIDTH = 99
_WAYS: dict[Way, str] = {
    "args": "the script takes --name value",
    "env": "the script reads environment variables",
    "json": "the script reads SWEEPER_PARAMS",
    "constants": "its top-level constants are overwritten in a copy",
}
_LENGTHS = frozenset(
    {"max_steps", "steps", "num_steps", "total_steps", "max_iters", "train_steps"}
)
_FEWEST_JOBS, _MOST_JOBS, _JOBS_PER_PARAMETER = 12, 40, 3


def draft_program(script: Path, *, name: str | None = None, folder: Path | None = None) -> str:
    """Return a program.md for a training script, read from its text without running it.

    Args:
        script: The script.
        name: The sweep's name; default the folder's.
        folder: Where the page will lie; default the script's folder.

    Raises:
        ScriptError: It is no Python, or nothing in it can be set from outside; with the line.
    """
    read = reading.read(script, folder or script.parent)
    arguments = list(_arguments(read))
    space = spaces.draft(read, {name for name, _ in arguments})
    blocks = [
        ("Sweep", [f"name: {_scalar(name)}"] if name else []),
        ("Goal", list(_goal(read))),
        ("Scope", list(_scope(read))),
        ("Training", list(_training(read, arguments))),
        ("Search space", list(_search_space(read, space))),
        ("Budget envelope", list(_budget(space))),
    ]
    return _introduction(read, name) + "\n".join(_block(*block) for block in blocks if block[1])


def _introduction(read: Script, name: str | None) -> str:
    title = name or read.folder.absolute().name or "Sweep"
    text = (
        f"Drafted by `sweeper init` from {_line(read.path.name)}, without running it; the ranges"
        f" assume {spaces.assumed(read)}. Say here what the sweep is for and correct what is wrong"
        " below; then `sweeper try`, `sweeper check`, `sweeper approve`, `sweeper run`."
    )
    return f"# {_line(title)}\n\n{textwrap.fill(text, _WIDTH)}\n\n"


def _block(heading: str, lines: Iterable[str]) -> str:
    return "\n".join([f"## {heading}", "```yaml", *lines, "```", ""])


def _goal(read: Script) -> Iterator[str]:
    found = read.reported
    yield _commented(f"metric: {_scalar(found.metric)}", found.reason)
    others = [name for name in found.names if name != found.metric]
    if others:
        yield from _wrapped("also seen: ", others[:8])
    yield f"direction: {found.direction}"
    yield _commented("value: last", "or best: which reading of a trial's curve counts")
    yield _commented("patience: 8", "stop after so many trials without a real improvement")


def _scope(read: Script) -> Iterator[str]:
    for key, names in (("models", read.models), ("datasets", read.datasets)):
        if names:
            yield _commented(f"{key}: {_flow(names)}", "named in the script")


def _training(read: Script, arguments: list[tuple[str, list[str]]]) -> Iterator[str]:
    yield f"script: {_scalar(read.path.relative_to(read.folder).as_posix())}"
    if arguments:
        yield from _args(arguments)
    yield _commented(f"parameters: {read.way}", _WAYS[read.way])
    if read.files:
        yield _commented(f"files: {_flow(read.files)}", "used by the script, beside it")
    yield from _resource(read)
    if read.way != "args":
        fixed = [
            option.name for option in read.options if omitted.reason(option.name) == omitted.SEED
        ]
        if fixed:
            yield f'# {", ".join(fixed)}: let it be int(os.environ.get("SWEEPER_SEED", "0"))'


def _args(arguments: list[tuple[str, list[str]]]) -> Iterator[str]:
    missing = [words for _, words in arguments if any(word.startswith("<") for word in words)]
    yield "args:"
    for _, words in arguments:
        for word in words:
            hint = word.startswith("<") and missing
            line = f"  - {_scalar(word)}"
            yield _commented(line, "the script needs it: fill in") if hint else line


def _arguments(read: Script) -> Iterator[tuple[str, list[str]]]:
    """Yield name and words of what stands in `args`: places, the seed, what is required."""
    done = set[str]()
    for name, words in (*_own_arguments(read), *_trainer_arguments(read)):
        if name not in done:
            done.add(name)
            yield name, words


def _own_arguments(read: Script) -> Iterator[tuple[str, list[str]]]:
    for option in read.arguments:
        template = omitted.template(option.name)
        if template == "{output_repo}" or not option.takes_value or option.flag is None:
            continue
        if template is not None and not ranges.knows(option.name):
            yield option.name, _typed(option, template)
        elif option.required and not _searched(read, option):
            fill = f"<{option.name}>"
            yield option.name, _typed(option, read.models[0] if _is_model(read, option) else fill)


def _typed(option: Option, value: str) -> list[str]:
    flag = str(option.flag)
    return [flag, value] if flag.startswith("-") else [value]


def _searched(read: Script, option: Option) -> bool:
    known = ranges.knows(option.name) and option.obstacle is None
    return known and read.way == "args"


def _is_model(read: Script, option: Option) -> bool:
    return bool(read.models) and "model" in option.name


def _trainer_arguments(read: Script) -> Iterator[tuple[str, list[str]]]:
    """Yield what scripts made of the libraries' configuration classes need to be told."""
    if not read.configured:
        return
    model = read.models[0] if read.models else "<model_name_or_path>"
    dataset = read.datasets[0] if read.datasets else "<dataset_name>"
    named = {option.name for option in read.arguments}
    if "ModelConfig" in read.configured and "model_name_or_path" not in named:
        yield "model_name_or_path", ["--model_name_or_path", model]
    if trainers.SCRIPT_ARGUMENTS in read.configured and "dataset_name" not in named:
        yield "dataset_name", ["--dataset_name", dataset]
    if read.configured & trainers.RUN_CONFIGS:
        yield "output_dir", ["--output_dir", "{output_dir}"]
        yield "seed", ["--seed", "{seed}"]
        if read.evaluates:
            yield "eval_strategy", ["--eval_strategy", "steps"]
            yield "eval_steps", ["--eval_steps", "50"]
        yield "save_strategy", ["--save_strategy", "no"]


def _resource(read: Script) -> Iterator[str]:
    end = _end(read)
    axis = read.reported.axis
    if axis and end:
        why = "the script prints it beside the metric; bad trials are pruned along it"
        yield _commented(f"resource: {{name: {axis}, max: {_scalar(end)}}}", why)
    else:
        yield "# bad trials are pruned along an axis; `sweeper try` says which steps it saw:"
        yield f"# resource: {{name: {axis or 'step'}, max: 100}}"


def _end(read: Script) -> int | None:
    """Return where the axis of readings ends, when one of the script's own settings says it."""
    wanted = _LENGTHS if read.reported.axis == "step" else placement.EPOCHS
    if read.reported.axis == "epoch" and read.setting.method != "scratch":
        return None
    everything = [*read.options, *(each for more in read.elsewhere.values() for each in more)]
    for option in everything:
        if (
            option.name.lower() in wanted
            and isinstance(option.default, int)
            and option.default > 0
        ):
            return option.default
    return None


def _search_space(read: Script, space: Space) -> Iterator[str]:
    longest = max(len(name) for name in space.searched) + 1
    for name, found in space.searched.items():
        yield _commented(f"{name + ':':<{longest}} {_range(found)}", found.reason)
    if space.constraints:
        yield "constraints: [" + ", ".join(json.dumps(each) for each in space.constraints) + "]"
    for name, found in space.offered.items():
        yield _commented(f"# {name}: {_range(found)}", found.reason)
    for name, value in space.words.items():
        yield f"# {name}: [{_scalar(value)}, …]   # name its other values to search them"
    for reason, names in space.left_out.items():
        yield from _wrapped("left out: ", names, f" ({_line(reason)})")
    for way, options in read.elsewhere.items():
        names = [option.name for option in options if ranges.knows(option.name)]
        yield from _wrapped(f"also there, but as {way}: ", names)


def _range(found: Range) -> str:
    if found.choices is not None:
        parts = [f"choices: {_flow(found.choices)}"]
    else:
        parts = [f"low: {_scalar(found.low)}", f"high: {_scalar(found.high)}"]
        parts += ["log: true"] if found.log else []
    parts.append(f"default: {_scalar(found.default)}")
    for parent, values in found.when.items():
        value = _scalar(values[0]) if len(values) == 1 else _flow(values)
        parts.append(f"when: {{{parent}: {value}}}")
    return "{" + ", ".join(parts) + "}"


def _budget(space: Space) -> Iterator[str]:
    jobs = min(_MOST_JOBS, max(_FEWEST_JOBS, _JOBS_PER_PARAMETER * len(space.searched)))
    yield _commented(f"max_jobs: {jobs}", "about three for each parameter")
    yield _commented("max_walltime: 4h", "all trials together; `sweeper try` times one of them")
    yield _commented("max_timeout: 30m", "one trial; `sweeper try` proposes a value")
    yield "max_parallel: 1"
    yield "# on Hugging Face Jobs: `executor: hf` under `## Sweep`, and here, for example,"
    yield "# allowed_flavors: [t4-small]"
    yield "# max_cost: 10"


def _commented(line: str, comment: str) -> str:
    joined = f"{line:<30}  # {_line(comment)}"
    return joined if len(joined) <= _WIDTH else f"# {_line(comment)}\n{line}"


def _wrapped(before: str, names: Iterable[str], after: str = "") -> Iterator[str]:
    """Yield a comment that lists names, in lines that are not too long."""
    text = ", ".join(map(_line, names))
    if text:
        for line in textwrap.wrap(before + text + after, _WIDTH - 2, break_on_hyphens=False):
            yield f"# {line}"


def _line(text: str) -> str:
    """Return a text that cannot leave its comment, nor its block."""
    return " ".join(text.replace("`" * 3, "'").split())


def _flow(values: Iterable[Scalar]) -> str:
    return "[" + ", ".join(map(_scalar, values)) + "]"


def _scalar(value: Scalar) -> str:
    """Return a value as YAML 1.2 reads it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return repr(value)
    plain = _PLAIN.match(value) and value.lower() not in _WORDS_OF_YAML
    return value if plain else json.dumps(value)
