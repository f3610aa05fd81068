"""What the tests of Hugging Face Jobs share: a Hub of their own and an executor on it."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeper.errors import UnavailableError
from sweeper.jobs.executor import JobSpec
from sweeper.jobs.executor import Stage
from sweeper.jobs.hf import connection
from sweeper.jobs.hf.executor import HfExecutor
from sweeper.program import Training
from sweeper.state.ledger import Reservation
from tests.doubles.hub.fixtures import loopback
from tests.doubles.hub.server import Hub

UID = "9f3a01bc"
STUDY = "digits"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with loopback(monkeypatch, tmp_path) as double:
        yield double


@pytest.fixture
def executor(hub: Hub) -> Iterator[HfExecutor]:
    plug = HfExecutor(connection.connect(namespace="me"), uid=UID, study=STUDY)
    yield plug
    plug.close()


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., JobSpec]:
    """Makes the spec of an attempt whose script is given as text."""

    def make(script: str, *, trial: int = 1, attempt: str = "1", **settings: Any) -> JobSpec:
        params = settings.pop("params", {})
        env = settings.pop("env_extra", {})
        output_repo = settings.pop("output_repo", None)
        folder = tmp_path / "program"
        folder.mkdir(exist_ok=True)
        (folder / "train.py").write_text(script)
        return JobSpec(
            study=STUDY,
            uid=UID,
            trial=trial,
            attempt=attempt,
            folder=folder,
            job_folder=tmp_path / f"{trial}-{attempt}",
            training=Training(**{"script": "train.py", **settings}),
            params=params,
            metric="loss",
            seed=0,
            output_repo=output_repo,
            env=env,
        )

    return make


_nonces = itertools.count(1)


def reservation(spec: JobSpec, *, timeout_s: float = 600.0, flavor: str = "t4-small") -> Any:
    """A reservation as the ledger makes it."""
    number = next(_nonces)
    return Reservation(
        id=number,
        uid=UID,
        purpose=f"{STUDY}/{spec.trial}/{spec.attempt}",
        trial=spec.trial,
        attempt=spec.attempt,
        nonce=f"{number:032x}",
        executor="hf",
        flavor=flavor,
        timeout_s=timeout_s,
        micro_usd_per_minute=6667,
        reserved_micro_usd=80_004,
        params=dict(spec.params),
        seed=0,
    )


def until(condition: Callable[[], Any], *, seconds: float = 15.0) -> Any:
    """Wait until a condition holds and return what it gave."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if held := condition():
            return held
        time.sleep(0.02)
    raise AssertionError("it did not come about in time")


def ended(executor: HfExecutor, job_id: str) -> Any:
    """Wait for the end of a job and return its report."""

    def terminal() -> Any:
        report = executor.poll([job_id]).get(job_id)
        return report if report and report.stage.terminal else None

    return until(terminal)


def whole_log(executor: HfExecutor, job_id: str) -> list[str]:
    """Return everything an ended job said, as the executor hands it out at last."""
    lines: list[str] = []
    cursor = ""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(UnavailableError):
            executor.poll([job_id])
        tail = executor.tail(job_id, cursor)
        lines += tail.lines
        cursor = tail.cursor
        if tail.complete:
            return lines
        time.sleep(0.02)
    raise AssertionError("the log never became complete")


__all__ = ["STUDY", "UID", "Stage", "ended", "reservation", "until", "whole_log"]
