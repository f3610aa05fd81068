"""What a script prints: which names a sweep would see, and which of them is worth optimising.

Every print is acted out with a number in place of each value, and the line goes through the same
reader that will read the job's log.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sweeper.draft import fields
from sweeper.draft import syntax
from sweeper.draft import trainers
from sweeper.jobs import metrics

#: Stands for a value that only running would tell.
_VALUE = "0.5"
_PRINTERS = frozenset(
    {"print", "info", "warning", "debug", "critical", "log", "write", "echo", "secho", "pprint"}
)
_PERCENT = re.compile(r"%[-+ #0]*[\d.*]*[a-zA-Z]")
_BRACES = re.compile(r"\{[^{}]*\}")
_AXES = ("step", "epoch")

_HELD_OUT = re.compile(r"(val|valid|validation|eval|dev|held_?out|cv)[_/.-]?", re.IGNORECASE)
_TEST = re.compile(r"test[_/.-]?", re.IGNORECASE)
_TRAIN = re.compile(r"(train|training|tr)[_/.-]", re.IGNORECASE)
_LOW_IS_GOOD = re.compile(
    r"loss|error|err$|ppl|perplexity|bp[bc]$|rmse|mae$|mse|wer$|cer$|fid$|nll|entropy|deviance",
    re.IGNORECASE,
)
_HIGH_IS_GOOD = re.compile(
    r"acc|f1|auc|auroc|bleu|rouge|reward|score|m?ap$|iou|psnr|ssim|r2|mcc|kappa|ndcg|recall|"
    r"precision|win_?rate|return|top[_@]?[15]|exact_match|hits",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reported:
    """What a script lets a sweep see.

    Attributes:
        metric: The name to optimise.
        direction: Where better lies.
        reason: Why this name; what to do if it is a guess into the blue.
        names: Every name that was found, best first.
        axis: "step" or "epoch" if a number of that name stands on the metric's own line.
    """

    metric: str
    direction: Literal["minimize", "maximize"]
    reason: str
    names: tuple[str, ...]
    axis: str | None = None


def find(tree: ast.Module) -> Reported:
    """Return the metric that a script most probably wants optimised."""
    lines = [set(line) for line in _lines(tree)]
    seen = list(dict.fromkeys(name for line in lines for name in sorted(line)))
    names = sorted((name for name in seen if worth(name)), key=worth, reverse=True)
    best = _best_model_metric(tree)
    if best:
        names.insert(0, best)
        return _reported(names, lines, "the script's metric_for_best_model")
    trained = _trained(tree)
    if trained is not None:
        names.insert(0, trained[0])
        return _reported(names, lines, trained[1])
    if names:
        return _reported(names, lines, "the script prints it")
    reason = "a guess: nothing the script prints is a metric; print one as `val_loss=0.123`"
    return Reported("val_loss", "minimize", reason, ())


def direction(name: str) -> Literal["minimize", "maximize"]:
    """Return where better lies, judged by the name."""
    higher = _HIGH_IS_GOOD.search(name) and not _LOW_IS_GOOD.search(name)
    return "maximize" if higher else "minimize"


def _reported(names: list[str], lines: list[set[str]], reason: str) -> Reported:
    metric = names[0]
    own = next((line for line in lines if metric in line), set())
    axis = next((axis for axis in _AXES if axis in own), None)
    if not (_HIGH_IS_GOOD.search(metric) or _LOW_IS_GOOD.search(metric)):
        reason += "; that smaller is better is a guess"
    return Reported(metric, direction(metric), reason, tuple(dict.fromkeys(names)), axis)


def worth(name: str) -> int:
    """Return how good an objective a name promises to be; 0 for none."""
    quality = 10 if _LOW_IS_GOOD.search(name) else 8 if _HIGH_IS_GOOD.search(name) else 0
    if quality == 0:
        return 0
    if _HELD_OUT.match(name):
        return 300 + quality
    if _TEST.match(name):
        return 200 + quality
    return quality if _TRAIN.match(name) else 100 + quality


def _lines(tree: ast.Module) -> Iterator[set[str]]:
    """Yield the names on each line that the script would print."""
    for call in syntax.calls(tree):
        name = syntax.last_name(call.func)
        if name == "report":
            yield set(syntax.keywords(call))
        elif name in _PRINTERS and call.args:
            line = metrics.parse_line(_line(call))
            if line is not None:
                yield set(line.values)


def _line(call: ast.Call) -> str:
    """Return the line of one print; a logger's format takes the values that follow it."""
    first = _text(call.args[0])
    if len(call.args) > 1 and _PERCENT.search(first):
        return _PERCENT.sub(_VALUE, first)
    return " ".join(_text(argument) for argument in call.args)


def _text(node: ast.expr) -> str:
    """Return what an expression would print, each value that is not written out as a number."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _PERCENT.sub(_VALUE, _text(node.left))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.Dict):
        return _dict(node)
    if isinstance(node, ast.Call) and syntax.last_name(node.func) in ("dumps", "dict"):
        entries = ", ".join(f"'{name}': {_VALUE}" for name in syntax.keywords(node))
        return _text(node.args[0]) if node.args else "{" + entries + "}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return (
            _BRACES.sub(_VALUE, _text(node.func.value)) if node.func.attr == "format" else _VALUE
        )
    return _VALUE


def _dict(node: ast.Dict) -> str:
    names = [syntax.literal(key) for key in node.keys]
    return "{" + ", ".join(f"'{name}': {_VALUE}" for name in names if isinstance(name, str)) + "}"


def _best_model_metric(tree: ast.Module) -> str | None:
    """Return what `metric_for_best_model` is set to, as an argument or an attribute."""
    given = [syntax.keywords(call).get("metric_for_best_model") for call in syntax.calls(tree)]
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        if isinstance(node, ast.Assign | ast.AnnAssign) and any(
            syntax.last_name(target) == "metric_for_best_model" for target in targets
        ):
            given.append(node.value)
    names = [name for value in given if isinstance(name := syntax.literal(value), str)]
    return next((n if n.startswith("eval_") else f"eval_{n}" for n in names), None)


def evaluates(tree: ast.Module) -> bool:
    """Tell whether a trainer is given something to evaluate on."""
    return any("eval_dataset" in syntax.keywords(call) for call in syntax.calls(tree))


def _trained(tree: ast.Module) -> tuple[str, str] | None:
    """Return what a transformers trainer reports, and why that; None where there is none."""
    configured = fields.config_classes(tree) & trainers.RUN_CONFIGS
    if not configured:
        return None
    if configured & trainers.ONLINE:
        return "reward", "the trainer reports it as it learns"
    if evaluates(tree):
        return "eval_loss", "a trainer reports it at each evaluation"
    return "loss", "the trainer has no eval_dataset, so this is of the training data: give it one"
