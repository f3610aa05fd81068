"""bin/sweeper: built once, under a lock, said while it lasts, and then the command itself.

`uv` is played by a script that takes as long as a test wants and builds an environment whose
Python is this one; everything else is real.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = """#!/bin/sh
shift  # --no-config
echo "$*" >>"$UV_CALLS"
case $1 in
  venv)
    sleep "${UV_SLOW:-0}"
    [ -z "${UV_BROKEN:-}" ] || { echo "no route to the index"; exit 2; }
    for place; do :; done
    mkdir -p "$place/bin"
    printf '#!/bin/sh\\nexec "%s" -P -m sweeper "$@"\\n' "$UV_PYTHON" >"$place/bin/sweeper"
    chmod +x "$place/bin/sweeper"
    ;;
esac
"""


class Plugin:
    """A copy of the plugin with a cache and a `uv` of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "the plugin"
        self.cache = folder / "cache"
        self.calls = folder / "calls"
        self.calls.touch()
        (self.root / "bin").mkdir(parents=True)
        shutil.copy(ROOT / "bin" / "sweeper", self.root / "bin" / "sweeper")
        shutil.copy(ROOT / "pyproject.toml", self.root)
        package = self.root / "sweeper"
        package.mkdir()
        (package / "__init__.py").write_text("", encoding="utf-8")
        main = (
            "import os, sys; print(os.getpid(), *sys.argv[1:]); sys.exit(sys.argv[-1] != '--help')"
        )
        (package / "__main__.py").write_text(main, encoding="utf-8")
        tools = folder / "tools"
        tools.mkdir()
        (tools / "uv").write_text(UV, encoding="utf-8")
        (tools / "uv").chmod(0o755)
        self.environment = {
            "PATH": f"{tools}:/usr/bin:/bin",
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(self.cache),
            "UV_CALLS": str(self.calls),
            "UV_PYTHON": sys.executable,
            "PYTHONPATH": str(self.root),
        }

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.root / "bin" / "sweeper"), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment | more,
        )

    def call(self, *words: str, **more: str) -> tuple[int, str, str]:
        started = self.start(*words, **more)
        out, err = started.communicate(timeout=60)
        return started.returncode, out, err

    def builds(self) -> int:
        return self.calls.read_text(encoding="utf-8").count("venv")

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not true():
            assert time.monotonic() < end
            time.sleep(0.02)


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path)


def test_the_first_call_builds_and_later_calls_do_not(plugin: Plugin) -> None:
    code, out, err = plugin.call("status", "--json")
    assert (code, out.split()[1:]) == (1, ["status", "--json"])
    assert "building" in err

    code, out, err = plugin.call("status")
    assert (code, err) == (1, "")
    assert plugin.builds() == 1


def test_the_process_started_is_the_command_itself(plugin: Plugin) -> None:
    """The conductor's pid is the one that the shell saw."""
    plugin.call("status")

    started = plugin.start("run")
    out, _ = started.communicate(timeout=30)

    assert int(out.split()[0]) == started.pid


def test_many_first_calls_build_once(plugin: Plugin) -> None:
    started = [plugin.start("status", UV_SLOW="0.3") for _ in range(5)]
    codes = [each.communicate(timeout=60) and each.returncode for each in started]

    assert codes == [1] * 5
    assert plugin.builds() == 1


def test_a_call_that_meets_a_long_build_says_so_and_ends(plugin: Plugin) -> None:
    code, out, err = plugin.call("status", UV_SLOW="3", SWEEPER_BUILD_WAIT_S="1")

    assert (code, out) == (1, "")
    assert "still building" in err


def test_a_build_goes_on_when_the_call_that_began_it_is_gone(plugin: Plugin) -> None:
    plugin.call("status", UV_SLOW="1.5", SWEEPER_BUILD_WAIT_S="0")

    plugin.until(lambda: plugin.call("--prepared")[0] == 0)

    assert plugin.builds() == 1


def test_preparing_returns_at_once(plugin: Plugin) -> None:
    began = time.monotonic()
    assert plugin.call("--prepare", UV_SLOW="2")[0] == 0
    assert time.monotonic() - began < 1.5

    plugin.until(lambda: plugin.call("--prepared")[0] == 0)
    assert plugin.call("--prepare")[0] == 0
    assert plugin.builds() == 1


def test_a_failed_build_shows_why_and_is_tried_again(plugin: Plugin) -> None:
    code, _, err = plugin.call("status", UV_BROKEN="1")
    assert code == 1
    assert "no route to the index" in err

    assert plugin.call("status")[1].split()[1:] == ["status"]


def test_a_builder_that_was_killed_holds_nobody_up(plugin: Plugin) -> None:
    plugin.call("status")
    place = next(path for path in plugin.cache.rglob("complete")).parent
    shutil.rmtree(place)
    lock = Path(f"{place}.lock")
    lock.mkdir()
    gone = subprocess.Popen(["true"])
    gone.wait()
    (lock / "pid").write_text(str(gone.pid), encoding="utf-8")

    assert plugin.call("status")[1].split()[1:] == ["status"]


def test_changed_contents_get_an_environment_of_their_own(plugin: Plugin) -> None:
    plugin.call("status")
    (plugin.root / "sweeper" / "more.py").write_text("", encoding="utf-8")
    plugin.call("status")
    (plugin.root / "sweeper" / "__pycache__").mkdir(exist_ok=True)
    (plugin.root / "sweeper" / "__pycache__" / "x.pyc").write_text("", encoding="utf-8")
    plugin.call("status")

    assert plugin.builds() == 2


def test_it_is_found_through_a_link(plugin: Plugin, tmp_path: Path) -> None:
    link = tmp_path / "sweeper"
    link.symlink_to(os.path.relpath(plugin.root / "bin" / "sweeper", tmp_path))

    done = subprocess.run(
        [str(link), "status"],
        capture_output=True,
        text=True,
        env=plugin.environment,
        check=False,
        timeout=30,
    )

    assert done.stdout.split()[1:] == ["status"]
