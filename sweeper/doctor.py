"""What a sweep needs from its surroundings: said before it is missed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from sweeper.errors import RefusedError
from sweeper.errors import ScriptError
from sweeper.errors import SweeperError
from sweeper.program import Program
from sweeper.program import load
from sweeper.sweep.folder import Folder
from sweeper.sweep.folder import storage_url

_PACKAGES = ("optuna", "sqlalchemy", "huggingface_hub", "pydantic", "typer", "plotly")


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        subject: What.
        state: ok, missing (a feature is not available) or wrong (a run would fail).
        sentence: How it is, and what to do.
    """

    subject: str
    state: str
    sentence: str

    @property
    def mark(self) -> str:
        """One character for a list."""
        return {"ok": "✓", "missing": "-", "wrong": "✗"}[self.state]


def check_program(program: Program) -> list[str]:
    """Return what is doubtful about a valid program, one sentence each.

    Raises:
        ScriptError: The script or a file is absent, or the script is not Python.
        StateError: The database cannot lie where it would.
        NotApprovedError: The envelope cannot pay for one job.
        RefusedError: Hugging Face would refuse the jobs, or they would fail once paid for.
    """
    _refuse_bad_script(program)
    _refuse_bad_place(program)
    from sweeper.sweep.approving import Asked

    Asked(program, None)
    warnings = [*program.warnings, *_preflight(program)]
    if program.training.resource is None:
        warnings.append(
            "Training names no `resource`, so pruners do not know how long a trial is."
        )
    if program.training.dependencies and shutil.which("uv") is None and not _has("uv"):
        warnings.append("dependencies need uv, which is not installed (`pip install uv`).")
    return warnings


def _preflight(program: Program) -> list[str]:
    """Return what is doubtful about running on Hugging Face; refuse what would fail there."""
    if program.sweep.executor != "hf":
        return []
    from sweeper.jobs.hf.preflight import preflight

    warnings = []
    for problem in preflight(program):
        if not problem.warning:
            raise RefusedError(problem.sentence, hint=problem.hint, key=problem.key)
        warnings.append(problem.sentence)
    return warnings


def _refuse_bad_script(program: Program) -> None:
    training = program.training
    for key in ("script", "evaluate"):
        name = getattr(training, key)
        if name is not None and not (program.folder / name).is_file():
            raise ScriptError(
                f"{key}: there is no file {name} in {program.folder}.",
                line=program.line_of("Training", key),
                key=key,
                hint="Paths are relative to program.md.",
            )
    for name in training.files:
        if not (program.folder / name).exists():
            raise ScriptError(
                f"files: there is no {name} in {program.folder}.",
                line=program.line_of("Training", "files"),
                key="files",
                hint="Paths are relative to program.md.",
            )
    if training.script is not None and training.script.endswith(".py"):
        _refuse_syntax_error(program.folder / training.script)


def _refuse_syntax_error(script: Path) -> None:
    import ast

    try:
        ast.parse(script.read_bytes(), filename=script.name)
    except SyntaxError as error:
        raise ScriptError(
            f"{script.name} is not Python: {error.msg} (its line {error.lineno}).",
            line=error.lineno,
            key="script",
            hint="Correct the script.",
        ) from None


def _refuse_bad_place(program: Program) -> None:
    url = storage_url(program)
    if url.startswith("sqlite"):
        from sweeper.state.filesystem import refuse_network_filesystem

        refuse_network_filesystem(Folder(program.folder).database)


def examine(path: Path) -> list[Finding]:
    """Look at Python, packages, tools, credentials and the program, if there is one."""
    found = [
        Finding("python", "ok", f"{sys.version.split()[0]} at {sys.executable}"),
        *(_package(name) for name in _PACKAGES),
        _tool("uv", "trials with `dependencies`"),
        _optional("optuna_dashboard", "`sweeper dashboard`", "optuna-dashboard"),
        _token(),
    ]
    folder = path if path.is_dir() else path.parent
    if (folder / "program.md").exists() or path.is_file():
        found.append(_program(path))
    return found


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _package(name: str) -> Finding:
    try:
        return Finding(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "wrong", f"not installed: `pip install {name}`")


def _tool(name: str, use: str) -> Finding:
    where = shutil.which(name)
    if where or _has(name):
        return Finding(name, "ok", where or "as a module")
    return Finding(name, "missing", f"not found; needed for {use} (`pip install {name}`)")


def _optional(module: str, use: str, package: str) -> Finding:
    if _has(module):
        return Finding(package, "ok", importlib.metadata.version(package))
    return Finding(package, "missing", f"needed for {use}: `pip install {package}`")


def _token() -> Finding:
    from huggingface_hub import get_token

    if get_token():
        return Finding("hugging face token", "ok", "found (its rights are checked by the Hub)")
    return Finding(
        "hugging face token", "missing", "needed for `--executor hf`: run `hf auth login`"
    )


def _program(path: Path) -> Finding:
    try:
        program = load(path)
        warnings = check_program(program)
    except SweeperError as error:
        place = f" (line {error.line})" if error.line else ""
        return Finding("program.md", "wrong", f"{error.message}{place} {error.hint or ''}".strip())
    return Finding("program.md", "ok", " ".join(warnings) or f"a sweep called {program.name}")
