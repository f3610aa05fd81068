"""The plug for Hugging Face Jobs: sends each request once and says what became of it.

Nothing here counts money or decides. Stages are polled with one listing for all jobs of the
study; each job's log is followed by a thread of its own (`follower.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from sweeper.errors import ExecutorError
from sweeper.errors import OutcomeUnknownError
from sweeper.errors import UnavailableError
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
from sweeper.state.ledger import Reservation

PATIENCE_S = 3.0  # how long a question about all jobs may hold up the caller
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
        self._absent: dict[str, int] = {}
        self._aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="polling")
        self._asking: tuple[frozenset[str], Future[dict[str, dict[str, Any]]]] | None = None
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
        ask = self._packing.ask(spec, paid)
        return post(self.connection, ask)

    def poll(self, job_ids: Collection[str]) -> dict[str, JobReport]:
        """Report on jobs with one listing; those that it lacks are asked for one by one.

        The question is asked aside, so that a slow Hub does not hold up the caller: an answer
        that takes longer is handed out by a later call, which says so by `UnavailableError`.
        """
        wanted = frozenset(job_ids)
        if self._asking is None or not wanted <= self._asking[0]:
            self._asking = (wanted, self._aside.submit(self._records, wanted))
        try:
            records = self._asking[1].result(timeout=PATIENCE_S)
        except TimeoutError:
            raise UnavailableError(
                "The Hub takes its time to say how the jobs are.", retry_after_s=1.0
            ) from None
        except BaseException:
            self._asking = None
            raise
        self._asking = None
        self._note_absent(wanted - set(records))
        reports = {i: self._report(i, records[i]) for i in wanted if i in records}
        self._tell_followers(reports)
        return reports

    def _records(self, wanted: frozenset[str]) -> dict[str, dict[str, Any]]:
        records = self._listed(wanted)
        for job_id in sorted(wanted - set(records)):
            if found := self._inspected(job_id):
                records[job_id] = found
        return records

    def tail(self, job_id: str, cursor: str) -> Tail:
        """Return the log lines behind `cursor`; "" begins anew, so after the end it is the whole.

        While the job runs, a line that the platform withholds may be missing and a withheld
        reading may come late; each reading comes once. After the end, `tail(job_id, "")` until
        `complete` is the whole log as the platform keeps it: the arbiter.
        """
        return self._follower(job_id, cursor).tail(cursor)

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job; of one that has ended or is gone, do nothing."""
        from huggingface_hub.errors import HfHubHTTPError
        from huggingface_hub.errors import JobNotFoundError

        doing = f"cancelling job {job_id}"
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
        self._aside.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _pages(
        self, doing: str, key: str, value: str, timeout_s: float = READ_S
    ) -> Iterator[list[dict[str, Any]]]:
        query = [("label", f"{key}={value}")]
        return self.connection.pages(self.connection.jobs, doing, query, timeout_s=timeout_s)

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
        self._absent.pop(job_id, None)
        report = record.report(found, self.connection.endpoint)
        if report.stage is Stage.COMPLETED:
            report = replace(report, exit_code=0)
        follower = self._followers.get(job_id)
        if follower is None or not report.stage.terminal:
            return report
        attempts = max(report.platform_attempts, follower.platform_attempts)
        code = 0 if report.stage is Stage.COMPLETED else follower.exit
        return replace(
            report,
            platform_attempts=attempts,
            exit_code=code if code is not None and code >= 0 else None,
            signal=-code if code is not None and code < 0 else None,
        )

    def _note_absent(self, absent: frozenset[str]) -> None:
        for job_id in absent:
            self._absent[job_id] = self._absent.get(job_id, 0) + 1
            follower = self._followers.get(job_id)
            if follower and self._absent[job_id] >= FORGOTTEN_POLLS:
                follower.end()

    def _tell_followers(self, reports: dict[str, JobReport]) -> None:
        for job_id, report in reports.items():
            self._reports[job_id] = report
            if follower := self._followers.get(job_id):
                tell(follower, report)

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


def tell(follower: Follower, report: JobReport) -> None:
    """Let a follower know where its job stands."""
    if report.stage.terminal:
        follower.end()
    elif report.started_at is not None:
        follower.running.set()


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
