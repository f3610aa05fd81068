"""Sweeps as they lie in a database: Optuna's own storage, and rows in our tables beside it."""

from __future__ import annotations

import functools
import json
import sqlite3
import tempfile
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from optuna.trial import create_trial

from sweeper.state import schema

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z

SPACE = {
    "learning_rate": optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True),
    "batch_size": optuna.distributions.IntDistribution(8, 64, step=8),
    "optimizer": optuna.distributions.CategoricalDistribution(["adam", "sgd", None, True]),
    "momentum": optuna.distributions.FloatDistribution(0.0, 0.99),
}

ENVELOPE = {
    "max_jobs": 12,
    "max_walltime_s": 28800.0,
    "max_timeout_s": 7200.0,
    "max_cost": 25.0,
    "max_elapsed_s": None,
    "allowed_flavors": ["t4-small"],
    "max_parallel": 2,
    "allow_deletes": False,
}


def _naive(seconds: float) -> str:
    """Return a moment as Optuna keeps it: UTC without saying so."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


@functools.cache
def _empty_database() -> bytes:
    """Return a database with Optuna's tables and ours; made once, because that takes a while."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.db"
        storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
        storage.engine.dispose()
        connection = sqlite3.connect(file)
        create_tables(connection)
        connection.commit()
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        return file.read_bytes()


def create_tables(connection: sqlite3.Connection) -> None:
    """Create our tables as `state/database.py` describes them, in plain SQL."""
    kinds = {"text": "TEXT", "int": "INTEGER", "real": "REAL"}
    for name, table in schema.TABLES.items():
        columns = [
            f"{column} {kinds[kind.rstrip('!')]}{' NOT NULL' if kind.endswith('!') else ''}"
            for column, kind in table["columns"].items()
        ]
        key = ", ".join(table["primary_key"])
        connection.execute(f"CREATE TABLE {name} ({', '.join(columns)}, PRIMARY KEY ({key}))")
    connection.execute("INSERT INTO sweeper_schema VALUES (?)", (schema.VERSION,))


