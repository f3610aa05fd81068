"""`sweeper reproduce [N]`: the exact command of a trial, to be run by hand."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from sweeper.errors import StateError
from sweeper.summary import snapshot
from sweeper.sweep.folder import Folder

#: What an attempt's folder says of how it was started (`jobs/runner.py` writes it).
_SPEC = "spec.json"


def reproduction(path: Path, trial: int | None) -> dict[str, Any]:
    """Return how a trial was run: folder, command, seed and parameters.

    Args:
        path: A program.md or its folder.
        trial: Number of the trial; None for the best.

    Raises:
        StateError: There is no such trial, or it ran elsewhere.
    """
    root = path if path.is_dir() else path.parent
    look = snapshot.read(root, curves=False)
    number = trial
    if number is None:
        if look.best is None:
            raise StateError("No trial is complete yet, so there is no winner to run again.")
        number = look.best.trial
    jobs = next((each.jobs for each in look.trials if each.number == number), None)
    if jobs is None:
        raise StateError(f"There is no trial {number}.", key="trial")
    spec = _spec(Folder(root), number, jobs[-1].attempt if jobs else "1")
    return {
        "trial": number,
        "folder": spec["cwd"],
        "command": spec["argv"],
        "seed": spec["seed"],
        "params": spec["params"],
    }


def _spec(folder: Folder, trial: int, attempt: str) -> dict[str, Any]:
    try:
        text = (folder.attempt(trial, attempt) / _SPEC).read_text(encoding="utf-8")
        spec: dict[str, Any] = json.loads(text)
        return spec
    except (OSError, ValueError):
        raise StateError(
            f"Trial {trial} left nothing here that says how it was started.",
            hint="Only trials that ran on this machine do; `sweeper status` shows its parameters.",
        ) from None


def text(found: dict[str, Any]) -> str:
    """Return the reproduction as lines for a shell."""
    variables = {"SWEEPER_SEED": str(found["seed"]), "SWEEPER_PARAMS": json.dumps(found["params"])}
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    return f"cd {shlex.quote(found['folder'])}\n{given} {shlex.join(found['command'])}"
