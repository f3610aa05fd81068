"""The plug for Hugging Face Jobs: sends each request once and says what became of it.

Nothing here counts money or decides. Stages are polled with one listing for all jobs of the
study; each job's log is followed by a thread of its own (`follower.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sweeper.errors import ExecutorError
from sweeper.errors import OutcomeUnknownError
from sweeper.jobs.executor import FoundJob
from sweeper.jobs.executor import JobReport
from sweeper.jobs.executor import JobSpec
from sweeper.jobs.executor import Stage
from sweeper.jobs.executor import Tail
from sweeper.jobs.hf import record
from sweeper.jobs.hf import submission
from sweeper.jobs.hf.connection import READ_S
from sweeper.jobs.hf.connection import SLOW_READ_S
from sweeper.jobs.hf.connection import Connection
from sweeper.jobs.hf.connection import session
from sweeper.jobs.hf.follower import Follower
from sweeper.jobs.hf.packing import Packing
from sweeper.jobs.hf.refusals import translated
from sweeper.jobs.hf.stages import Stages
from sweeper.state.ledger import Reservation

FORGOTTEN_POLLS = 2  # absences in a row before a job counts as gone


class HfExecutor:
    """Runs jobs on Hugging Face.

    Args:
        connection: The way to the Hub, with the namespace that runs and pays.
        uid: The study's uid; "" watches jobs of any study, one request each.
        study: The study's name.
        output_repos: Scope of the program, where large files may be put.
    """

    name = "hf"
    tick_s = 0.25

    def __init__(
        self,
        connection: Connection,
        *,
        uid: str,
        study: str,
        output_repos: Collection[str] = (),
    ) -> None:
        self.connection = connection
        self._uid = uid
        self._study = study
        self._client = session()
        self._followers: dict[str, Follower] = {}
        self._reports: dict[str, JobReport] = {}
        self._explained: set[str] = set()
        self._stages = Stages(self._records)
        self._lock = threading.Lock()
        self._packing = Packing(connection, study, uid, list(output_repos))

    def prepare(self, spec: JobSpec) -> None:
        """Upload what is too large for a command, so that no reservation waits for it.

        Raises:
            ScriptError: The script or its files cannot be shipped.
            UnavailableError: The Hub is away.
            AccountError: The token may not write the repository, or a secret is missing.
        """
        self._packing.shipment(spec)

    def submit(self, spec: JobSpec, paid: Reservation) -> str:
        """Send one request for a job and return its id.

        `UnavailableError` and `AccountError` mean that no job exists: the Hub refused the
        request, or was never reached.

        Raises:
            NothingCreatedError: It was refused; no job exists.
            OutcomeUnknownError: The answer was lost; a job may exist.
        """
        job_id = post(self.connection, self._packing.ask(spec, paid))
        self._stages.created(
            {
                "id": job_id,
                "status": {"stage": Stage.SCHEDULING.value},
                "owner": {"name": self.connection.namespace},
            }
        )
        return job_id

    def poll(self, job_ids: Collection[str]) -> dict[str, JobReport]:
        """Report on jobs; asking often costs nothing, because the Hub is asked seldom (`Stages`).

        Raises:
            UnavailableError: The Hub has not answered for a while.
            AccountError: It refuses to answer.
        """
        wanted = frozenset(job_ids)
        records = self._stages.of(wanted)
        for job_id in wanted - records.keys():
            self._reports.pop(job_id, None)
            follower = self._followers.get(job_id)
            if follower and self._stages.absences(job_id) >= FORGOTTEN_POLLS:
                follower.end()
        reports = {job_id: self._report(job_id, found) for job_id, found in records.items()}
        self._reports.update(reports)
        return reports

    def tail(self, job_id: str, cursor: str) -> Tail:
        """Return the log lines behind `cursor`; "" begins anew, so after the end it is the whole.

        While the job runs, a line that the platform withholds may be missing and a withheld
        reading may come late; each reading comes once. After the end, `tail(job_id, "")` until
        `complete` is the whole log as the platform keeps it: the arbiter. It is complete once
        `poll` has told how the job ended, with what the log says of it.
        """
        tail = self._follower(job_id, cursor).tail(cursor)
        known = job_id in self._explained or self._stages.absences(job_id) >= FORGOTTEN_POLLS
        return tail if known else replace(tail, complete=False)

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job; of one that has ended or is gone, do nothing."""
        from huggingface_hub.errors import HfHubHTTPError
        from huggingface_hub.errors import JobNotFoundError

        doing = f"cancelling job {job_id}"
        self._stages.hurry()
        with translated(doing, self.connection.endpoint):
            try:
                self.connection.api.cancel_job(job_id=job_id, namespace=self.connection.namespace)
            except JobNotFoundError:
                return
            except HfHubHTTPError as error:
                # Of a job that has ended some 4xx may come; that is what we wanted.
                if error.response.status_code in (400, 409):
                    return
                raise

    def find(self, purpose: str) -> str | None:
        """Return the id of the oldest job that bears `purpose`, or None."""
        return next((job.job_id for job in self.matches(purpose)), None)

    def matches(self, purpose: str) -> list[FoundJob]:
        """Return every job that bears `purpose`, oldest first, with the reservation it carries."""
        if purpose.split("/")[0] not in (self._study, "task"):
            return []
        label = submission.purpose_label(self._uid, purpose)
        jobs = [
            record.found(job)
            for page in self._pages("looking for a job", submission.LABEL_PURPOSE, label)
            for job in page
        ]
        return sorted(jobs, key=lambda job: (job.created_at, job.job_id))

    def close(self) -> None:
        """Let go of connections and threads; jobs go on."""
        with self._lock:
            followers, self._followers = list(self._followers.values()), {}
        for follower in followers:
            follower.stop()
        for follower in followers:
            follower.join()
        self._stages.close()
        self._client.close()

    def _pages(
        self, doing: str, key: str, value: str, timeout_s: float = READ_S
    ) -> Iterator[list[dict[str, Any]]]:
        query = [("label", f"{key}={value}")]
        return self.connection.pages(self.connection.jobs, doing, query, timeout_s=timeout_s)

    def _records(self, wanted: frozenset[str]) -> dict[str, dict[str, Any]]:
        """Ask for jobs with one listing; those that it lacks are asked for one by one."""
        records = self._listed(wanted)
        for job_id in sorted(wanted - records.keys()):
            if found := self._inspected(job_id):
                records[job_id] = found
        return records

    def _listed(self, wanted: frozenset[str]) -> dict[str, dict[str, Any]]:
        """Return the records of the wanted jobs, reading no page more than that takes."""
        records: dict[str, dict[str, Any]] = {}
        if not wanted or not self._uid:
            return records
        doing = "asking how the jobs are"
        for page in self._pages(doing, submission.LABEL_UID, self._uid, SLOW_READ_S):
            records.update({job["id"]: job for job in page if job["id"] in wanted})
            if len(records) == len(wanted):
                break
        return records

    def _inspected(self, job_id: str) -> dict[str, Any] | None:
        from huggingface_hub.errors import JobNotFoundError

        try:
            address = f"{self.connection.jobs}/{job_id}"
            doing = f"asking how job {job_id} is"
            found: dict[str, Any] = self.connection.read(address, doing, timeout_s=SLOW_READ_S)
        except ExecutorError as error:
            if isinstance(error.__cause__, JobNotFoundError):
                return None
            raise
        return found

    def _report(self, job_id: str, found: dict[str, Any]) -> JobReport:
        report = record.report(found, self.connection.endpoint)
        follower = self._followers.get(job_id)
        if follower is None:
            return report
        over = follower.complete
        report = explained(report, follower)
        if report.started_at is not None:
            follower.running.set()
        if report.stage.terminal:
            follower.end()
        if not settled(report) and follower.hints_at_more_than(report.stage):
            self._stages.hurry()
        if over and settled(report):
            self._explained.add(job_id)
        return report

    def _follower(self, job_id: str, cursor: str) -> Follower:
        with self._lock:
            follower = self._followers.get(job_id)
            if follower is not None and follower.serves(cursor):
                return follower
            if follower is not None:
                follower.stop()
            report = self._reports.get(job_id)
            ended = report is not None and report.stage.terminal
            follower = Follower(self.connection, self._client, job_id, cursor, ended=ended)
            self._followers[job_id] = follower
            return follower