class RecordedSweep:
    """A folder with a study in it; trials and jobs are put there one by one.

    With `copy_of`, the bytes of another one's closed database, it begins as that one's copy.

    Attributes:
        folder: The folder of program.md.
        study: The Optuna study.
        uid: Its uid.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "digits",
        uid: str = "9f3a01bc",
        direction: str = "minimize",
        state: str = "running",
        stop_reason: str | None = None,
        envelope: dict[str, Any] | None = None,
        copy_of: bytes | None = None,
    ) -> None:
        self.folder = folder
        self.name = name
        self.uid = uid
        self.file = folder / "runs" / "sweep.db"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.url = f"sqlite:///{self.file}"
        self.file.write_bytes(_empty_database() if copy_of is None else copy_of)
        self.connection = sqlite3.connect(self.file, isolation_level=None)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.storage = optuna.storages.RDBStorage(
            self.url, skip_compatibility_check=True, skip_table_creation=True
        )
        if copy_of is not None:
            self.study = optuna.load_study(storage=self.storage, study_name=name)
            self.connection.execute("UPDATE sweeper_study SET folder = ?", (str(folder),))
            return
        self.study = optuna.create_study(
            storage=self.storage, study_name=name, direction=direction
        )
        self.study.set_user_attr("sweeper:uid", uid)
        self.insert(
            "sweeper_study",
            uid=uid,
            name=name,
            folder=str(folder.resolve()),
            metric="val_loss",
            direction=direction,
            executor="local",
            created_at=NOW - 9000,
            state=state,
            stop_reason=stop_reason,
            program_sha256="0" * 64,
            space=json.dumps({"learning_rate": {"low": 1e-5, "high": 0.1, "default": 0.001}}),
            verdict_epoch=1,
        )
        self.insert(
            "sweeper_approval",
            uid=uid,
            version=1,
            covers=json.dumps({"envelope": ENVELOPE if envelope is None else envelope}),
            approved_at=NOW - 9000,
            approved_by="somebody",
        )

    def insert(self, table: str, **row: object) -> int:
        """Put a row into one of our tables and return its rowid."""
        names = ", ".join(row)
        marks = ", ".join("?" for _ in row)
        cursor = self.connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values())
        )
        return int(cursor.lastrowid or 0)

    def trial(
        self,
        state: TrialState = TrialState.COMPLETE,
        value: float | None = None,
        params: dict[str, Any] | None = None,
        curve: dict[int, float] | None = None,
        **attributes: Any,
    ) -> int:
        """Add a trial and return its number."""
        chosen = {"learning_rate": 0.001, "batch_size": 32} if params is None else params
        self.study.add_trial(
            create_trial(
                state=state,
                value=value,
                params=chosen,
                distributions={name: SPACE[name] for name in chosen},
                intermediate_values=curve or {},
                user_attrs={"sweeper:owner": 1, **attributes},
            )
        )
        number = self._count("trials") - 1
        begun = self.begun(number)
        self.connection.execute(
            "UPDATE trials SET datetime_start = ?, datetime_complete = ? WHERE number = ?",
            (_naive(begun), _naive(begun + 283) if state.is_finished() else None, number),
        )
        return number

    def begun(self, number: int) -> float:
        """Return when the trial or job of a number began: an hour ago, then one each minute."""
        return NOW - 3600 + 60 * number

    def _count(self, table: str) -> int:
        return int(self.connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])

    def copy_trial(self, number: int, times: int) -> None:
        """Add a trial's likes, with parameters, values and curve: many, quickly."""
        (source,) = self.connection.execute(
            "SELECT trial_id FROM trials WHERE number = ?", (number,)
        ).fetchone()
        first = self._count("trials")
        columns = {
            "trial_params": "param_name, param_value, distribution_json",
            "trial_values": "objective, value, value_type",
            "trial_intermediate_values": "step, intermediate_value, intermediate_value_type",
            "trial_user_attributes": "key, value_json",
        }
        self.connection.execute("BEGIN")
        for copy in range(first, first + times):
            cursor = self.connection.execute(
                "INSERT INTO trials (number, study_id, state, datetime_start, datetime_complete)"
                " SELECT ?, study_id, state, datetime_start, datetime_complete FROM trials"
                " WHERE trial_id = ?",
                (copy, source),
            )
            for table, names in columns.items():
                self.connection.execute(
                    f"INSERT INTO {table} (trial_id, {names})"
                    f" SELECT ?, {names} FROM {table} WHERE trial_id = ?",
                    (cursor.lastrowid, source),
                )
        self.connection.execute("COMMIT")

    def job(self, trial: int | None, **row: Any) -> int:
        """Add a ledger row, settled unless `state` says otherwise, and return its id."""
        attempt = str(row.pop("attempt", "1"))
        number = self._count("sweeper_job")
        begun = self.begun(number)
        settled = {
            "stage": "COMPLETED",
            "outcome": "complete",
            "started_at": begun + 10,
            "finished_at": begun + 281,
            "settled_at": begun + 282,
            "billed_s": 271.0,
            "charged_s": 281.0,
            "cost_micro_usd": 33_333,
            "estimated": 0,
            "job_id": f"local-{number}",
            "submitted_at": begun + 2,
            "submitting_at": begun + 1,
        }
        whole = {
            "uid": self.uid,
            "purpose": f"{self.name}/{trial}/{attempt}",
            "trial": trial,
            "attempt": attempt,
            "reservation": f"{number:032x}",
            "state": "settled",
            "executor": "local",
            "flavor": "t4-small",
            "timeout_s": 7200.0,
            "clipped": 0,
            "micro_usd_per_minute": 6_667,
            "reserved_micro_usd": 813_374,
            "params": "{}",
            "seed": 1,
            "reserved_at": begun,
            "told": 1,
            **(settled if row.get("state", "settled") == "settled" else {}),
            **row,
        }
        return self.insert("sweeper_job", id=number + 1, **whole)

    def verdict(self, trial: int, decision: str, reason: str, **row: Any) -> None:
        """Store what was decided about a trial."""
        self.insert(
            "sweeper_verdict",
            uid=self.uid,
            trial=trial,
            decision=decision,
            reason=reason,
            verdict_epoch=1,
            decided_at=NOW,
            **row,
        )

    def proposal(self, id_: str, params: dict[str, Any], **document: Any) -> None:
        """Queue a proposal as the optimizer keeps it (LOOP.md, section 7)."""
        self.storage.set_study_system_attr(
            self.study._study_id, f"sweeper:proposal:{id_}", {"params": params, **document}
        )

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()
        self.storage.remove_session()
        self.storage.engine.dispose()
