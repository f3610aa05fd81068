"""A sweep that shows one of everything a view must tell."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.doubles.sweeps import NOW
from tests.doubles.sweeps import RecordedSweep

#: What a foreign text may try: end a script, a table cell, a fence, a line; obey nobody.
HOSTILE = "</script><script>alert(1)</script> | `x` **b** [l](j) &amp; \x1b[31m\nnew\u2028line"


def curve(end: float, steps: int) -> dict[int, float]:
    """Return a falling curve that ends near a value."""
    return {step: end + 1 / step - 1 / steps for step in range(1, steps + 1)}


def fill(sweep: RecordedSweep) -> None:
    """Put one of everything into a sweep: five finished trials, one running, one queued."""
    sweep.job(sweep.trial(value=0.3, curve=curve(0.3, 30), origin="baseline"))
    sweep.job(
        sweep.trial(
            value=0.2,
            params={"learning_rate": 0.02, "optimizer": None},
            curve=curve(0.2, 30),
            origin="proposal",
            why="LoRA paper, table 9",
            source=["arXiv:2106.09685"],
        )
    )
    sweep.verdict(1, "keep", "0.1 better than trial 0", noise_floor=0.01)
    sweep.job(
        sweep.trial(TrialState.PRUNED, curve=curve(0.4, 10), ended_by="pruner"), outcome="pruned"
    )
    failure = {
        "cause": "oom",
        "sentence": "The GPU ran out of memory.",
        "excerpt": ["Traceback", "```", "torch.OutOfMemoryError"],
        "fix": "Halve batch_size.",
    }
    sweep.job(
        sweep.trial(TrialState.FAIL, origin="proposal", why=HOSTILE, source=[HOSTILE]),
        outcome="failed",
        stage="ERROR",
        failure=json.dumps(failure),
        cost_micro_usd=0,
    )
    sweep.job(sweep.trial(value=0.25, curve=curve(0.25, 30)))
    sweep.verdict(4, "discard", "not better than trial 1")
    sweep.job(
        sweep.trial(TrialState.RUNNING, curve=curve(0.22, 12)),
        state="submitted",
        job_id="local-5",
        started_at=NOW - 71,
        submitted_at=NOW - 75,
    )
    sweep.proposal("p", {"learning_rate": 0.05}, why="one step further", source=["arXiv:1"])
    sweep.study.set_user_attr("resource", {"name": "epoch", "max": 30})


@functools.cache
def filled() -> bytes:
    """Return the database of a filled sweep; made once, because that takes a while."""
    with tempfile.TemporaryDirectory() as folder:
        recorded = RecordedSweep(Path(folder))
        fill(recorded)
        recorded.close()
        return recorded.file.read_bytes()


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[RecordedSweep]:
    """A running sweep with one of everything."""
    recorded = RecordedSweep(tmp_path, copy_of=filled())
    yield recorded
    recorded.close()
