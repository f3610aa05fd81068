"""The drafted search space: what is searched, what may be, what is left alone, each with a reason.

A parameter that only matters under another one's value gets a `when`; sizes that must divide each
other get a constraint.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from sweeper.draft import placement
from sweeper.draft import ranges
from sweeper.draft.options import Option
from sweeper.draft.ranges import Range
from sweeper.draft.script import Script
from sweeper.program import Scalar

_OPTIMIZERS = ("optimizer", "optim", "opt")
_ADAPTERS = ("use_peft", "use_lora")
_HEADS = frozenset({"num_heads", "n_heads", "n_head", "heads", "nhead", "num_attention_heads"})
_WIDTHS = frozenset(
    {"hidden_size", "hidden_dim", "d_model", "n_embd", "embed_dim", "width", "dim"}
)


@dataclass(frozen=True, slots=True)
class Space:
    """A drafted search space.

    Attributes:
        searched: Ranges by name, in the order of the script.
        offered: Ranges of numbers whose meaning is not known, to be taken in by hand.
        words: Defaults of known parameters whose other values the script does not list.
        left_out: Reason -> names.
        constraints: Conditions in program.md's language.
    """

    searched: dict[str, Range] = field(default_factory=dict)
    offered: dict[str, Range] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    constraints: list[str] = field(default_factory=list)


def draft(script: Script, given: Collection[str]) -> Space:
    """Return the search space of a script.

    Args:
        script: As it was read.
        given: Names that `args` already sets.
    """
    space = Space()
    for option in script.options:
        if option.name not in given:
            _place(space, script, option)
    if not space.searched:
        space.searched.update(space.offered)
        space.offered.clear()
    _conditions(space.searched)
    space.constraints.extend(_constraints(space.searched))
    return space


def _place(space: Space, script: Script, option: Option) -> None:
    name, setting = option.name, script.setting
    if (found := placement.searched(option, setting)) is not None:
        space.searched[name] = found
        return
    if (found := placement.offered(option, setting)) is not None:
        space.offered[name] = found
        return
    why = placement.left_out(option, setting)
    if why is None and ranges.knows(name) and isinstance(option.default, str):
        space.words[name] = option.default
    else:
        space.left_out.setdefault(why or "not known to be a hyperparameter", []).append(name)


def _conditions(searched: dict[str, Range]) -> None:
    """Add `when` where a parameter only matters under another one's value."""
    for name, found in searched.items():
        when = _when(name.lower(), searched)
        if when:
            searched[name] = replace(found, when=when)


def _when(name: str, searched: Mapping[str, Range]) -> dict[str, tuple[Scalar, ...]]:
    if name.startswith("lora_") or name in ("rank", "r"):
        parent = _present(_ADAPTERS, searched)
        return {parent: (True,)} if parent else {}
    words = {"momentum": ("sgd", "momentum", "rmsprop"), "nesterov": ("sgd", "momentum")}
    words |= dict.fromkeys(
        ("beta1", "beta2", "adam_beta1", "adam_beta2"), ("adam", "lamb", "lion")
    )
    words |= {"adam_epsilon": ("adam", "lamb")}
    parent = _present(_OPTIMIZERS, searched)
    if parent is None or name not in words:
        return {}
    choices = searched[parent].choices or ()
    fitting_choices = tuple(c for c in choices if any(w in str(c).lower() for w in words[name]))
    partly = 0 < len(fitting_choices) < len(choices)
    return {parent: fitting_choices} if partly else {}


def _present(names: Collection[str], searched: Mapping[str, Range]) -> str | None:
    return next((name for name in searched if name.lower() in names), None)


def _constraints(searched: Mapping[str, Range]) -> Iterator[str]:
    """Yield that the heads divide the width, when the defaults do."""
    width, heads = _present(_WIDTHS, searched), _present(_HEADS, searched)
    if width is None or heads is None:
        return
    size, count = searched[width].default, searched[heads].default
    if isinstance(size, int) and isinstance(count, int) and count and size % count == 0:
        yield f"{width} % {heads} == 0"


def assumed(script: Script) -> str:
    """Return in words what the ranges assume about the training."""
    if script.setting.boosting:
        return "boosted trees"
    words = {
        "scratch": "training from scratch",
        "full": "fine-tuning of all weights",
        "lora": "LoRA fine-tuning",
        "either": "fine-tuning with or without LoRA",
    }
    return words[script.setting.method]
