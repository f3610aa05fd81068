"""What `sweeper --help` and `sweeper status` cost, as multiples of `python -c "import typer"`.

Usage: python -m benchmarks.glance [--trials 1000] [--rounds 9]

The commands take turns, so that a busy machine slows all of them alike; compared are the medians
of their CPU times (user + system). Each is also asked what it imported.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import recorded

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 2.5
BANNED = ("optuna", "sqlalchemy", "pandas", "plotly")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = recorded.make(Path(folder) / "sweep", options.trials)
        commands = {
            "import typer": ["-c", "import typer"],
            "sweeper --help": ["-m", "sweeper", "--help"],
            "sweeper status": ["-m", "sweeper", "status"],
            "sweeper status --json": ["-m", "sweeper", "status", "--json"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.rounds + 1):
            for name, words in commands.items():
                times[name].append(cpu_s(words, study.folder))
        base = statistics.median(times["import typer"][1:])
        print(f"{options.trials} trials; medians of {options.rounds}; limit {LIMIT} x")
        for name, words in commands.items():
            median = statistics.median(times[name][1:])
            found = ", ".join(banned_imports(words, study.folder)) or "none"
            print(
                f"{name:24} {median:6.3f} s CPU  {median / base:5.2f} x  banned imports: {found}"
            )


def cpu_s(words: list[str], folder: Path) -> float:
    """Return the CPU seconds of one Python process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(words, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def banned_imports(words: list[str], folder: Path) -> list[str]:
    """Return which of the banned packages a command imports."""
    said = run(["-X", "importtime", *words], folder)
    imported = {line.rpartition("|")[2].strip() for line in said.splitlines()}
    return [name for name in BANNED if name in imported]


def run(words: list[str], folder: Path) -> str:
    """Run Python in a folder and return what it said on stderr."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stderr


if __name__ == "__main__":
    main()
