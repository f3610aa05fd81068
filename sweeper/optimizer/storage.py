"""Optuna's storage, opened our way.

Three things differ from `optuna.storages.RDBStorage`, and nothing else does: a waiting trial is
claimed by compare-and-set (SQLite ignores `SELECT … FOR UPDATE`, so plain Optuna starts a queued
trial twice), SQLite runs in WAL mode with a patient writer, and trials are read with one plain
query a table instead of through the ORM (a fresh process pays a tenth).
"""

from __future__ import annotations

import json
import math
from collections.abc import Container
from collections.abc import Mapping
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any

import sqlalchemy
from optuna.storages import BaseStorage
from optuna.storages import RDBStorage
from optuna.storages import get_storage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from optuna.trial import Trial
from optuna.trial import TrialState
from optuna.trial import create_trial

from sweeper.optimizer import loading

if TYPE_CHECKING:
    from optuna.study import Study

#: User attribute of a trial that one of our conductors created: the epoch of its lease.
OWNER = "sweeper:owner"

_BUSY_TIMEOUT_S = 60


class Storage(RDBStorage):
    """An `RDBStorage` that claims trials exactly once and loads them quickly."""

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Any = None) -> bool:
        """Change a trial's state; to RUNNING only from WAITING, and for one caller only.

        Raises:
            KeyError: There is no such trial.
            UpdateFinishedTrialError: The trial has finished.
        """
        if state != TrialState.RUNNING or values is not None:
            return super().set_trial_state_values(trial_id, state, values)
        table = models.TrialModel.__table__
        claim = (
            sqlalchemy.update(table)
            .where(table.c.trial_id == trial_id, table.c.state == TrialState.WAITING)
            .values(
                state=TrialState.RUNNING, datetime_start=datetime.now(UTC).replace(tzinfo=None)
            )
        )
        with self.engine.begin() as connection:
            if connection.execute(claim).rowcount == 1:
                return True
        self.check_trial_is_updatable(trial_id, self.get_trial(trial_id).state)
        return False

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return one trial.

        Raises:
            KeyError: There is no such trial.
        """
        with self.engine.connect() as connection:
            found = loading.by_id(connection, trial_id)
        if found is None:
            raise KeyError(f"There is no trial with id {trial_id}.")
        return found

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        with self.engine.connect() as connection:
            trials = loading.of_study(
                connection, study_id, included_trial_ids, trial_id_greater_than
            )
            if not trials:
                loading.require_study(connection, study_id)
        return trials if states is None else [t for t in trials if t.state in states]


def open_storage(url: str) -> BaseStorage:
    """Open the database at an SQLAlchemy URL as an Optuna storage, creating its tables.

    Args:
        url: For example `sqlite:///runs/sweep.db` or `postgresql+psycopg://host/name`.

    Returns:
        The storage, behind Optuna's own cache of finished trials.
    """
    if not url.startswith("sqlite"):
        return get_storage(Storage(url))
    storage = Storage(url, engine_kwargs={"connect_args": {"timeout": _BUSY_TIMEOUT_S}})
    with storage.engine.connect() as connection:
        # The mode is a property of the file: plain Optuna and the dashboard inherit it.
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    return get_storage(storage)


def database_of(storage: BaseStorage) -> RDBStorage | None:
    """Return the relational storage behind Optuna's cache, or None where there is none."""
    backend = getattr(storage, "_backend", storage)
    return backend if isinstance(backend, RDBStorage) else None


def create_owned_trial(
    study: Study,
    owner_epoch: int,
    *,
    fixed_params: Mapping[str, Any] | None = None,
    user_attrs: Mapping[str, Any] | None = None,
) -> Trial:
    """Create a running trial that carries its owner from its first instant.

    Args:
        study: The study to add to.
        owner_epoch: Epoch of the conductor's lease.
        fixed_params: Values that the sampler must not choose (the baseline, a repeat).
        user_attrs: Further attributes, written in the same transaction.

    Returns:
        The trial, ready for `suggest_*`.
    """
    template = create_trial(
        state=TrialState.RUNNING,
        user_attrs={OWNER: owner_epoch, **(user_attrs or {})},
        system_attrs={} if fixed_params is None else {"fixed_params": dict(fixed_params)},
    )
    trial_id = study._storage.create_new_trial(study._study_id, template_trial=template)
    return begun(study, trial_id)


