"""The rows of the ledger: what is reserved for a job, a row as it stands, how a row may change."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement
from sqlalchemy import Connection
from sqlalchemy import RowMapping

from sweeper.errors import StateError
from sweeper.state import tables


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money and time set aside for one job. Only the ledger makes one; see `ledger.Ledger`.

    Attributes:
        id: `sweeper_job.id`.
        uid: The study.
        purpose: `<study>/<trial>/<attempt>`.
        trial: Number of the trial; None outside a sweep.
        attempt: "1", "2", … for attempts, "e1", … for evaluations.
        nonce: 128 random bits in hexadecimal, which the job carries as `SWEEPER_RESERVATION`.
        executor: "local", "hf" or "dry".
        flavor: Hardware.
        timeout_s: Seconds after which the job must be ended.
        micro_usd_per_minute: Price of a started minute.
        reserved_micro_usd: The most that the job can cost.
        params: The trial's parameters as read back from the study.
        seed: Seed of the attempt.
        clipped: Whether the end of the budget made the timeout shorter than the approved one.
    """

    id: int
    uid: str
    purpose: str
    trial: int | None
    attempt: str
    nonce: str
    executor: str
    flavor: str
    timeout_s: float
    micro_usd_per_minute: int
    reserved_micro_usd: int
    params: dict[str, Any]
    seed: int
    clipped: bool = False


@dataclass(frozen=True, slots=True)
class JobRow:
    """One row of `sweeper_job`; columns as commented in `schema.py`."""

    id: int
    uid: str
    purpose: str
    trial: int | None
    attempt: str
    reservation: str
    duplicate_of: int | None
    state: str
    executor: str
    flavor: str
    timeout_s: float
    clipped: bool
    micro_usd_per_minute: int
    reserved_micro_usd: int
    params: dict[str, Any]
    seed: int
    job_id: str | None
    reserved_at: float
    submitting_at: float | None
    submitted_at: float | None
    cancelling_at: float | None
    cancel_reason: str | None
    started_at: float | None
    finished_at: float | None
    settled_at: float | None
    stage: str | None
    outcome: str | None
    value: float | None
    ended_by: str | None
    failure: dict[str, Any] | None
    billed_s: float | None
    charged_s: float | None
    cost_micro_usd: int | None
    estimated: bool
    url: str | None
    told: bool


def from_columns(columns: RowMapping | Mapping[str, Any]) -> JobRow:
    """Read a row as the database returns it."""
    columns = {str(name): value for name, value in columns.items()}
    failure = columns["failure"]
    return JobRow(
        **{
            **columns,
            "clipped": bool(columns["clipped"]),
            "params": json.loads(columns["params"]),
            "failure": None if failure is None else json.loads(failure),
            "estimated": bool(columns["estimated"]),
            "told": bool(columns["told"]),
        }
    )


def reservation(row: JobRow) -> Reservation:
    """Return what `row` reserves."""
    return Reservation(
        id=row.id,
        uid=row.uid,
        purpose=row.purpose,
        trial=row.trial,
        attempt=row.attempt,
        nonce=row.reservation,
        executor=row.executor,
        flavor=row.flavor,
        timeout_s=row.timeout_s,
        micro_usd_per_minute=row.micro_usd_per_minute,
        reserved_micro_usd=row.reserved_micro_usd,
        params=row.params,
        seed=row.seed,
        clipped=row.clipped,
    )


def columns(connection: Connection, uid: str, row_id: int) -> dict[str, Any]:
    """Return the columns of one row.

    Raises:
        StateError: The study has no such row.
    """
    job = tables.job.c
    query = sqlalchemy.select(tables.job).where(job.id == row_id, job.uid == uid)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise StateError(
            f"The study {uid} has no job row {row_id}.",
            hint="`sweeper audit` shows what the ledger holds.",
        )
    return dict(row._asdict())


def load(connection: Connection, uid: str, row_id: int) -> JobRow:
    """Return one row; see `columns`."""
    return from_columns(columns(connection, uid, row_id))


def insert(connection: Connection, row: Mapping[str, object]) -> int:
    """Insert a row and return its number."""
    result = connection.execute(tables.job.insert().values(**row))
    assert result.inserted_primary_key is not None  # the table numbers its rows
    return int(result.inserted_primary_key[0])


def move(
    connection: Connection,
    uid: str,
    row_id: int,
    allowed: Collection[str],
    *further: ColumnElement[bool],
    **values: object,
) -> None:
    """Change a row that is in one of the `allowed` states; the check is part of the change.

    Raises:
        StateError: It is in another state.
    """
    job = tables.job.c
    here = (job.id == row_id, job.uid == uid, job.state.in_(allowed), *further)
    if connection.execute(tables.job.update().where(*here).values(**values)).rowcount != 1:
        step = f"become {values['state']}" if "state" in values else "be changed in this way"
        raise refused_step(load(connection, uid, row_id), step)


def kept(column: str, value: object) -> object:
    """Return `value`, or where it is None what the row says already."""
    return tables.job.c[column] if value is None else value


def refused_step(row: JobRow, step: str) -> StateError:
    """Return the error that says that a row cannot take a step."""
    return StateError(
        f"The job of {row.purpose} (row {row.id}) is {row.state} and cannot {step}.",
        hint="`sweeper audit` shows how it came there.",
    )


def refuse_second(connection: Connection, uid: str, purpose: str) -> None:
    """Refuse a second job for one purpose.

    Raises:
        StateError: A row of it was not given back.
    """
    job = tables.job.c
    query = sqlalchemy.select(job.id).where(
        job.uid == uid, job.purpose == purpose, job.state != "given_back"
    )
    found = connection.execute(query.limit(1)).scalar()
    if found is not None:
        raise StateError(
            f"{purpose} has a job already (row {found}).", hint="Reserve the next attempt."
        )


def refuse_unpayable(*amounts: float | int | None) -> None:
    """Refuse what would pay money back or poison a sum.

    Raises:
        ValueError: One of `amounts` is negative or not a finite number.
    """
    for amount in amounts:
        if amount is not None and not (math.isfinite(amount) and amount >= 0):
            raise ValueError(f"{amount!r} is no amount of seconds or money")
