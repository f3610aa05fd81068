"""Fixtures of the jobs' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.local_bench import LocalBench


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBench]:
    """A local executor of one study; a job that is to end has half a second to do so itself."""
    monkeypatch.setenv("SWEEPER_GRACE_S", "0.5")
    for name in ("SWEEPER_DEVICES", "CUDA_VISIBLE_DEVICES", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    bench = LocalBench(tmp_path)
    yield bench
    bench.clean_up()