def begun(study: Study, trial_id: int) -> Trial:
    """Return a trial that has just begun, as `study.ask` does: its sampler sees all others."""
    # Optuna forgets what it read of the study in `ask` and `tell` only; trials begun since the
    # last `tell` would be unknown to the sampler, and tried again.
    study._thread_local.cached_all_trials = None
    return Trial(study, trial_id)


def set_intermediate_values(
    storage: BaseStorage, readings: Mapping[int, Mapping[int, float]]
) -> frozenset[int]:
    """Write the readings of many trials in one transaction; a step read before is overwritten.

    Args:
        storage: Any Optuna storage; relational ones are written with one statement.
        readings: Trial id -> step -> value; NaN and infinities are kept as they are.

    Returns:
        Ids of the trials that had finished meanwhile; nothing was written for them.
    """
    database = database_of(storage)
    if database is None:
        return _set_one_by_one(storage, readings)
    with database.engine.begin() as connection:
        open_ids = loading.unfinished(connection, readings)
        rows = [
            _reading_row(trial_id, step, value)
            for trial_id in open_ids
            for step, value in readings[trial_id].items()
        ]
        _upsert(
            connection,
            models.TrialIntermediateValueModel.__table__,
            rows,
            key=("trial_id", "step"),
        )
    return frozenset(readings) - open_ids


def set_trial_attrs(
    storage: BaseStorage,
    trial_id: int,
    *,
    user: Mapping[str, Any] | None = None,
    system: Mapping[str, Any] | None = None,
) -> None:
    """Write several attributes of one unfinished trial, on a database in one transaction."""
    database = database_of(storage)
    if database is None:
        for key, value in (user or {}).items():
            storage.set_trial_user_attr(trial_id, key, value)
        for key, value in (system or {}).items():
            storage.set_trial_system_attr(trial_id, key, value)
        return
    with database.engine.begin() as connection:
        for model, values in (
            (models.TrialUserAttributeModel, user or {}),
            (models.TrialSystemAttributeModel, system or {}),
        ):
            rows = [
                {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
                for key, value in values.items()
            ]
            _upsert(connection, model.__table__, rows, key=("trial_id", "key"))


def _set_one_by_one(
    storage: BaseStorage, readings: Mapping[int, Mapping[int, float]]
) -> frozenset[int]:
    refused = set()
    for trial_id, values in readings.items():
        if storage.get_trial(trial_id).state.is_finished():
            refused.add(trial_id)
            continue
        for step, value in values.items():
            storage.set_trial_intermediate_value(trial_id, step, value)
    return frozenset(refused)


def _reading_row(trial_id: int, step: int, value: float) -> dict[str, Any]:
    stored, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(
        math.nan if math.isnan(value) else float(value)
    )
    return {
        "trial_id": trial_id,
        "step": int(step),
        "intermediate_value": stored,
        "intermediate_value_type": kind,
    }


def _upsert(
    connection: sqlalchemy.Connection,
    table: Any,
    rows: list[dict[str, Any]],
    key: tuple[str, ...],
) -> None:
    if not rows:
        return
    dialect = connection.dialect.name
    if dialect == "mysql":
        from sqlalchemy.dialects import mysql

        statement: Any = mysql.insert(table)
        changed = {c: statement.inserted[c] for c in rows[0] if c not in key}
        connection.execute(statement.on_duplicate_key_update(**changed), rows)
        return
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.dialects import sqlite

    statement = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    changed = {c: statement.excluded[c] for c in rows[0] if c not in key}
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(key), set_=changed), rows
    )
