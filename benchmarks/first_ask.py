"""What the first `ask` of a fresh process costs in a long study, imports apart.

Usage: python -m benchmarks.first_ask [--trials 10000] [--rounds 5]

A process opens the study as `sweeper run` does, creates one trial with its owner and asks for all
of its parameters; counted is its CPU time after everything that this needs has been imported. (A
first process finds out which modules those are.)
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import recorded

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ask", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask is not None:
        print(json.dumps(ask(options.ask, json.load(sys.stdin))))
        return
    with tempfile.TemporaryDirectory() as folder:
        study = recorded.make(Path(folder) / "sweep", options.trials)
        _, modules = fresh(study.folder, [])
        times = [fresh(study.folder, modules)[0] for _ in range(options.rounds)]
    print(
        f"first ask of {options.trials} trials: median {statistics.median(times):.2f} s CPU"
        f" beyond imports (least {min(times):.2f}, most {max(times):.2f}; limit {LIMIT_S} s)"
    )


def fresh(folder: Path, modules: list[str]) -> tuple[float, list[str]]:
    """Ask in a process of its own; return its CPU seconds and the modules it ended with."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.first_ask", "--ask", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=json.dumps(modules),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    spent, found = json.loads(done.stdout)
    return spent, found


def ask(folder: Path, modules: list[str]) -> tuple[float, list[str]]:
    """Import, then open the study and ask for one trial; return CPU seconds and all modules."""
    import importlib

    for name in modules:
        importlib.import_module(name)
    begun = time.process_time()
    from sweeper.optimizer import space
    from sweeper.optimizer.storage import create_owned_trial
    from sweeper.program import load
    from sweeper.sweep.study import open_study

    program = load(folder)
    opened = open_study(program)
    trial = create_owned_trial(opened.study, 1, user_attrs={"origin": "model"})
    space.suggest(trial, program)
    spent = time.process_time() - begun
    opened.database.close()
    return spent, [name for name in sys.modules if not name.startswith("__")]


if __name__ == "__main__":
    main()
