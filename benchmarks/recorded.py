"""Studies with thousands of finished trials, written in a second: what a long sweep leaves behind.

The folder, the approval and the study are made by the product itself; the finished trials, their
ledger rows, verdicts, cursors and events are then inserted with plain SQL, shaped as the conductor
writes them.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

READINGS = 10

#: A script that trains nothing; it prints as a training does and lasts as long as it is told.
SCRIPT = """\
import argparse, time

parser = argparse.ArgumentParser()
for name in ("--lr", "--dropout", "--momentum"):
    parser.add_argument(name, type=float, default=0.0)
for name in ("--layers", "--batch"):
    parser.add_argument(name, type=int, default=1)
parser.add_argument("--optimizer", default="adam")
parser.add_argument("--lines", type=int, default=3)
parser.add_argument("--pause", type=float, default=0.0)
args = parser.parse_args()
for step in range(1, args.lines + 1):
    time.sleep(args.pause)
    loss = 0.3 + args.dropout * 0.1 + 1 / step
    print('[sweeper] {"step": %d, "loss": %.6f}' % (step, loss), flush=True)
"""

PAGE = """\
# A recorded sweep

## Goal
```yaml
metric: loss
direction: minimize
```
## Training
```yaml
script: train.py
args: {args}
```
## Search space
```yaml
lr: {{low: 1.0e-5, high: 0.1, log: true}}
layers: {{low: 1, high: 8}}
batch: {{choices: [8, 16, 32, 64]}}
dropout: {{low: 0.0, high: 0.5}}
optimizer: {{choices: [adam, sgd]}}
momentum: {{low: 0.0, high: 0.99, when: {{optimizer: sgd}}}}
```
## Budget envelope
```yaml
max_jobs: 20000
max_walltime: 400d
max_timeout: 30m
max_parallel: {parallel}
```
"""


@dataclass(frozen=True)
class Recorded:
    """A folder with a study in it.

    Attributes:
        folder: The folder of program.md.
        uid: The study's uid.
        trials: How many finished trials it holds.
    """

    folder: Path
    uid: str
    trials: int

    @property
    def database(self) -> Path:
        """The study's SQLite file."""
        return self.folder / "runs" / "sweep.db"


def make(folder: Path, trials: int, *, args: str = "[]", parallel: int = 1) -> Recorded:
    """Make an approved sweep in a folder and put finished trials into it.

    Args:
        folder: Where; it is created.
        trials: How many finished trials the study is to hold; the first is the baseline.
        args: YAML list of further arguments of the script.
        parallel: `max_parallel` of its envelope.
    """
    from sweeper.program import load
    from sweeper.sweep.approving import Asked
    from sweeper.sweep.study import open_study
    from sweeper.sweep.study import script_sha256

    folder.mkdir(parents=True)
    (folder / "train.py").write_text(SCRIPT)
    (folder / "program.md").write_text(PAGE.format(args=args, parallel=parallel))
    program = load(folder)
    Asked(program, None).approve()
    opened = open_study(program)
    opened.study.set_user_attr("script_sha256", script_sha256(program))
    uid, name, study_id = opened.uid, opened.row.name, opened.study._study_id
    space = json.loads(opened.row.space)
    opened.database.close()
    recorded = Recorded(folder, uid, trials)
    with sqlite3.connect(recorded.database) as connection:
        _fill(connection, study_id, uid, name, space, trials)
    connection.close()
    return recorded


def _fill(
    connection: sqlite3.Connection,
    study_id: int,
    uid: str,
    name: str,
    space: dict[str, Any],
    trials: int,
) -> None:
    rng = random.Random(0)
    distributions = {key: entry["distribution"] for key, entry in space.items()}
    begun = time.time() - 60.0 * trials
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for number in range(trials):
        for table, row in _trial(rng, number, begun + 60.0 * number, uid, name, distributions):
            rows.setdefault(table, []).append(row)
    for table, values in rows.items():
        columns = _COLUMNS[table]
        marks = ", ".join("?" * len(columns))
        if table == "trials":
            values = [(study_id, *row) for row in values]
        connection.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values
        )


