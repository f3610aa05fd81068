"""Whose envelope a task is paid from: a study's, or one of its own in the user's ledger.

Without a program each task is recorded as a study of one job in `tasks.db` under `SWEEPER_HOME`,
with an approval of exactly that job: what a person asked for on the command line.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sweeper.budget.rules import Envelope
from sweeper.errors import NotApprovedError
from sweeper.errors import RefusedError
from sweeper.program import Program
from sweeper.state import approval
from sweeper.state import studies
from sweeper.state.approval import Covers
from sweeper.state.database import Database
from sweeper.state.database import open_database
from sweeper.state.database import sqlite_url
from sweeper.state.ledger import JobRow
from sweeper.state.ledger import Ledger

NAME = "task"
OPEN = ("reserved", "submitting", "submitted", "cancelling", "terminal")


@dataclass(frozen=True, slots=True)
class Account:
    """Where a task is booked.

    Attributes:
        database: The tables.
        uid: The study, or the task's own record.
        study: Its name.
        namespace: Who runs and pays, as approved; None is the token's own user.
    """

    database: Database
    uid: str
    study: str
    namespace: str | None

    @property
    def ledger(self) -> Ledger:
        """The ledger of the study."""
        return Ledger(self.database, self.uid)


def home() -> Path:
    """Return the folder of the user's own ledger: `SWEEPER_HOME`, or the place XDG names."""
    if given := os.environ.get("SWEEPER_HOME"):
        return Path(given)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "sweeper"


@contextmanager
def own_database(*, create: bool = True) -> Iterator[Database | None]:
    """Open the user's own ledger; None if there is none and none is to be made."""
    path = home() / "tasks.db"
    if not create and not path.exists():
        yield None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    database = open_database(sqlite_url(path))
    try:
        yield database
    finally:
        database.close()


def own(
    database: Database,
    *,
    flavor: str,
    timeout_s: float,
    namespace: str,
    image: str | None,
    secrets: list[str],
) -> Account:
    """Record a task with an approval of exactly one job.

    Args:
        database: The user's own ledger.
        flavor: Hardware.
        timeout_s: Longest running time.
        namespace: Who runs and pays.
        image: Image, or None for the default.
        secrets: Names of secrets.
    """
    envelope = Envelope(
        max_jobs=1,
        max_walltime_s=timeout_s,
        max_timeout_s=timeout_s,
        allowed_flavors=(flavor,),
    )
    covers = Covers(
        envelope=envelope.as_document(),
        executor="hf",
        namespace=namespace,
        image=image,
        secrets=sorted(secrets),
    )
    uid = studies.new_uid()
    studies.create(
        database,
        uid=uid,
        name=NAME,
        folder=str(home()),
        metric="",
        direction="minimize",
        program_sha256="",
        space="{}",
    )
    approval.record(database, uid, covers, getpass.getuser(), database.now())
    return Account(database, uid, NAME, namespace)


@contextmanager
def of_program(
    program: Program, *, namespace: str | None, secrets: list[str]
) -> Iterator[Account]:
    """Open the account of an approved study.

    Args:
        program: The program.
        namespace: What the task asks for; None takes the program's.
        secrets: Names of secrets that the task asks for.

    Raises:
        NotApprovedError: Nobody approved the study.
        RefusedError: The task reaches outside of what was approved.
    """
    seen = approval.read_projection(program.folder / "runs" / "approval.json")
    if seen is None:
        raise NotApprovedError(
            f"Nobody has approved {program.path}.", hint=f"sweeper approve {program.folder}"
        )
    database = open_database(_storage(program))
    try:
        study, current = studies.by_uid(database, seen.uid), approval.current(database, seen.uid)
        approval.refuse_reset(seen, study.uid if study else None)
        if study is None or current is None:
            raise NotApprovedError(f"Nobody has approved {program.path}.", hint="sweeper approve")
        _refuse_outside(current.covers, namespace, secrets)
        yield Account(database, study.uid, study.name, current.covers.namespace)
    finally:
        database.close()


def _storage(program: Program) -> str:
    elsewhere = os.environ.get("SWEEPER_STORAGE") or program.sweep.storage
    return elsewhere or sqlite_url(program.folder / "runs" / "sweep.db")


def _refuse_outside(covers: Covers, namespace: str | None, secrets: list[str]) -> None:
    if namespace is not None and namespace != covers.namespace:
        raise RefusedError(
            f"The approval is for the namespace {covers.namespace or 'of the token'}, "
            f"not for {namespace}.",
            key="namespace",
            hint="leave --namespace out, or approve a program that names it",
        )
    if extra := sorted(set(secrets) - set(covers.secrets)):
        raise RefusedError(
            f"The approval does not cover the secret {extra[0]}.",
            key="secrets",
            hint="name it under Training `secrets` and approve that",
        )


def open_rows(database: Database, uid: str) -> list[JobRow]:
    """Return the tasks of a study that are not settled yet; its trials are the conductor's."""
    return [row for row in Ledger(database, uid).jobs(states=OPEN) if row.trial is None]


def unfinished(database: Database, uid: str) -> bool:
    """Tell whether a study has tasks that are open, or settled by an estimate."""
    settled = Ledger(database, uid).jobs(states=("settled",))
    return bool(open_rows(database, uid)) or any(r.estimated and r.trial is None for r in settled)
