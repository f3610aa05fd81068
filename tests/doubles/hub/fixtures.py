"""The Hub for a test, with an environment that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doubles.hub.server import Hub


@contextmanager
def loopback(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Hub]:
    """Open a Hub whose time runs ten times as fast as ours, and let the environment name it."""
    with Hub(clock_factor=10.0) as double:
        monkeypatch.setenv("HF_ENDPOINT", double.endpoint)
        monkeypatch.setenv("HF_TOKEN", double.token)
        monkeypatch.setenv("HF_HOME", str(folder / "hf-home"))
        monkeypatch.setenv("SWEEPER_POLL_S", "0.1")
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for name in ("HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield double
