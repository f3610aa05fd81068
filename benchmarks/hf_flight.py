"""What watching jobs on Hugging Face costs this machine: 32 in flight, two readings a second each.

    python benchmarks/hf_flight.py [jobs] [seconds]

Prints the share of one core, the memory, the requests per job and minute besides the stream, and
the delay from print to reading. The Hub is the loopback double, in a process of its own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

POLL_S = 15.0
TAIL_S = 0.25
SCRIPT = """
import sys, time
for i in range(int(sys.argv[1]) * 2):
    print(f'step={i} loss={time.time()!r}', flush=True)
    time.sleep(0.5)
"""


def main(jobs: int, seconds: int) -> dict[str, float]:
    hub = subprocess.Popen(
        [sys.executable, "-m", "tests.doubles.hub"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert hub.stdin is not None
    assert hub.stdout is not None
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ.update(json.loads(hub.stdout.readline()), HF_HOME=folder)
            return measured(Path(folder), jobs, seconds)
    finally:
        hub.stdin.close()
        hub.wait()


def measured(folder: Path, jobs: int, seconds: int) -> dict[str, float]:
    import httpx2

    from sweeper.jobs.executor import JobSpec
    from sweeper.jobs.hf.connection import connect
    from sweeper.jobs.hf.executor import HfExecutor
    from sweeper.jobs.metrics import MetricReader
    from sweeper.program import Training
    from sweeper.state.ledger import Reservation

    (folder / "t.py").write_text(SCRIPT)
    executor = HfExecutor(connect(namespace="me"), uid="0badcafe", study="s")
    training = Training(script="t.py", args=[str(seconds)])
    cursors: dict[str, str] = {}
    for n in range(jobs):
        paid = Reservation(
            id=n, uid="0badcafe", purpose=f"s/{n}/1", trial=n, attempt="1", nonce=f"{n:032x}",
            executor="hf", flavor="cpu-basic", timeout_s=3600.0, micro_usd_per_minute=167,
            reserved_micro_usd=0, params={}, seed=0,
        )  # fmt: skip
        spec = JobSpec(
            study="s", uid="0badcafe", trial=n, attempt="1", folder=folder,
            job_folder=folder, training=training, params={}, metric="loss", seed=0,
        )  # fmt: skip
        cursors[executor.submit(spec, paid)] = ""
    readers = {job_id: MetricReader("loss") for job_id in cursors}
    delays: list[float] = []
    began, cpu, polled = time.monotonic(), time.process_time(), 0.0
    before = len(_requests(httpx2))
    while time.monotonic() - began < seconds:
        for job_id, cursor in cursors.items():
            tail = executor.tail(job_id, cursor)
            cursors[job_id] = tail.cursor
            for line in tail.lines:
                delays += [time.time() - r.value for r in readers[job_id].feed(line)]
        if time.monotonic() - polled >= POLL_S:
            polled = time.monotonic()
            executor.poll(list(cursors))
        time.sleep(TAIL_S)
    spent, wall = time.process_time() - cpu, time.monotonic() - began
    calls = [r for r in _requests(httpx2)[before:] if r["route"] != "logs"]
    executor.close()
    return {
        "core_percent": 100 * spent / wall,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "calls_per_job_and_minute": len(calls) / jobs / wall * 60,
        "readings": len(delays),
        "delay_s_median": sorted(delays)[len(delays) // 2],
        "delay_s_99": sorted(delays)[int(len(delays) * 0.99)],
    }


def _requests(httpx2: object) -> list[dict[str, object]]:
    answer = httpx2.get(os.environ["HF_ENDPOINT"] + "/_control/requests")  # type: ignore[attr-defined]
    found: list[dict[str, object]] = answer.json()
    return found


if __name__ == "__main__":
    given = [int(item) for item in sys.argv[1:3]]
    print(json.dumps(main(*(given + [32, 30][len(given) :])), indent=2))