_COLUMNS: dict[str, tuple[str, ...]] = {
    "trials": ("study_id", "trial_id", "number", "state", "datetime_start", "datetime_complete"),
    "trial_values": ("trial_id", "objective", "value", "value_type"),
    "trial_params": ("trial_id", "param_name", "param_value", "distribution_json"),
    "trial_intermediate_values": (
        "trial_id",
        "step",
        "intermediate_value",
        "intermediate_value_type",
    ),
    "trial_user_attributes": ("trial_id", "key", "value_json"),
    "trial_system_attributes": ("trial_id", "key", "value_json"),
    "sweeper_job": (
        "id",
        "uid",
        "purpose",
        "trial",
        "attempt",
        "reservation",
        "state",
        "executor",
        "flavor",
        "timeout_s",
        "clipped",
        "micro_usd_per_minute",
        "reserved_micro_usd",
        "params",
        "seed",
        "job_id",
        "reserved_at",
        "submitting_at",
        "submitted_at",
        "started_at",
        "finished_at",
        "settled_at",
        "stage",
        "outcome",
        "value",
        "billed_s",
        "charged_s",
        "cost_micro_usd",
        "estimated",
        "told",
    ),
    "sweeper_verdict": (
        "uid",
        "trial",
        "decision",
        "reason",
        "noise_floor",
        "verdict_epoch",
        "decided_at",
    ),
    "sweeper_cursor": (
        "uid",
        "job",
        "cursor",
        "reader",
        "last_value",
        "last_step",
        "last_at",
    ),
    "sweeper_event": ("uid", "at", "kind", "trial", "detail"),
}


def _trial(
    rng: random.Random,
    number: int,
    at: float,
    uid: str,
    name: str,
    distributions: dict[str, str],
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    id_, end = number + 1, at + 50.0
    params = _params(rng)
    stored = {key: value for key, (value, _) in params.items()}
    shown = {key: value for key, (_, value) in params.items()}
    loss = 0.3 + 0.05 * abs(rng.gauss(0, 1)) + 0.2 * stored["dropout"]
    pruned = number > 20 and rng.random() < 0.3
    readings = READINGS // 2 if pruned else READINGS
    yield "trials", (id_, number, "PRUNED" if pruned else "COMPLETE", _naive(at), _naive(end))
    yield "trial_values", (id_, 0, loss, "FINITE")
    for key, value in stored.items():
        yield "trial_params", (id_, key, value, distributions[key])
    for step in range(1, readings + 1):
        yield (
            "trial_intermediate_values",
            (id_, step, loss + 1 / step + rng.gauss(0, 0.003), "FINITE"),
        )
    user = {
        "sweeper:owner": 1,
        "origin": "model" if number else "baseline",
        "verdict_epoch": 1,
        "chosen_by": "tpe",
        "why": "More than 200 trials: the tree-structured Parzen estimator suggests.",
        "cost_usd": 0.0,
        "running_s": 50.0,
        "seed": number,
        **({"ended_by": "pruner"} if pruned else {}),
    }
    for key, value in user.items():
        yield "trial_user_attributes", (id_, key, json.dumps(value))
    yield "trial_system_attributes", (id_, "sweeper:point", json.dumps(shown))
    yield (
        "sweeper_job",
        (
            *(id_, uid, f"{name}/{number}/1", number, "1", f"{number:032x}", "settled", "local"),
            *("local", 1800.0, 0, 0, 0, json.dumps(shown), number, f"local-{number}-1-x"),
            *(at, at, at, at, end, end, "COMPLETED", "pruned" if pruned else "complete"),
            *(loss, 50.0, 50.0, 0, 0, 1),
        ),
    )
    yield (
        "sweeper_verdict",
        (uid, number, "discard", "No better than trial 0 (by -0.01).", 0.02, 1, end),
    )
    yield "sweeper_cursor", (uid, id_, "500", "{}", loss, readings, end)
    detail = json.dumps({"params": shown, "value": loss})
    yield "sweeper_event", (uid, at, "trial_started", number, detail)
    yield "sweeper_event", (uid, end, "pruned" if pruned else "trial_finished", number, detail)


def _params(rng: random.Random) -> dict[str, tuple[float, Any]]:
    """Return a random configuration: as Optuna stores it, and as it is."""
    batch, optimizer = rng.randrange(4), rng.randrange(2)
    lr, dropout, layers = 10 ** rng.uniform(-5, -1), rng.uniform(0, 0.5), rng.randint(1, 8)
    found: dict[str, tuple[float, Any]] = {
        "lr": (lr, lr),
        "layers": (layers, layers),
        "batch": (batch, (8, 16, 32, 64)[batch]),
        "dropout": (dropout, dropout),
        "optimizer": (optimizer, ("adam", "sgd")[optimizer]),
    }
    if optimizer == 1:
        momentum = rng.uniform(0, 0.99)
        found["momentum"] = (momentum, momentum)
    return found


def _naive(seconds: float) -> str:
    """Return a moment as Optuna keeps it: UTC without saying so."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
