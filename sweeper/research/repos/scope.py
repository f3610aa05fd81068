"""Whether a write to a repository is within what a person allowed.

Where a program.md stands, its Scope decides, and so does the approval beside it: an edit of the
page widens nothing. Where none stands, a person says yes to each write (`--yes`).
"""

from __future__ import annotations

import re
from pathlib import Path

from sweeper.errors import RefusedError
from sweeper.errors import SweeperError

_WIDEN = "Change it there and run `sweeper approve`."


class PersonNeededError(RefusedError):
    """No program.md covers the write, and no person has said yes."""

    code = "not_approved"


def permit(program: Path | None, repo: str, *, deletes: bool, yes: bool, what: str) -> str:
    """Return a sentence on what allows the write.

    Args:
        program: program.md or its folder; None is the current folder, if it holds one.
        repo: owner/name.
        deletes: Whether something is deleted.
        yes: Whether a person said yes to this very call.
        what: The write in words, e.g. "upload model.safetensors to me/x".

    Raises:
        RefusedError: Nothing allows it; nothing was sent.
    """
    page = _page(program)
    if page is None:
        if yes:
            return "No program.md stands here: a person allowed this call with --yes."
        raise PersonNeededError(
            f"This would {what}, and no program.md here says that it may.",
            hint="Ask the person. If they agree, run the same command with --yes; or run it where "
            "a program.md names the repository under output_repos (--program PATH).",
        )
    from sweeper import program as programs

    loaded = programs.load(page)
    allowed = list(loaded.scope.output_repos)
    _check(repo, allowed, loaded.budget.allow_deletes, deletes, what, str(page))
    approved = _approved(page.parent)
    if approved is not None:
        _check(repo, *approved, deletes, what, f"the approval of {page}")
    return f"{page} allows it."


def _page(given: Path | None) -> Path | None:
    path = given or Path.cwd()
    page = path / "program.md" if path.is_dir() else path
    if page.is_file():
        return page.resolve()
    if given is not None:
        raise SweeperError(f"There is no program.md at {given}.", key="--program")
    return None


def _approved(folder: Path) -> tuple[list[str], bool] | None:
    path = folder / "runs" / "approval.json"
    if not path.exists():
        return None
    from sweeper.state.approval import read_projection

    found = read_projection(path)
    if found is None:
        return None
    covers = found.approval.covers
    return covers.scope.get("output_repos", []), covers.envelope.get("allow_deletes") is True


def _check(
    repo: str, patterns: list[str], allow_deletes: bool, deletes: bool, what: str, where: str
) -> None:
    if not any(matches(repo, pattern) for pattern in patterns):
        raise RefusedError(
            f"This would {what}, but {where} allows only "
            f"{', '.join(patterns) or 'no repository at all'}.",
            key="output_repos",
            hint=f"Nothing was sent. {_WIDEN}",
        )
    if deletes and not allow_deletes:
        raise RefusedError(
            f"This would {what}, but {where} does not allow deletes.",
            key="allow_deletes",
            hint=f"Nothing was sent. {_WIDEN}",
        )


def matches(repo: str, pattern: str) -> bool:
    """Return whether a pattern of output_repos covers a repository; `*` never crosses a `/`."""
    spelled = "[^/]*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(spelled, repo) is not None
