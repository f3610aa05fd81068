"""What the ledger says, without writing: usage, durations, rows."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy
from sqlalchemy import Connection

from sweeper.budget import rules
from sweeper.state import booking
from sweeper.state import schema
from sweeper.state import tables
from sweeper.state.booking import JobRow
from sweeper.state.database import Database
from sweeper.state.database import reading


class Accounts:
    """The jobs of one study, to be read.

    Attributes:
        uid: The study.
    """

    def __init__(self, database: Database, uid: str) -> None:
        self.uid = uid
        self._database = database

    def usage(self, where: Connection | None = None) -> rules.Usage:
        """Return what the study has used and reserved, every created job included."""
        with reading(self._database if where is None else where) as connection:
            query = sqlalchemy.text(schema.USAGE)
            row = connection.execute(query, {"uid": self.uid}).one()
        first = row.first_submitted_at
        return rules.Usage(
            jobs_used=int(row.jobs_used),
            jobs_reserved=int(row.jobs_reserved),
            walltime_s_used=float(row.walltime_s_used),
            walltime_s_reserved=float(row.walltime_s_reserved),
            micro_usd_used=int(row.micro_usd_used),
            micro_usd_reserved=int(row.micro_usd_reserved),
            in_flight=int(row.in_flight),
            first_submitted_at=None if first is None else float(first),
        )

    def completed_durations(self, where: Connection | None = None) -> list[float]:
        """Return the running seconds of the trials' completed jobs, oldest first.

        Evaluations are left out: they say nothing about how long a training takes.
        """
        job = tables.job.c
        query = (
            sqlalchemy.select(job.billed_s)
            .where(job.uid == self.uid, job.state == "settled", job.outcome == "complete")
            .where(job.attempt.not_like("e%"), job.estimated == 0)
            .order_by(job.settled_at, job.id)
        )
        with reading(self._database if where is None else where) as connection:
            return [float(seconds) for seconds in connection.execute(query).scalars()]

    def jobs(
        self, states: Collection[str] | None = None, trial: int | None = None
    ) -> list[JobRow]:
        """Return the study's rows in the order of reservation, of some states or of one trial."""
        query = sqlalchemy.select(tables.job).where(tables.job.c.uid == self.uid)
        if states is not None:
            query = query.where(tables.job.c.state.in_(states))
        if trial is not None:
            query = query.where(tables.job.c.trial == trial)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(tables.job.c.id)).all()
        return [booking.from_columns(row._mapping) for row in rows]

    def job(self, row_id: int) -> JobRow:
        """Return one row.

        Raises:
            StateError: This study has no such row.
        """
        with self._database.read() as connection:
            return booking.load(connection, self.uid, row_id)
