"""Makes every `transformers` trainer report in full precision, with its step.

A trainer's own print is rounded to four digits and has no step. The callback stands in front of
the others, so its line comes before that print. Imported only once `transformers.trainer` is.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import sweeper_report  # type: ignore[import-not-found]  # beside this file, on PYTHONPATH


def attach(trainer_module: ModuleType) -> None:
    """Put the callback among those that every trainer of this process starts with.

    `DEFAULT_CALLBACKS` is the list that `Trainer.__init__`, and the trainers of TRL that set up
    their own handler, build on. Where a release has none, the trainer's own print is read.
    """
    defaults = getattr(trainer_module, "DEFAULT_CALLBACKS", None)
    if isinstance(defaults, list):
        defaults.insert(0, _callback(trainer_module))


def _callback(trainer_module: ModuleType) -> type:
    from transformers.trainer_callback import TrainerCallback

    class SweeperCallback(TrainerCallback):
        """Prints what the trainer logs, as it is, from the first of all processes."""

        def on_init_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """Announce that full precision follows."""
            if state.is_world_process_zero:
                sweeper_report.write({"reports": "transformers"})

        def on_log(
            self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any
        ) -> None:
            """Print the numbers among the logs."""
            if state.is_world_process_zero and logs:
                axes = {"step": state.global_step, "epoch": state.epoch}
                sweeper_report.write(_numbers({**logs, **axes}))

    return SweeperCallback


def _numbers(values: dict[str, Any]) -> dict[str, object]:
    """Return the entries that are one number each; texts and tables are the trainer's own."""
    pairs = ((name, _number(value)) for name, value in values.items())
    return {name: number for name, number in pairs if number is not None}


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, (str, bytes, bool)):
        return None
    if isinstance(value, int):
        return value
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return None
