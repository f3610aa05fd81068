"""One look at a sweep: finds its database, reads it, puts the records together.

A folder that has a SQLite study is read without loading program.md; only a folder without one
(or with a study elsewhere) is asked what its program says.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from sweeper.errors import StateError
from sweeper.state import schema
from sweeper.summary import holder
from sweeper.summary import spending
from sweeper.summary import trials as optuna_tables
from sweeper.summary.findings import find_best
from sweeper.summary.records import Goal
from sweeper.summary.records import Job
from sweeper.summary.records import Proposal
from sweeper.summary.records import Resource
from sweeper.summary.records import Scalar
from sweeper.summary.records import Snapshot
from sweeper.summary.records import Study
from sweeper.summary.records import Trial
from sweeper.summary.rows import Rows
from sweeper.summary.rows import open_rows

if TYPE_CHECKING:
    from sweeper.program import Program


class Place(NamedTuple):
    """Where a sweep's study lies.

    Attributes:
        folder: Folder of program.md.
        url: Its database, in SQLAlchemy's form; None when there is none yet.
        uid: The study's uid as the approval's projection tells it, or None.
        program: The program, where it had to be loaded to know.
    """

    folder: Path
    url: str | None
    uid: str | None
    program: Program | None = None


def locate(path: Path, environment: Mapping[str, str] = os.environ) -> Place:
    """Find the study of a program.md or a folder.

    Raises:
        ProgramError: No study exists yet and program.md is wrong.
    """
    folder = path if path.is_dir() else path.parent
    uid = _approved_uid(folder)
    elsewhere = environment.get("SWEEPER_STORAGE")
    if elsewhere:
        return Place(folder, elsewhere, uid)
    file = folder / "runs" / "sweep.db"
    if file.exists():
        return Place(folder, f"sqlite:///{file.absolute()}", uid)
    from sweeper.program import load

    program = load(path)
    return Place(folder, program.sweep.storage, uid, program)


def _approved_uid(folder: Path) -> str | None:
    try:
        document = json.loads((folder / "runs" / "approval.json").read_text(encoding="utf-8"))
        return str(document["uid"])
    except (OSError, ValueError, KeyError, TypeError):
        # Only a projection: without it the study is found by folder and name.
        return None


def read(path: Path, *, curves: bool = True, now: float | None = None) -> Snapshot:
    """Look at the sweep of a program.md or a folder.

    Args:
        path: The program.md or its folder.
        curves: Whether to read all learning curves; without it only those of running trials.
        now: UTC seconds; default the present.

    Raises:
        StateError: The database cannot be read.
        ProgramError: No study exists yet and program.md is wrong.
    """
    place = locate(path)
    now = time.time() if now is None else now
    if place.url is not None:
        with open_rows(place.url) as rows:
            found = _study_row(rows, place)
            if found is not None:
                return _snapshot(rows, found, curves=curves, now=now)
    _refuse_lost_study(place)
    return _unstarted(place, now)


def _refuse_lost_study(place: Place) -> None:
    if place.uid is not None:
        raise StateError(
            f"runs/approval.json belongs to the study {place.uid}, which its database does not"
            " hold.",
            hint="Bring the database back; a new study needs a folder of its own.",
        )


def read_study(url: str, uid: str, *, curves: bool = True, now: float | None = None) -> Snapshot:
    """Look at a study in a database by its uid.

    Raises:
        StateError: The database cannot be read or does not hold the study.
    """
    with open_rows(url) as rows:
        found = _study_row(rows, Place(Path(), url, uid))
        if found is None:
            raise StateError(
                f"The database holds no study with the uid {uid}.",
                hint="Was it moved or deleted? `sweeper doctor` compares folder and database.",
            )
        return _snapshot(rows, found, curves=curves, now=time.time() if now is None else now)


_STUDY_COLUMNS = (
    "uid, name, folder, metric, direction, executor, created_at, state, stop_reason, space"
)


def _study_row(rows: Rows, place: Place) -> dict[str, Any] | None:
    """Return the row of the place's study; None when nothing was approved there yet."""
    if "sweeper_study" not in rows.tables():
        return None
    _refuse_newer(rows)
    found = rows.select(f"SELECT {_STUDY_COLUMNS} FROM sweeper_study ORDER BY created_at DESC")
    studies = [dict(zip(_STUDY_COLUMNS.split(", "), row, strict=True)) for row in found]
    if place.uid is not None:
        return next((each for each in studies if each["uid"] == place.uid), None)
    here = str(place.folder.resolve())
    own = [each for each in studies if each["folder"] == here]
    if own or place.url is None or not place.url.startswith("sqlite"):
        return own[0] if own else None
    # A SQLite file belongs to its folder, wherever that was moved to.
    return studies[0] if studies else None


