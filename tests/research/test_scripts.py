"""The scripts themselves: one header, any folder, quick the second time."""

from __future__ import annotations

import ast
import os
import re
import resource
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.research.conftest import SCRIPTS
from tests.research.conftest import World

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "scripts" / f"{name}.py" for name in SCRIPTS]
_HEADER = re.compile(r"^# /// script$(.*?)^# ///$", re.MULTILINE | re.DOTALL)
CPU_S = 0.15


def _header(path: Path) -> str:
    match = _HEADER.search(path.read_text())
    assert match is not None
    return "\n".join(line[2:] for line in match[1].splitlines())


def test_all_scripts_share_one_inline_header() -> None:
    """One environment serves all five, and its packages are those of the distribution."""
    headers = {_header(path) for path in FILES}
    assert len(headers) == 1

    declared = tomllib.loads(headers.pop())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert declared["requires-python"] == project["requires-python"]
    assert set(declared["dependencies"]) <= set(project["dependencies"])
    assert not any("sweeper" in name for name in declared["dependencies"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_script_only_parses_calls_and_prints(path: Path) -> None:
    """A door holds no logic of its own."""
    tree = ast.parse(path.read_text())

    assert not [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    assert len(tree.body) <= 7


def _run(
    world: World, script: Path, *words: str, cwd: Path | None = None
) -> tuple[int, str, float]:
    """Run a script in a process of its own; return exit code, output and CPU seconds."""
    environment = {**os.environ, **world.environment(), "SWEEPER_RESEARCH_TIMEOUT_S": "20"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, str(script), *words],
        env=environment, cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.returncode, done.stdout + done.stderr, spent


def _bare_s(world: World) -> float:
    empty = Path("empty.py")
    empty.write_text("")
    return min(_run(world, empty)[2] for _ in range(3))


def test_the_plugins_own_package_is_found_from_any_folder(world: World, tmp_path: Path) -> None:
    """A package of the same name in the current folder is not taken for it."""
    decoy = tmp_path / "decoy" / "sweeper"
    decoy.mkdir(parents=True)
    (decoy / "__init__.py").write_text("raise SystemExit('the wrong sweeper')")

    for script in FILES:
        code, out, _ = _run(world, script, "--help", cwd=decoy.parent)
        assert code == 0, out
        assert "exit codes: 0 done, 1 refused or failed, 2 wrong usage" in out
        assert "HF_ENDPOINT" in out


def test_exit_codes_are_those_of_the_process(world: World) -> None:
    """0, 1 and 2 reach the shell."""
    papers = ROOT / "scripts" / "papers.py"

    assert _run(world, papers, "search", "lora")[0] == 0
    assert _run(world, papers, "details", "2106.00404")[0] == 1
    assert _run(world, papers, "search")[0] == 2
    assert _run(world, papers)[0] == 2


@pytest.mark.parametrize("words", [
    ("papers", "search", "lora"),
    ("papers", "read", "2106.09685"),
    ("papers", "read", "2106.09685", "--section", "4"),
    ("papers", "citation-graph", "2106.09685"),
    ("hf_docs", "explore", "trl", "--query", "reward"),
    ("hf_docs", "find-api", "repository"),
    ("inspect_dataset", "x/sft"),
    ("github", "read-file", "huggingface/trl", "examples/scripts/grpo_vlm.py"),
], ids=" ".join)  # fmt: skip
def test_the_second_identical_call_is_cheap(words: tuple[str, ...], world: World) -> None:
    """From disk, in under 150 ms CPU beyond the interpreter's own start."""
    script = ROOT / "scripts" / f"{words[0]}.py"
    assert _run(world, script, *words[1:])[0] == 0

    runs = [_run(world, script, *words[1:]) for _ in range(3)]

    assert all("from disk" in out for _, out, _ in runs)
    assert min(spent for _, _, spent in runs) - _bare_s(world) < CPU_S


def test_an_answer_from_disk_imports_no_heavy_package(world: World) -> None:
    """httpx, pydantic, SQLAlchemy and the Hub's library stay unimported."""
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from sweeper.research import door;"
        "from sweeper.research.papers.script import PAPERS;"
        "door.main(PAPERS, ['search', 'lora', '--json']);"
        "print(sorted({m.split('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    path = Path("probe.py")
    path.write_text(code)
    _run(world, path, str(ROOT))

    _, out, _ = _run(world, path, str(ROOT))

    loaded = out.splitlines()[-1]
    for name in (
        "httpx",
        "pydantic",
        "sqlalchemy",
        "huggingface_hub",
        "yaml",
        "sqlite3",
        "optuna",
    ):
        assert f"'{name}'" not in loaded


def test_a_reader_that_goes_away_is_no_error(world: World) -> None:
    """`| head` ends quietly."""
    script = ROOT / "scripts" / "papers.py"
    command = f"{sys.executable} {script} read 2106.09685 --all --max-tokens 90000 | :"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={**os.environ, **world.environment()},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "Traceback" not in done.stderr


def test_uv_runs_a_script_without_installing_anything_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`uv run scripts/papers.py` works from any folder, where uv and its packages are at hand."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        pytest.skip("uv is not installed beside this Python")
    monkeypatch.setenv("UV_OFFLINE", "1")
    done = subprocess.run(
        [uv, "run", "--no-project", "--script", str(ROOT / "scripts" / "papers.py"), "--help"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode and "sweeper" not in done.stderr:
        pytest.skip("uv has no packages at hand without a network")

    assert done.returncode == 0, done.stderr
    assert "citation-graph" in done.stdout
