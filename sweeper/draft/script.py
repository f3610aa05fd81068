"""A training script as `init` sees it, read from its text without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sweeper.draft import arguments
from sweeper.draft import fields
from sweeper.draft import fitting
from sweeper.draft import placement
from sweeper.draft import reported
from sweeper.draft import surroundings
from sweeper.draft import syntax
from sweeper.draft import trainers
from sweeper.draft.options import Option
from sweeper.draft.options import Way
from sweeper.draft.ranges import Method
from sweeper.draft.ranges import Setting
from sweeper.draft.reported import Reported
from sweeper.errors import ScriptError

_SIZE = re.compile(r"(?:[-_/]|\A)(\d+(?:\.\d+)?)\s?([bm])(?![a-z])", re.IGNORECASE)
#: Billions of weights of models whose names do not say it (their papers do).
_SIZES = (("distil", 0.066), ("large", 0.34), ("base", 0.11), ("gpt2", 0.124))
_BOOSTERS = frozenset({"xgboost", "lightgbm", "catboost"})
_BOOSTING_CLASSES = re.compile(r"(Hist)?GradientBoosting|XGB|LGBM|CatBoost")
_FILE = re.compile(r"\w[\w-]*(/[\w-]+)*\.\w{1,8}\Z")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+\Z")


@dataclass(frozen=True, slots=True)
class Script:
    """What was read.

    Attributes:
        path: The script.
        folder: The folder of program.md; paths on the page are relative to it.
        way: How parameters reach it.
        options: What can be set in that way.
        elsewhere: What could be set in other ways, by way.
        arguments: Its command line, whatever the way.
        setting: What is known of the training as a whole.
        reported: What it prints.
        models: Models that it names.
        datasets: Data sets of the Hub that it names.
        files: Modules and files beside it that it uses.
        configured: Configuration classes of trainers that its command line is made from.
        evaluates: Whether a trainer is given something to evaluate on.
    """

    path: Path
    folder: Path
    way: Way
    options: tuple[Option, ...]
    elsewhere: Mapping[Way, tuple[Option, ...]]
    arguments: tuple[Option, ...]
    setting: Setting
    reported: Reported
    models: tuple[str, ...]
    datasets: tuple[str, ...]
    files: tuple[str, ...]
    configured: frozenset[str]
    evaluates: bool


def read(path: Path, folder: Path) -> Script:
    """Read a training script.

    Args:
        path: The script, in `folder` or below.
        folder: The folder of program.md.

    Raises:
        ScriptError: It is no Python, or nothing in it can be set from outside; with the line.
    """
    tree = syntax.parse(path)
    parsed = fields.parsed(tree)
    found: dict[Way, tuple[Option, ...]] = {
        "json": _once(surroundings.document(tree)),  # a script that reads ours means it
        "args": _once([*arguments.find(tree), *parsed]),
        "env": _once(surroundings.environment(tree)),
        "constants": _once(surroundings.constants(tree)),
    }
    models = tuple(dict.fromkeys(_models(tree, found["args"])))
    setting = _setting(tree, found, models)
    way = _way(path, tree, found, setting)
    named = fields.config_classes(tree) if parsed else frozenset[str]()
    return Script(
        path=path,
        folder=folder,
        way=way,
        options=found[way],
        elsewhere={other: options for other, options in found.items() if other != way},
        arguments=found["args"],
        setting=setting,
        reported=reported.find(tree),
        models=models,
        datasets=tuple(dict.fromkeys(_datasets(tree, found["args"]))),
        files=tuple(_beside(path, folder, tree)),
        configured=named,
        evaluates=reported.evaluates(tree),
    )


def _once(options: Iterable[Option]) -> tuple[Option, ...]:
    """Keep the last declaration of each name."""
    return tuple({option.name: option for option in options}.values())


def _way(
    path: Path, tree: ast.Module, found: Mapping[Way, tuple[Option, ...]], setting: Setting
) -> Way:
    """Return the way that reaches a hyperparameter; failing that, any number."""
    for reached in (placement.searched, placement.offered):
        for way, options in found.items():
            if any(reached(option, setting) is not None for option in options):
                return way
    raise _nothing(path, tree, found)


def _nothing(path: Path, tree: ast.Module, found: Mapping[Way, tuple[Option, ...]]) -> ScriptError:
    """Say why there is nothing to sweep, at the line where a change would help most."""
    for option in (option for options in found.values() for option in options):
        if option.obstacle is not None and fitting.suggest(option, Setting()) is not None:
            return ScriptError(
                f"{path.name}: {option.name} cannot be swept: {option.obstacle} "
                f"(line {option.line}).",
                line=option.line,
                key=option.name,
                hint='For example `parser.add_argument("--learning_rate", type=float, ...)`.',
            )
    for node in fields.dataclasses(tree).values():
        if fields.fields(node):
            return _unreachable(path, node)
    return ScriptError(
        f"{path.name} has no hyperparameter that could be set from outside.",
        line=1,
        key="script",
        hint="Give it arguments (argparse), CAPITAL constants at the top level, or let it read"
        f' json.loads(os.environ["{surroundings.PARAMS}"]).',
    )


def _unreachable(path: Path, node: ast.ClassDef) -> ScriptError:
    return ScriptError(
        f"{path.name} keeps its parameters in the dataclass {node.name} (line {node.lineno}), and"
        " nothing sets its fields from outside.",
        line=node.lineno,
        key=node.name,
        hint=f'Make it `{node.name}(**json.loads(os.environ["{surroundings.PARAMS}"]))`, or parse'
        f" it with HfArgumentParser({node.name}); then run `sweeper init` again.",
    )


def _setting(
    tree: ast.Module, found: Mapping[Way, tuple[Option, ...]], models: tuple[str, ...]
) -> Setting:
    configured = fields.config_classes(tree)
    names = {option.name for options in found.values() for option in options}
    return Setting(
        method=_method(tree, names, configured),
        billions=next((size for model in models if (size := _billions(model))), None),
        preference=bool(configured & trainers.PREFERENCE),
        online=bool(configured & trainers.ONLINE),
        sgd=_sgd(tree, found),
        boosting=bool(imported(tree) & _BOOSTERS) or _mentions(tree, _BOOSTING_CLASSES),
    )


def _method(tree: ast.Module, names: set[str], configured: frozenset[str]) -> Method:
    if names & {"use_peft", "use_lora"}:
        return "either"
    if _mentions(tree, re.compile(r"LoraConfig\Z")) or names & {"lora_r", "lora_rank"}:
        return "lora"
    pretrained = _mentions(tree, re.compile(r"from_pretrained\Z"))
    return "full" if pretrained or configured else "scratch"


def _mentions(tree: ast.Module, pattern: re.Pattern[str]) -> bool:
    return any(
        pattern.match(syntax.last_name(node))
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
    )


def _sgd(tree: ast.Module, found: Mapping[Way, tuple[Option, ...]]) -> bool:
    for option in (option for options in found.values() for option in options):
        if option.name.lower() in ("optimizer", "optim", "opt") and isinstance(
            option.default, str
        ):
            return "sgd" in option.default.lower()
    return _mentions(tree, re.compile(r"SGD\Z")) and not _mentions(tree, re.compile("Adam"))


def imported(tree: ast.Module) -> set[str]:
    """Return the top-level packages that a script imports."""
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _models(tree: ast.Module, options: tuple[Option, ...]) -> Iterator[str]:
    known = {name: value for name, (value, _) in syntax.constants(tree).items()}
    for call in syntax.calls(tree):
        if syntax.last_name(call.func) == "from_pretrained" and call.args:
            yield from _repository(syntax.literal(call.args[0], known))
        yield from _repository(syntax.literal(syntax.keywords(call).get("model"), known))
    for option in options:
        if re.search(r"model|backbone|checkpoint", option.name):
            yield from _repository(option.default)


def _datasets(tree: ast.Module, options: tuple[Option, ...]) -> Iterator[str]:
    known = {name: value for name, (value, _) in syntax.constants(tree).items()}
    for call in syntax.calls(tree):
        if syntax.last_name(call.func) == "load_dataset" and call.args:
            yield from _repository(syntax.literal(call.args[0], known))
    for option in options:
        if "dataset" in option.name:
            yield from _repository(option.default)


def _repository(value: object) -> Iterator[str]:
    canonical = isinstance(value, str) and re.match(r"[\w.-]+\Z", value) is not None
    if isinstance(value, str) and (_REPOSITORY.match(value) or canonical) and value[:1] != ".":
        yield value


def _billions(model: str) -> float | None:
    found = _SIZE.search(model)
    if found:
        return float(found[1]) / (1000 if found[2].lower() == "m" else 1)
    return next((size for word, size in _SIZES if word in model.lower()), None)


def _beside(path: Path, folder: Path, tree: ast.Module) -> Iterator[str]:
    """Yield what the script imports from its own folder, and files that it names from `folder`."""
    below = path.parent.relative_to(folder)
    for name in sorted(imported(tree)):
        if (path.parent / f"{name}.py").is_file() and name != path.stem:
            yield (below / f"{name}.py").as_posix()
        elif (path.parent / name / "__init__.py").is_file():
            yield (below / name).as_posix() + "/"
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    for text in sorted(text for text in texts if isinstance(text, str)):
        if _FILE.match(text) and (folder / text).is_file() and not path.samefile(folder / text):
            yield text
