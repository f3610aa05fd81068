"""What a person said yes to: versioned rows; the newest is in force and only a person widens it.

`runs/approval.json` is a projection of it for the guard, which may not open a database. It also
carries the study's uid, so that a database which was thrown away is noticed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection

from sweeper.budget import rules
from sweeper.errors import NotApprovedError
from sweeper.errors import StateError
from sweeper.state import tables
from sweeper.state.database import Database
from sweeper.state.database import reading

#: A dry run spends nothing: it needs an approval, but any executor's will do.
DRY = "dry"


@dataclass(frozen=True, slots=True)
class Covers:
    """Everything that an approval covers.

    Attributes:
        envelope: `rules.Envelope.as_document()`.
        scope: Models, datasets and output_repos that may be touched.
        executor: Where jobs run, "local" or "hf".
        namespace: Whose account pays, or None for the user's own.
        resource_group: Resource group of the organisation, or None.
        image: Container image, or None for the default.
        secrets: Names of the secrets that a job gets.
        script_sha256: Hash of script and files, or None where there is no script.
        frozen_script: Whether another script needs another approval.
    """

    envelope: dict[str, Any]
    scope: dict[str, list[str]] = field(default_factory=dict)
    executor: str = "local"
    namespace: str | None = None
    resource_group: str | None = None
    image: str | None = None
    secrets: list[str] = field(default_factory=list)
    script_sha256: str | None = None
    frozen_script: bool = False

    def as_document(self) -> dict[str, Any]:
        """Return it as plain data; `Covers(**document)` is the way back."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Approval:
    """One yes.

    Attributes:
        version: 1, 2, …; the highest is in force.
        covers: What it is about.
        approved_at: UTC seconds.
        approved_by: Who said it.
    """

    version: int
    covers: Covers
    approved_at: float
    approved_by: str


@dataclass(frozen=True, slots=True)
class Projection:
    """What `runs/approval.json` says.

    Attributes:
        uid: The study it belongs to.
        approval: The approval it shows.
    """

    uid: str
    approval: Approval


def record(database: Database, uid: str, covers: Covers, by: str, now: float) -> int:
    """Record that a person approved `covers`, and return the version."""
    with database.transaction() as connection:
        # PostgreSQL: two people who approve at once wait for each other here.
        study = sqlalchemy.select(tables.study.c.uid).where(tables.study.c.uid == uid)
        connection.execute(study.with_for_update())
        last = current(connection, uid)
        version = last.version + 1 if last else 1
        connection.execute(
            tables.approval.insert().values(
                uid=uid,
                version=version,
                covers=json.dumps(covers.as_document()),
                approved_at=now,
                approved_by=by,
            )
        )
    return version


def current(where: Connection | Database, uid: str) -> Approval | None:
    """Return the approval in force, or None where nobody has approved anything."""
    query = (
        sqlalchemy.select(tables.approval)
        .where(tables.approval.c.uid == uid)
        .order_by(tables.approval.c.version.desc())
        .limit(1)
    )
    with reading(where) as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    covers = Covers(**json.loads(row.covers))
    return Approval(row.version, covers, row.approved_at, row.approved_by)


def envelope_in_force(connection: Connection, uid: str, executor: str) -> rules.Envelope:
    """Return the approved envelope, for a job on `executor`.

    Raises:
        NotApprovedError: Nobody approved this study, or not this executor.
    """
    found = current(connection, uid)
    if found is None:
        raise NotApprovedError(
            "Nobody has approved the budget of this study.", hint="Run `sweeper approve`."
        )
    if executor not in (DRY, found.covers.executor):
        raise NotApprovedError(
            f"The approval covers the executor {found.covers.executor!r}, not {executor!r}.",
            key="executor",
            hint="Run `sweeper approve`.",
        )
    return rules.Envelope.from_document(found.covers.envelope)


def lock(connection: Connection, uid: str) -> None:
    """Make everyone else who decides upon this study's approval wait for this transaction.

    All versions are locked: of two who decide, one may not know the newest yet.
    """
    query = (
        sqlalchemy.select(tables.approval.c.version)
        .where(tables.approval.c.uid == uid)
        .order_by(tables.approval.c.version)
    )
    connection.execute(query.with_for_update()).all()