def settled(report: JobReport) -> bool:
    """Tell whether a record is final: the stage comes first, the time of the end after it."""
    return report.stage.terminal and report.finished_at is not None


def explained(report: JobReport, follower: Follower) -> JobReport:
    """Return a report with what only the log says: exit code, signal, restarts."""
    attempts = max(report.platform_attempts, follower.platform_attempts)
    report = replace(report, platform_attempts=attempts)
    code = follower.exit
    if code is None or report.stage is not Stage.ERROR:
        return report
    return replace(
        report,
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
    )


def post(connection: Connection, ask: submission.Ask) -> str:
    """Send one request for a job and return its id; raises as `HfExecutor.submit`."""
    from huggingface_hub import Volume

    who, doing = connection.who, "submitting the job"
    submission.guard_token(ask, [who.token or "", *ask.secrets.values()])
    with translated(doing, connection.endpoint, creating=True):
        job = connection.api.run_job(
            image=ask.image,
            command=ask.command,
            env=ask.env,
            secrets=ask.secrets,
            flavor=ask.flavor,
            timeout=ask.timeout_s,
            attempts=1,
            name=ask.name,
            labels=ask.labels,
            volumes=[Volume(**volume) for volume in ask.volumes] or None,
            resource_group_id=ask.resource_group,
            namespace=connection.namespace,
        )
    if not job.id:
        raise OutcomeUnknownError("While submitting the job: the Hub's answer names no job.")
    return str(job.id)
