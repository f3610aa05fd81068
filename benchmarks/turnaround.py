"""How long a sweep stands still between a trial's exit and the next trial's start.

Usage: python -m benchmarks.turnaround [--finished 200 5000] [--runs 20]

A real `sweeper run` conducts trials that last an instant, one at a time, in a study that already
holds finished trials. An exit is when the process beside the script saw it (`exit.json`), a start
when it let the next script go (`group.json`). Printed beside it is the conductor's own CPU time a
trial, which a busy machine does not stretch as much.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import recorded

ROOT = Path(__file__).resolve().parents[1]
#: Finished trials -> seconds that the median may take.
LIMITS_S = {200: 0.5, 5000: 1.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--finished", type=int, nargs="+", default=list(LIMITS_S))
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    for finished in options.finished:
        with tempfile.TemporaryDirectory() as folder:
            study = recorded.make(Path(folder) / "sweep", finished)
            cpu = conduct(study, options.runs)
            gaps = turnarounds(study)
        limit = LIMITS_S.get(finished)
        print(
            f"{finished:5} finished trials: median {statistics.median(gaps):.3f} s"
            f" (least {min(gaps):.3f}, most {max(gaps):.3f}, n = {len(gaps)};"
            f" limit {'none' if limit is None else f'{limit} s'});"
            f" CPU of the run {cpu:.2f} s, {cpu / options.runs:.3f} s a trial with start and end"
        )


def conduct(study: recorded.Recorded, runs: int) -> float:
    """Run so many trials and return the CPU seconds of the conductor and its report."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "sweeper", "run", "--trials", str(runs)],
        cwd=study.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def turnarounds(study: recorded.Recorded) -> list[float]:
    """Return the seconds between each exit and the start that followed it."""
    folders = list((study.folder / "runs" / "trials").glob("*/attempt-1"))
    spans = sorted(
        (_read(folder / "group.json")["started_at"], _read(folder / "exit.json")["finished_at"])
        for folder in folders
    )
    return [start - end for (_, end), (start, _) in itertools.pairwise(spans)]


def _read(path: Path) -> dict[str, float]:
    document: dict[str, float] = json.loads(path.read_text())
    return document


if __name__ == "__main__":
    main()
