"""What the Hub's billing page says of each job: the last word, and a late one."""

from __future__ import annotations

from dataclasses import dataclass

from sweeper.errors import ExecutorError
from sweeper.jobs.hf.connection import Connection
from sweeper.jobs.hf.record import moment


@dataclass(frozen=True, slots=True)
class Billed:
    """What one job cost.

    Attributes:
        minutes: Started minutes.
        micro_usd: Cost.
        running_s: Seconds between start and end, or None if the page names no end yet.
    """

    minutes: int
    micro_usd: int
    running_s: float | None


def by_job(connection: Connection) -> dict[str, Billed]:
    """Return what the page says, by job id; jobs that have not ended are left out.

    Raises:
        UnavailableError: The Hub is away.
        AccountError: The token may not read the page.
        ExecutorError: The page is not what it should be.
    """
    address = f"{connection.endpoint}/api/settings/billing/usage/jobs"
    page = connection.read(address, "reading the billing page")
    try:
        rows = page["usage"]["jobDetails"]
        return {
            str(row["jobId"]): Billed(
                int(row["totalMinutes"]),
                int(row["totalCostMicroUsd"]),
                _between(row.get("startedAt"), row["completedAt"]),
            )
            for row in rows
            if row.get("completedAt")
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ExecutorError("The billing page does not list the jobs' costs.") from error


def _between(started: str | None, ended: str) -> float | None:
    begun, over = moment(started), moment(ended)
    return None if begun is None or over is None else max(0.0, over - begun)
