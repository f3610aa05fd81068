"""What is asked of jobs that run already, and of scheduled ones: plain data in, plain data out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sweeper.errors import ExecutorError
from sweeper.errors import UnavailableError
from sweeper.jobs.hf import record
from sweeper.jobs.hf.connection import Connection
from sweeper.jobs.hf.connection import session
from sweeper.jobs.hf.events import parse
from sweeper.jobs.hf.refusals import translated
from sweeper.jobs.hf.replay import Position
from sweeper.jobs.hf.replay import Replay
from sweeper.jobs.hf.submission import LABEL_PURPOSE
from sweeper.jobs.hf.submission import Ask

LIVE = ("SCHEDULING", "RUNNING")
QUIET_S = 5.0  # what has been said is replayed at once; then the platform waits for news


def listed(
    connection: Connection, stages: list[str], labels: list[str]
) -> Iterator[dict[str, Any]]:
    """Yield the jobs of the namespace, newest first as the Hub lists them.

    Args:
        connection: The way to the Hub.
        stages: Only these; [] is all.
        labels: Only those that bear all of these, each `key=value`.
    """
    query = [("stage", stage) for stage in stages] + [("label", label) for label in labels]
    for page in connection.pages(connection.jobs, "listing jobs", query):
        yield from (short(job, connection.endpoint) for job in page)


def short(job: dict[str, Any], endpoint: str) -> dict[str, Any]:
    """Return what a list shows of a job."""
    report = record.report(job, endpoint)
    return {
        "id": report.job_id,
        "stage": report.stage.value,
        "flavor": job.get("flavor"),
        "created_at": job.get("createdAt"),
        "running_s": report.running_s,
        "purpose": (job.get("labels") or {}).get(LABEL_PURPOSE),
        "image": job.get("dockerImage") or job.get("spaceId"),
        "url": report.url,
    }


def inspected(connection: Connection, job_id: str) -> dict[str, Any]:
    """Return a job's whole record, as the Hub has it.

    Raises:
        ExecutorError: There is no such job in the namespace.
    """
    from huggingface_hub.errors import JobNotFoundError

    try:
        found: dict[str, Any] = connection.read(
            f"{connection.jobs}/{job_id}", f"looking at job {job_id}"
        )
    except ExecutorError as error:
        if isinstance(error.__cause__, JobNotFoundError):
            raise ExecutorError(
                f"There is no job {job_id} in {connection.namespace}.",
                hint="another one? --namespace",
            ) from error
        raise
    return found


def said(connection: Connection, job_id: str) -> Iterator[str]:
    """Yield what a job has said so far.

    Raises:
        UnavailableError: The log cannot be had now.
    """
    import httpx2

    replay = Replay(Position())
    address, quiet = f"{connection.jobs}/{job_id}/logs", httpx2.Timeout(QUIET_S, connect=5.0)
    with (
        translated(f"reading the log of job {job_id}", connection.endpoint),
        session() as client,
        client.stream("GET", address, headers=connection.headers(), timeout=quiet) as answer,
    ):
        if answer.status_code != 200:
            raise UnavailableError(f"The Hub answered {answer.status_code} for the log.")
        try:
            for event in parse(answer.iter_raw()):
                if event is None:
                    return  # a keep-alive: everything there is has been said
                if replay.is_new(event.at, event.text):
                    yield event.text
        except httpx2.ReadTimeout:
            return  # a running job that says nothing now


def schedule(
    connection: Connection, ask: Ask, when: str, *, suspend: bool, concurrency: bool
) -> dict[str, Any]:
    """Create a scheduled job and return its record."""
    from huggingface_hub import Volume

    doing = "creating the scheduled job"
    with translated(doing, connection.endpoint, creating=True):
        made = connection.api.create_scheduled_job(
            image=ask.image,
            command=ask.command,
            schedule=when,
            suspend=suspend,
            concurrency=concurrency,
            env=ask.env,
            secrets=ask.secrets,
            flavor=ask.flavor,
            timeout=ask.timeout_s,
            labels={**ask.labels, "name": ask.name},
            volumes=[Volume(**volume) for volume in ask.volumes] or None,
            resource_group_id=ask.resource_group,
            namespace=connection.namespace,
        )
    return {"id": made.id, "schedule": made.schedule, "suspend": made.suspend}


def scheduled(connection: Connection, scheduled_id: str | None = None) -> Any:
    """Return one scheduled job, or all of the namespace."""
    address = f"{connection.endpoint}/api/scheduled-jobs/{connection.namespace}"
    if scheduled_id:
        return connection.read(f"{address}/{scheduled_id}", "looking at a scheduled job")
    return connection.read(address, "listing scheduled jobs")


def steer(connection: Connection, scheduled_id: str, verb: str) -> None:
    """Delete, suspend or resume a scheduled job."""
    api = connection.api
    actions = {
        "delete": api.delete_scheduled_job,
        "suspend": api.suspend_scheduled_job,
        "resume": api.resume_scheduled_job,
    }
    with translated(f"asking to {verb} scheduled job {scheduled_id}", connection.endpoint):
        actions[verb](scheduled_job_id=scheduled_id, namespace=connection.namespace)
