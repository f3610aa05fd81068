"""Every service as a loopback double, a clean environment, and a clock that is moved."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sweeper.research import door
from sweeper.research.datasets.script import INSPECT_DATASET
from sweeper.research.docs.script import HF_DOCS
from sweeper.research.github.script import GITHUB_SCRIPT
from sweeper.research.pace import Clock
from sweeper.research.papers.script import PAPERS
from sweeper.research.repos.script import HF_REPO
from tests.doubles.services import code
from tests.doubles.services import pages
from tests.doubles.services import repositories
from tests.doubles.services import scholar
from tests.doubles.services import viewer
from tests.doubles.services.loopback import Double

SCRIPTS = {
    script.name.removesuffix(".py"): script
    for script in (PAPERS, HF_DOCS, INSPECT_DATASET, GITHUB_SCRIPT, HF_REPO)
}
_CLEARED = (
    "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "S2_API_KEY", "SEMANTIC_SCHOLAR_API_KEY", "GH_TOKEN",
    "GITHUB_TOKEN", "OPENALEX_MAILTO", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "SWEEPER_DEBUG",
)  # fmt: skip


class MovedClock(Clock):
    """A clock whose sleep moves it and takes no time."""

    def __init__(self) -> None:
        self.moved_s = 0.0
        self.sleeps: list[float] = []

    def now(self) -> float:
        """Return the moved time."""
        return time.time() + self.moved_s

    def sleep(self, seconds: float) -> None:
        """Move the clock."""
        self.sleeps.append(seconds)
        self.moved_s += seconds


@dataclass
class World:
    """All doubles, and what stands behind two of them."""

    s2: Double
    openalex: Double
    arxiv: Double
    ar5iv: Double
    viewer: Double
    github: Double
    gradio: Double
    hub: Double
    storage: Double
    code: code.GitHub
    repos: repositories.Hub

    def all(self) -> list[Double]:
        """Return every server."""
        return [item for item in vars(self).values() if isinstance(item, Double)]

    def environment(self) -> dict[str, str]:
        """Return the variables that point to the doubles."""
        return {
            "HF_ENDPOINT": self.hub.url,
            "SWEEPER_S2_URL": self.s2.url,
            "SWEEPER_OPENALEX_URL": self.openalex.url,
            "SWEEPER_ARXIV_URL": self.arxiv.url,
            "SWEEPER_AR5IV_URL": self.ar5iv.url,
            "SWEEPER_DATASETS_SERVER_URL": self.viewer.url,
            "SWEEPER_GITHUB_URL": self.github.url,
            "SWEEPER_GRADIO_URL": self.gradio.url,
        }


@pytest.fixture(scope="session")
def doubles() -> Iterator[dict[str, Any]]:
    """The servers, started once."""
    github, hub = code.GitHub(), repositories.Hub()
    world = World(
        Double(scholar.scholar),
        Double(scholar.openalex),
        Double(pages.arxiv),
        Double(pages.ar5iv),
        Double(viewer.viewer),
        Double(github),
        Double(pages.gradio),
        Double(hub),
        Double(hub.store),
        github,
        hub,
    )
    yield {"world": world}
    for double in world.all():
        double.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    """The clock of every client in this test."""
    moved = MovedClock()
    monkeypatch.setattr(Clock, "now", lambda self: moved.now.__func__(moved))
    monkeypatch.setattr(Clock, "sleep", lambda self, seconds: MovedClock.sleep(moved, seconds))
    monkeypatch.setattr(MovedClock, "now", lambda self: time.time() + moved.moved_s)
    return moved


@pytest.fixture
def world(
    doubles: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: MovedClock
) -> World:
    """The doubles, as new, named in a clean environment; the current folder is empty."""
    found: World = doubles["world"]
    for double in found.all():
        double.log.clear()
        double.faults.clear()
        double.spoil = None
    found.code.__init__()  # type: ignore[misc]
    found.repos.__init__()  # type: ignore[misc]
    found.repos.base, found.repos.storage_url = found.hub.url, found.storage.url
    for name in _CLEARED:
        monkeypatch.delenv(name, raising=False)
    for name, url in found.environment().items():
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("SWEEPER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return found


@dataclass
class Done:
    """What one call of a script did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document on stdout."""
        return json.loads(self.out)

    @property
    def result(self) -> Any:
        """The document's result."""
        return self.document["result"]


class Caller:
    """Calls scripts in this process."""

    def __init__(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, root: Path
    ) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self._root = root
        self._count = 0

    def __call__(self, script: str, *words: str) -> Done:
        """Call a script."""
        self._capsys.readouterr()
        code_ = door.main(SCRIPTS[script], list(words))
        captured = self._capsys.readouterr()
        return Done(code_, captured.out, captured.err)

    def fresh_cache(self) -> None:
        """Forget what was kept and how busy the services were."""
        self._count += 1
        self._monkeypatch.setenv("SWEEPER_CACHE_DIR", str(self._root / f"cache{self._count}"))

    def json(self, script: str, *words: str) -> Any:
        """Call with `--json`, expect success, and return the document."""
        done = self(script, *words, "--json")
        assert done.code == 0, done.err
        return done.document


@pytest.fixture
def call(
    world: World,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Caller:
    """Calls a script in a world of doubles."""
    return Caller(capsys, monkeypatch, tmp_path)


@pytest.fixture
def repo(world: World, monkeypatch: pytest.MonkeyPatch) -> repositories.Repository:
    """me/x with a few files, and an account."""
    monkeypatch.setenv("HF_TOKEN", repositories.TOKEN)
    found = repositories.Repository()
    found.commits["0" * 40] = {"README.md": b"# x\n", "a/1.txt": b"1\n", "a/2.bin": b"\x00" * 9,
                               "b.txt": b"b\n"}  # fmt: skip
    found.branches["old"] = "0" * 40
    world.repos.repositories["model/me/x"] = found
    return found


@cache
def validator(name: str) -> Draft202012Validator:
    """Return the validator of a script's documents."""
    text = (door.SCHEMAS / SCRIPTS[name].schema).read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))
