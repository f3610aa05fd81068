"""Where everything of a sweep lies, beside its program.md."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sweeper.program import Program


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of a program.md.

    Attributes:
        root: The folder itself.
    """

    root: Path

    @property
    def runs(self) -> Path:
        """Everything that a sweep writes."""
        return self.root / "runs"

    @property
    def database(self) -> Path:
        """The study's SQLite file, where the program names no other storage."""
        return self.runs / "sweep.db"

    @property
    def approval(self) -> Path:
        """The approval's projection for the guard."""
        return self.runs / "approval.json"

    @property
    def summary(self) -> Path:
        """The page that is rewritten as the sweep goes on."""
        return self.runs / "summary.md"

    @property
    def report(self) -> Path:
        """The page that is sent to the team."""
        return self.runs / "report.html"

    @property
    def conductor_log(self) -> Path:
        """What a detached conductor prints."""
        return self.runs / "conductor.log"

    def attempt(self, trial: int, attempt: str) -> Path:
        """Return the folder of one attempt of one trial."""
        return self.runs / "trials" / str(trial) / f"attempt-{attempt}"


def storage_url(program: Program) -> str:
    """Return the SQLAlchemy URL of the study's database.

    `SWEEPER_STORAGE` wins over the program's `storage`, which wins over `runs/sweep.db`.
    """
    elsewhere = os.environ.get("SWEEPER_STORAGE") or program.sweep.storage
    if elsewhere:
        return elsewhere
    return f"sqlite:///{Folder(program.folder).database.absolute()}"