def write_projection(path: Path, uid: str, approval: Approval) -> None:
    """Write `runs/approval.json` whole or not at all.

    Raises:
        StateError: It cannot be written.
    """
    document = {
        "uid": uid,
        "version": approval.version,
        "approved_at": approval.approved_at,
        "approved_by": approval.approved_by,
        "covers": approval.covers.as_document(),
    }
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise StateError(
            f"{path} cannot be written: {error.strerror}",
            hint="Make its folder writable; the guard reads the approval there.",
        ) from error


def read_projection(path: Path) -> Projection | None:
    """Read `runs/approval.json`; None where there is none.

    Raises:
        StateError: It is there and not readable as one.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        covers = Covers(**document["covers"])
        version, at, by = (document[key] for key in ("version", "approved_at", "approved_by"))
        return Projection(str(document["uid"]), Approval(version, covers, at, by))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"{path} is not the projection of an approval ({error or type(error).__name__}).",
            hint="If the database beside it is whole, remove this file: `sweeper run` writes it "
            "anew from the approval's row.",
        ) from error


def refuse_reset(projection: Projection | None, uid: str | None) -> None:
    """Refuse a database that does not know the study which was approved in this folder.

    Args:
        projection: What `runs/approval.json` says.
        uid: The uid under which the database knows this folder's study, or None.

    Raises:
        StateError: Spending would begin at zero again.
    """
    if projection is None or projection.uid == uid:
        return
    raise StateError(
        f"runs/approval.json belongs to the study {projection.uid}, which this database does not "
        "hold: what was spent before would be forgotten.",
        hint="Put the database back (runs/sweep.db or its backup), point `storage` at the one "
        "that holds the study, or begin a new study in a folder of its own.",
    )


def uncovered(approval: Approval | None, covers: Covers) -> list[str]:
    """Return one sentence for each thing in `covers` that `approval` does not cover.

    Whatever is narrower than the approval is covered.
    """
    if approval is None:
        return ["nothing is approved yet"]
    old = approval.covers
    return [
        *_envelope(old, covers),
        *_scope(old, covers),
        *_executor(old, covers),
        *_changed("namespace", old.namespace, covers.namespace),
        *_changed("resource_group", old.resource_group, covers.resource_group),
        *_changed("image", old.image, covers.image),
        *(f"secrets gains {name}" for name in _added(old.secrets, covers.secrets)),
        *_script(old, covers),
    ]


def _envelope(old: Covers, new: Covers) -> list[str]:
    before = rules.Envelope.from_document(old.envelope)
    widened = rules.widened(before, rules.Envelope.from_document(new.envelope))
    return [sentence.rstrip(".") for sentence in widened]


def _scope(old: Covers, new: Covers) -> list[str]:
    return [
        f"{key} gains {name}"
        for key in sorted(new.scope)
        for name in new.scope[key]
        if not any(_within(name, pattern, key) for pattern in old.scope.get(key, []))
    ]


def _within(name: str, pattern: str, key: str) -> bool:
    """Tell whether all that `name` may stand for is covered by `pattern`."""
    if key != "output_repos":
        return name == pattern
    # A star of `name` is matched by a star of `pattern`, and then so is all it may stand for.
    spelled = "[^/]*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(spelled, name) is not None


def _executor(old: Covers, new: Covers) -> list[str]:
    return [] if new.executor == DRY else _changed("executor", old.executor, new.executor)


def _changed(key: str, old: str | None, new: str | None) -> list[str]:
    if old == new:
        return []
    return [f"{key} goes from {_shown(old)} to {_shown(new)}"]


def _shown(value: str | None) -> str:
    return "none" if value is None else value


def _added(old: Iterable[str], new: Iterable[str]) -> list[str]:
    return sorted(set(new) - set(old))


def _script(old: Covers, new: Covers) -> list[str]:
    if not old.frozen_script:
        return []
    thawed = [] if new.frozen_script else ["frozen_script goes from true to false"]
    changed = old.script_sha256 != new.script_sha256
    return thawed + (["the script is not the approved one"] if changed else [])
