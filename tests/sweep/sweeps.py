"""Small real sweeps for the tests: a script that trains nothing, but runs, prints and remembers.

The script appends one line to `ran.txt` when it starts, so that what ran twice is seen.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sweeper.program import Program
from sweeper.program import load
from sweeper.sweep.approving import Asked

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """\
import argparse, os, sys, time

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float, default=0.5)
parser.add_argument("--steps", type=int, default=3)
parser.add_argument("--pause", type=float, default=0.0)
args = parser.parse_args()
with open("ran.txt", "a") as ran:
    ran.write(f"{os.environ['SWEEPER_TRIAL']} {os.environ['SWEEPER_ATTEMPT']}\\n")
for step in range(1, args.steps + 1):
    time.sleep(args.pause)
    loss = (args.x - 0.3) ** 2 + 1 / step
    print('[sweeper] {"step": %d, "loss": %.6f}' % (step, loss), flush=True)
"""

PAGE = """\
# A sweep for the tests

## Goal
```yaml
metric: loss
direction: minimize
{goal}
```
## Training
```yaml
script: train.py
{training}
```
## Search space
```yaml
x: {{low: 0.0, high: 1.0, default: 0.5}}
```
## Budget envelope
```yaml
max_jobs: {max_jobs}
max_walltime: 10m
max_timeout: {max_timeout}
max_parallel: {max_parallel}
{budget}
```
"""


@dataclass
class Sweep:
    """A folder with a program.md and a script."""

    folder: Path

    def program(self) -> Program:
        return load(self.folder)

    def approve(self) -> Sweep:
        Asked(self.program(), None).approve()
        return self

    def ran(self) -> list[tuple[str, str]]:
        """Return (trial, attempt) for every start of the script."""
        file = self.folder / "ran.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        return [tuple(line.split()) for line in lines]  # type: ignore[misc]

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "sweeper", *words]

    def environment(self, **more: str) -> dict[str, str]:
        knobs = {"SWEEPER_SETTLE_WINDOW_S": "0.2", "SWEEPER_GRACE_S": "1", "PYTHONPATH": str(ROOT)}
        return {**os.environ, **knobs, **more}

    def sweeper(
        self, *words: str, timeout_s: float = 60, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line in the folder."""
        return subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )


def make_sweep(
    folder: Path,
    *,
    script: str = SCRIPT,
    goal: str = "",
    training: str = "",
    max_jobs: int = 4,
    max_parallel: int = 1,
    max_timeout: str = "30s",
    budget: str = "",
) -> Sweep:
    """Write program.md and train.py into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.py").write_text(script)
    (folder / "program.md").write_text(
        PAGE.format(
            goal=goal,
            training=training,
            max_jobs=max_jobs,
            max_parallel=max_parallel,
            max_timeout=max_timeout,
            budget=budget,
        )
    )
    return Sweep(folder)
