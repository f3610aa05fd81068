"""The Hub as a fixture, for whichever tests import it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.hub.server import Hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A Hub whose time runs ten times as fast as ours, and an environment that names it."""
    with Hub(clock_factor=10.0) as double:
        monkeypatch.setenv("HF_ENDPOINT", double.endpoint)
        monkeypatch.setenv("HF_TOKEN", double.token)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        for name in ("HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield double