def _refuse_newer(rows: Rows) -> None:
    (version,) = rows.select("SELECT MAX(version) FROM sweeper_schema")[0]
    if version is not None and version > schema.VERSION:
        raise StateError(
            f"The study was written by a newer sweeper (schema {version},"
            f" this one reads {schema.VERSION}).",
            hint="Update sweeper on this machine.",
        )


def _snapshot(rows: Rows, row: dict[str, Any], *, curves: bool, now: float) -> Snapshot:
    uid = row["uid"]
    jobs = spending.read_jobs(rows, uid)
    search = _search(rows, row, jobs, curves=curves)
    running = search.study.state in ("running", "paused")
    return Snapshot(
        study=search.study,
        best=find_best(search.study, search.trials),
        budget=spending.budget(
            spending.read_envelope(rows, uid),
            spending.read_usage(rows, uid),
            now if running else _last_moment(jobs, now),
        ),
        trials=search.trials,
        conductor=holder.read_conductor(rows, uid, now),
        proposals=search.proposals,
        events=spending.read_events(rows, uid),
        jobs=jobs,
        taken_at=now,
        distributions=search.distributions,
    )


class _Search(NamedTuple):
    """What Optuna's tables say."""

    study: Study
    trials: tuple[Trial, ...]
    proposals: tuple[Proposal, ...]
    distributions: dict[str, str]


def _last_moment(jobs: tuple[Job, ...], now: float) -> float:
    return max((job.settled_at for job in jobs if job.settled_at is not None), default=now)


def _search(rows: Rows, row: dict[str, Any], jobs: tuple[Job, ...], *, curves: bool) -> _Search:
    uid = row["uid"]
    has_optuna = "trial_intermediate_values" in rows.tables()
    number = optuna_tables.find_study(rows, uid, row["name"]) if has_optuna else None
    if number is None:
        return _Search(_study(row, {}), (), (), {})
    claims = spending.read_claims(rows, uid)
    trials, distributions = optuna_tables.read_trials(
        rows,
        number,
        spending.by_trial(jobs),
        spending.read_verdicts(rows, uid),
        spending.read_paused(rows, uid),
        curves=curves,
    )
    proposals = tuple(
        _proposal(id_, document, claims.get(id_))
        for id_, document in optuna_tables.proposal_attributes(rows, number)
    )
    study = _study(row, optuna_tables.user_attributes(rows, number))
    return _Search(study, trials, proposals, distributions)


def _proposal(id_: str, document: dict[str, Any], trial: int | None) -> Proposal:
    return Proposal(
        id=id_,
        params=document.get("params") or {},
        why=document.get("why"),
        source=optuna_tables.sources(document.get("source")),
        confidence=document.get("confidence"),
        trial=trial,
    )


def _study(row: dict[str, Any], attributes: dict[str, Any]) -> Study:
    space = attributes.get("search_space") or json.loads(row["space"] or "{}")
    goal = attributes.get("goal") or {}
    resource = attributes.get("resource")
    return Study(
        name=row["name"],
        uid=row["uid"],
        state=row["state"],
        stop_reason=row["stop_reason"],
        metric=row["metric"],
        direction=row["direction"],
        executor=row["executor"],
        created_at=row["created_at"],
        defaults=_defaults(space),
        goal=Goal(goal.get("target"), goal.get("patience"), goal.get("min_gain_per_usd")),
        resource=Resource(resource["name"], resource.get("max")) if resource else None,
    )


def _defaults(space: dict[str, Any]) -> dict[str, Scalar]:
    """Return the default configuration: inactive parameters are no part of it."""
    active: dict[str, Scalar] = {}
    # The document lists parents before what depends on them.
    for name, parameter in space.items():
        if isinstance(parameter, dict) and "default" in parameter:
            when = parameter.get("when") or {}
            if all(active.get(parent) in values for parent, values in when.items()):
                active[name] = parameter["default"]
    return active


def _unstarted(place: Place, now: float) -> Snapshot:
    """Return the look at a sweep that nobody approved yet: what program.md says of it."""
    from sweeper.program import load

    program = place.program or load(place.folder)
    goal = program.goal
    resource = program.training.resource
    study = Study(
        name=program.name,
        uid=None,
        state="new",
        stop_reason=None,
        metric=goal.metric,
        direction=goal.direction,
        executor=program.sweep.executor,
        defaults=program.defaults(),
        goal=Goal(goal.target, goal.patience, goal.min_gain_per_usd),
        resource=None if resource is None else Resource(resource.name, resource.scaled_max),
    )
    budget = spending.budget(program.envelope().as_document(), spending.NOTHING_USED, now)
    return Snapshot(
        study=study,
        best=None,
        budget=budget,
        trials=(),
        conductor=None,
        proposals=(),
        events=(),
        jobs=(),
        taken_at=now,
    )
