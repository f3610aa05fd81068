"""Decides about one option: searched, offered as a comment, or left out and why."""

from __future__ import annotations

from sweeper.draft import fitting
from sweeper.draft import omitted
from sweeper.draft.options import Option
from sweeper.draft.ranges import Range
from sweeper.draft.ranges import Setting

#: Names of the training's length in epochs.
EPOCHS = frozenset({"epochs", "num_epochs", "n_epochs", "max_epochs", "num_train_epochs"})
_LENGTH = "the training's length: all trials train as long, and bad ones are pruned"


def searched(option: Option, setting: Setting) -> Range | None:
    """Return the range of a known hyperparameter that a sweep can set, or None."""
    if left_out(option, setting) is not None:
        return None
    return fitting.suggest(option, setting)


def offered(option: Option, setting: Setting) -> Range | None:
    """Return a range for a number of unknown meaning that a sweep can set, or None."""
    if left_out(option, setting) is not None or fitting.suggest(option, setting) is not None:
        return None
    return fitting.unknown_number(option)


def left_out(option: Option, setting: Setting) -> str | None:
    """Return why an option is not even looked up, or None."""
    name = option.name.lower()
    reason = omitted.reason(name)
    if reason is not None and fitting.suggest(option, setting) is None:
        return reason
    if option.obstacle is not None:
        return option.obstacle
    return _LENGTH if name in EPOCHS and setting.method == "scratch" else None
