"""Puts a drafted program.md where it belongs; what is there is only replaced when asked for."""

from __future__ import annotations

import os
from pathlib import Path

from sweeper import program
from sweeper.draft.writing import draft_program
from sweeper.errors import ProgramError
from sweeper.errors import ScriptError

__all__ = ["draft_program", "write_draft"]

PAGE = "program.md"
_USUAL = ("train.py", "main.py", "run.py")


def write_draft(path: Path, script: Path | None, *, overwrite: bool = False) -> Path:
    """Draft a program.md and return where it lies.

    Args:
        path: The folder, or the page itself.
        script: The training script; None looks for the only candidate in the folder.
        overwrite: Whether a page that is there may be replaced.

    Raises:
        ProgramError: There is a page already.
        ScriptError: No script, more than one, or one that cannot be drafted from.
    """
    page = path if path.suffix == ".md" else path / PAGE
    folder = page.parent
    if not folder.is_dir():
        raise ProgramError(f"{folder} is not a folder.", hint="Create it, or name another one.")
    if page.exists() and not overwrite:
        raise ProgramError(
            f"{page} is there already.", hint="Edit it, or replace it with `sweeper init --force`."
        )
    found = _located(folder, script) if script is not None else _only_script(folder)
    _place(page, draft_program(found, folder=folder))
    return page


def _located(folder: Path, script: Path) -> Path:
    """Return the script as a path below the folder; it is looked for here, then there."""
    found = next((each for each in (script, folder / script) if each.is_file()), None)
    if found is None:
        raise ScriptError(
            f"There is no script {script}.",
            key="script",
            hint="Name a Python file: `sweeper init --script train.py`.",
        )
    try:
        below = found.resolve().relative_to(folder.resolve())
    except ValueError:
        raise ScriptError(
            f"{script} lies outside {folder}, and a program's files travel with its folder.",
            key="script",
            hint=f"Draft beside it: `sweeper init {found.parent} --script {found.name}`.",
        ) from None
    return folder / below


def _only_script(folder: Path) -> Path:
    scripts = sorted(folder.glob("*.py"))
    usual = [folder / name for name in _USUAL if folder / name in scripts]
    if usual:
        return usual[0]
    if len(scripts) == 1:
        return scripts[0]
    names = ", ".join(each.name for each in scripts[:8]) or "none"
    raise ScriptError(
        f"Which script trains? Python files in {folder}: {names}.",
        key="script",
        hint="Name it: `sweeper init --script train.py`.",
    )


def _place(page: Path, text: str) -> None:
    """Write the page whole or not at all, and only if it can be read back."""
    temporary = page.with_name(f".{page.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        program.load(temporary)
        temporary.replace(page)
    finally:
        temporary.unlink(missing_ok=True)
