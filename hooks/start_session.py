"""SessionStart: has the environment built, and tells the state of the sweep in this folder.

Standard library only. It reads nothing outside of a folder with a program.md and never holds a
session up: whatever goes wrong here is silence.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

SWEEPER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bin/sweeper")
PATIENCE_S = 10


def main() -> None:
    """Start the build where it is missing, and print three lines where a program stands."""
    call = json.load(sys.stdin)
    folder = str(call.get("cwd") or os.getcwd())
    subprocess.run(["sh", SWEEPER, "--prepare"], timeout=PATIENCE_S, check=False)
    if os.path.isfile(os.path.join(folder, "program.md")):
        print("\n".join(opening(folder)))


def opening(folder: str) -> list[str]:
    """Return what a session must know of the sweep in `folder`, the command to go on last."""
    if not os.path.isdir(os.path.join(folder, "runs")):
        return [
            "This folder holds program.md, a sweep that has not been approved yet (ml-research).",
            "Nothing ran and nothing was spent.",
            f"Look at it with: sweeper check {quoted(folder)}",
        ]
    prepared = subprocess.run(["sh", SWEEPER, "--prepared"], timeout=PATIENCE_S, check=False)
    if prepared.returncode:
        return [
            "This folder holds a sweep (program.md, runs/); the ml-research-loop skill runs it.",
            "The sweeper command is being built, once; its state is in runs/summary.md meanwhile.",
            f"Then look with: sweeper status {quoted(folder)}",
        ]
    return state_lines(status(folder), folder)


def status(folder: str) -> dict[str, object] | None:
    """Return `sweeper status --json`, or None where it has nothing to say."""
    command = ["sh", SWEEPER, "status", folder, "--json"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        found = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return found if isinstance(found, dict) and "state" in found else None


def state_lines(found: dict[str, object] | None, folder: str) -> list[str]:
    """Return a status document as three lines."""
    if found is None:
        return [
            "This folder holds a sweep whose state cannot be read.",
            "Its records are in runs/.",
            f"See why: sweeper check {quoted(folder)}",
        ]
    budget, best = found["budget"], found.get("best")
    assert isinstance(budget, dict)
    alive = isinstance(found.get("conductor"), dict) and found["conductor"]["alive"]  # type: ignore[index]
    state = str(found["state"])
    if state == "running" and not alive:
        state = "interrupted (its conductor is gone; jobs that run go on)"
    why = f" ({found['stop_reason']})" if found.get("stop_reason") else ""
    jobs = budget["jobs"]
    first = f"Sweep {found['study']} is {state}{why}: {jobs['used']} of {jobs['limit']} jobs used"
    cost = budget["cost_usd"]
    if cost["used"] or cost["limit"]:
        first += f", ${cost['used']:.2f} spent" + (
            f" of ${cost['limit']:.2f}" if cost["limit"] else ""
        )
    second = f"No trial has completed yet; {found['direction']} {found['metric']}."
    if isinstance(best, dict):
        second = f"Best {found['metric']} so far: {best['value']:.6g} (trial {best['trial']})."
    over = state == "finished" or (state == "running" and alive)
    command = "status" if over else "run"
    detach = "" if over else " --detach"
    return [f"{first}.", second, f"Go on with: sweeper {command} {quoted(folder)}{detach}"]


def quoted(text: str) -> str:
    """Return a path as a shell takes it."""
    plain = text.replace("/", "").replace("-", "").replace("_", "").replace(".", "")
    return text if plain.isalnum() else "'" + text.replace("'", "'\\''") + "'"


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # a session never waits for this hook, nor fails with it
        print(f"ml-research: no state to tell ({error})", file=sys.stderr)
