"""What the guard knows of a folder: its program, and `runs/approval.json` as a person approved it.

Standard library only and 3.9-clean. The approval is read as foreign input: what is missing or not
understood covers nothing.
"""

from __future__ import annotations

import os

from sweeper.budget import envelope as envelopes

PAGE = "program.md"


class Covered:
    """What an approval covers, as far as a single call can be judged by it.

    Attributes:
        envelope: The limits.
        executor: Where jobs run, "local" or "hf".
        namespace: Whose account pays, or None for the user's own.
        output_repos: Patterns of the repositories that may be written.
    """

    __slots__ = ("envelope", "executor", "namespace", "output_repos")

    def __init__(
        self,
        envelope: envelopes.Envelope,
        executor: str,
        namespace: str | None,
        output_repos: tuple[str, ...],
    ) -> None:
        self.envelope = envelope
        self.executor = executor
        self.namespace = namespace
        self.output_repos = output_repos


def program_at(path: str, cwd: str) -> str:
    """Return the folder of the program.md that a command names, or "" where there is none."""
    named = os.path.normpath(os.path.join(cwd, os.path.expanduser(path or ".")))
    if os.path.isdir(named):
        named = os.path.join(named, PAGE)
    return os.path.dirname(named) if os.path.isfile(named) else ""


def program_around(cwd: str, project: str) -> str:
    """Return the folder of the program.md that governs a call, or "".

    Looked for in the current folder, in those above it up to the project (or a repository's
    root), and in the project's own folder.
    """
    folder = os.path.normpath(cwd or ".")
    while folder:
        if os.path.isfile(os.path.join(folder, PAGE)):
            return folder
        above = os.path.dirname(folder)
        if folder == project or above == folder or os.path.exists(os.path.join(folder, ".git")):
            break
        folder = above
    if project and os.path.isfile(os.path.join(project, PAGE)):
        return project
    return ""


def read(folder: str) -> Covered | None:
    """Read `runs/approval.json` of a program's folder; None where nothing is approved.

    Raises:
        ValueError: It is there and says nothing that can be relied on.
    """
    import json

    path = os.path.join(folder, "runs", "approval.json")
    try:
        with open(path, encoding="utf-8") as file:
            covers = json.load(file)["covers"]
        limits = envelopes.Envelope.from_document(covers["envelope"])
        repos = tuple(str(name) for name in covers["scope"].get("output_repos", ()))
        return Covered(limits, str(covers["executor"]), covers.get("namespace"), repos)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is not the projection of an approval ({error or type(error).__name__}); "
            "if the database beside it is whole, remove the file in a terminal of your own and "
            "run `sweeper run`, which writes it anew"
        ) from error
