"""The study of a program: created by an approval, opened by everything else.

Identity (LOOP.md, section 1): a folder holds one study, known by its uid; what makes it another
study (metric, direction, a set of choices, name, storage) is refused with the way to go.
"""

from __future__ import annotations

import hashlib
import secrets
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from sweeper.errors import NotApprovedError
from sweeper.errors import RefusedError
from sweeper.program import Program
from sweeper.state import approval
from sweeper.state import studies
from sweeper.state.database import Database
from sweeper.state.database import open_database
from sweeper.sweep.folder import Folder
from sweeper.sweep.folder import storage_url

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class OpenStudy:
    """A program together with its open study.

    Attributes:
        program: What program.md says now.
        folder: Where the sweep's files lie.
        database: Our tables.
        row: The study's identity, as it was created.
        study: Optuna's study, with our sampler and pruner.
    """

    program: Program
    folder: Folder
    database: Database
    row: studies.Study
    study: optuna.Study

    @property
    def uid(self) -> str:
        """The study's uid."""
        return self.row.uid


def covers(program: Program, executor: str) -> approval.Covers:
    """Return everything that a person is asked to say yes to."""
    training = program.training
    return approval.Covers(
        envelope=program.envelope().as_document(),
        scope={
            "models": list(program.scope.models),
            "datasets": list(program.scope.datasets),
            "output_repos": list(program.scope.output_repos),
        },
        executor=executor,
        namespace=training.namespace,
        resource_group=training.resource_group,
        image=training.image,
        secrets=sorted(training.secrets),
        script_sha256=script_sha256(program),
        frozen_script=program.scope.frozen_script,
    )


def script_sha256(program: Program) -> str | None:
    """Return the hash of what is run: the script's bytes and the dependencies; None for neither."""
    digest = hashlib.sha256()
    training = program.training
    for name in (training.script, training.evaluate):
        file = None if name is None else program.folder / name
        if file is not None and file.is_file():
            digest.update(file.read_bytes())
    digest.update("\n".join([*(training.command or ()), *training.dependencies]).encode())
    return digest.hexdigest()


def locate(program: Program, database: Database) -> studies.Study | None:
    """Find the study that belongs to the program's folder.

    Returns:
        The study, or None where nothing was approved yet.

    Raises:
        StateError: The folder's approval belongs to a study that the database does not hold.
        RefusedError: A shared database holds a study of this name for another program.
    """
    projection = approval.read_projection(Folder(program.folder).approval)
    if projection is not None:
        approval.refuse_reset(database, projection)
        return studies.by_uid(database, projection.uid)
    namesakes = studies.by_name(database, program.name)
    if database.dialect == "sqlite":
        return namesakes[-1] if namesakes else None
    for each in namesakes:
        if each.program_sha256 == program.sha256:
            return each
    if namesakes:
        raise RefusedError(
            f"The database holds a study {program.name!r} of another program"
            f" (uid {namesakes[-1].uid}).",
            hint=f"Run `sweeper run --join {namesakes[-1].uid}` to join it, or rename this one"
            " under `## Sweep`.",
            key="name",
        )
    return None


def create(program: Program, database: Database, executor: str) -> studies.Study:
    """Create the study of a program that nobody approved before; part of `approve`."""
    from sweeper.optimizer import space

    uid = secrets.token_hex(4)
    studies.create(
        database,
        uid=uid,
        name=program.name,
        folder=str(program.folder.resolve()),
        metric=program.goal.metric,
        direction=program.goal.direction,
        program_sha256=program.sha256,
        space=space.to_document(program),
    )
    created = studies.by_uid(database, uid)
    if created is None:
        raise RefusedError(f"The study {uid} vanished while it was created; approve again.")
    return created


def open_study(program: Program, *, sampler_budget: int | None = None) -> OpenStudy:
    """Open the approved study of a program.

    Args:
        program: The program as it is now.
        sampler_budget: Trials that the sampler may count on; default the envelope's jobs.

    Raises:
        NotApprovedError: No study was approved in this folder.
        RefusedError: The program describes another study than the folder holds.
        StateError: The database is not what it should be.
    """
    url = storage_url(program)
    folder = Folder(program.folder)
    if url.startswith("sqlite") and not folder.database.exists():
        projection = approval.read_projection(folder.approval)
        if projection is None:
            raise not_approved()
    database = open_database(url)
    row = locate(program, database)
    if row is None:
        database.close()
        raise not_approved()
    _refuse_other_study(program, row)
    study = _optuna_study(program, url, row, sampler_budget or program.budget.max_jobs)
    return OpenStudy(program, folder, database, row, study)


