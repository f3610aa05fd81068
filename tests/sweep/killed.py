"""Runs a sweep and kills its own process before or after one call of one step.

Usage: python -m tests.sweep.killed [STEP before|after CALL], in the sweep's folder. A step is
`module:name` or `module:class.name`; without one it lives.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from sweeper.program import load
from sweeper.sweep.conductor import Options
from sweeper.sweep.running import conducting


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def deadly(step: str, moment: str, call: int) -> None:
    """Make the process die at the given call of a step."""
    module_name, _, path = step.partition(":")
    owner: Any = importlib.import_module(module_name)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    original = getattr(owner, name)
    calls = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and moment == "before":
            die()
        result = original(*args, **kwargs)
        if calls == call and moment == "after":
            die()
        return result

    setattr(owner, name, wrapped)


def main() -> None:
    if sys.argv[1:]:
        step, moment, call = sys.argv[1:]
        deadly(step, moment, int(call))
    with conducting(load(Path()), None, Options()) as (_, conductor):
        for _event in conductor.run():
            pass


if __name__ == "__main__":
    main()
