"""What a conductor costs while 16 trials run and each prints 10 lines a second.

Usage: python -m benchmarks.conductor_load [--trials 16] [--seconds 30] [--finished 0 200]

A real `sweeper run` conducts real processes; once all of them have printed, its CPU time (user +
system, from /proc) over a while is held against the clock, and its largest resident size is read.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import recorded

ROOT = Path(__file__).resolve().parents[1]
LIMIT_CORE = 0.15
LIMIT_MB = 250


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--finished", type=int, nargs="+", default=[0, 200])
    options = parser.parse_args()
    for finished in options.finished:
        with tempfile.TemporaryDirectory() as folder:
            # The lines outlast the measurement; the sweep is then stopped.
            lines = int(10 * (options.seconds + 120))
            study = recorded.make(
                Path(folder) / "sweep",
                finished,
                args=f"['--lines={lines}', '--pause=0.1']",
                parallel=options.trials,
            )
            share, most_mb = measure(study, options.trials, options.seconds)
        print(
            f"{options.trials} running, {finished} finished: {share:.1%} of one core"
            f" (limit {LIMIT_CORE:.0%}), at most {most_mb:.0f} MB resident (limit {LIMIT_MB} MB)"
        )


def measure(study: recorded.Recorded, running: int, seconds: float) -> tuple[float, float]:
    """Return the conductor's share of one core and its largest resident size in MB."""
    conductor = subprocess.Popen(
        [sys.executable, "-m", "sweeper", "run"],
        cwd=study.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SWEEPER_GRACE_S": "1"},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(study, running, conductor)
        begun, before = time.monotonic(), cpu_s(conductor.pid)
        time.sleep(seconds)
        spent = (cpu_s(conductor.pid) - before) / (time.monotonic() - begun)
        return spent, most_resident_mb(conductor.pid)
    finally:
        stop = [sys.executable, "-m", "sweeper", "stop", "--cancel"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(stop, cwd=study.folder, env=environment, stdout=subprocess.DEVNULL)
        try:
            conductor.wait(timeout=120)
        except subprocess.TimeoutExpired:
            conductor.send_signal(signal.SIGKILL)


def wait_for(study: recorded.Recorded, running: int, conductor: subprocess.Popen[bytes]) -> None:
    """Wait until so many trials have printed."""
    folder = study.folder / "runs" / "trials"
    while sum(log.stat().st_size > 0 for log in folder.glob("*/attempt-1/log")) < running:
        if conductor.poll() is not None:
            raise SystemExit(f"the conductor ended with {conductor.returncode}")
        time.sleep(0.5)


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used itself."""
    # proc(5): fields 14 and 15 are user and system time in ticks.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def most_resident_mb(pid: int) -> float:
    """Return the largest resident size that a process has had, in MB of 10^6 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit(f"/proc/{pid}/status does not tell VmHWM")


if __name__ == "__main__":
    main()