def not_approved() -> NotApprovedError:
    """Return the refusal of a sweep that nobody approved."""
    return NotApprovedError(
        "Nobody has approved this sweep's budget yet.",
        hint="Run `sweeper approve`: it shows the envelope and its worst case.",
    )


def _refuse_other_study(program: Program, row: studies.Study) -> None:
    changed = [
        (key, was, now)
        for key, was, now in (
            ("name", row.name, program.name),
            ("metric", row.metric, program.goal.metric),
            ("direction", row.direction, program.goal.direction),
        )
        if was != now
    ]
    changed += _changed_choices(program, row.space)
    if changed:
        key, was, now = changed[0]
        raise RefusedError(
            f"program.md now says {key} = {now!r}, but this folder holds the study"
            f" {row.name!r} with {was!r}.",
            hint="A folder holds one study: copy program.md and the script into a folder of"
            " its own, or change it back.",
            key=key,
        )


def _changed_choices(program: Program, space: dict[str, Any]) -> list[tuple[str, object, object]]:
    found: list[tuple[str, object, object]] = []
    for name, parameter in program.search_space.items():
        before = space.get(name)
        if before is None:
            continue
        was = before.get("choices")
        now = None if parameter.choices is None else list(parameter.choices)
        if was != now:
            found.append((name, was, now))
    return found


def _optuna_study(
    program: Program, url: str, row: studies.Study, sampler_budget: int
) -> optuna.Study:
    import optuna

    from sweeper.optimizer import space
    from sweeper.optimizer.pruners import BudgetPruner
    from sweeper.optimizer.sampler import BlendedSampler
    from sweeper.optimizer.storage import open_storage

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = open_storage(url)
    resource = program.training.resource
    study = optuna.create_study(
        storage=storage,
        study_name=_optuna_name(storage, row),
        direction=row.direction,
        load_if_exists=True,
        sampler=BlendedSampler(
            seed=int(row.uid, 16) % 2**31,
            budget=sampler_budget,
            default=program.defaults(),
            constraints=program.constraints,
            space=space.distributions(program),
        ),
        pruner=BudgetPruner(resource_max=None if resource is None else resource.scaled_max),
    )
    _describe(study, program, row)
    return study


def _optuna_name(storage: optuna.storages.BaseStorage, row: studies.Study) -> str:
    """Return the name under which Optuna knows the study: the study's, or with uid if taken."""
    for summary in storage.get_all_studies():
        if summary.user_attrs.get("sweeper:uid") == row.uid:
            return summary.study_name
    taken = {summary.study_name for summary in storage.get_all_studies()}
    return row.name if row.name not in taken else f"{row.name}-{row.uid}"


def _describe(study: optuna.Study, program: Program, row: studies.Study) -> None:
    """Write what lets any Optuna program rebuild the space without program.md."""
    from optuna.exceptions import ExperimentalWarning

    from sweeper.optimizer import space

    goal = program.goal
    resource = program.training.resource
    wanted: dict[str, object] = {
        "sweeper:uid": row.uid,
        "search_space": space.to_document(program),
        "program_sha256": program.sha256,
        "goal": {
            "metric": goal.metric,
            "direction": goal.direction,
            "target": goal.target,
            "patience": goal.patience,
            "min_gain_per_usd": goal.min_gain_per_usd,
        },
        "resource": None
        if resource is None
        else {"name": resource.name, "max": resource.scaled_max},
    }
    known = study.user_attrs
    for key, value in wanted.items():
        if known.get(key) != value:
            study.set_user_attr(key, value)
    if study.metric_names != [goal.metric]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names([goal.metric])


def uncovered(opened: OpenStudy, executor: str) -> list[str]:
    """Return one sentence for everything that the newest approval does not cover."""
    current = approval.current(opened.database, opened.uid)
    if current is None:
        return ["Nobody has approved this sweep yet."]
    return approval.uncovered(current, covers(opened.program, executor))


def record_approval(program: Program, executor: str, by: str) -> studies.Study:
    """Record a person's yes to the program's envelope and scope, creating the study if needed."""
    database = open_database(storage_url(program))
    try:
        row = locate(program, database) or create(program, database, executor)
        _refuse_other_study(program, row)
        approval.record(database, row.uid, covers(program, executor), by, time.time())
        current = approval.current(database, row.uid)
        if current is not None:
            approval.write_projection(Folder(program.folder).approval, row.uid, current)
        return row
    finally:
        database.close()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
