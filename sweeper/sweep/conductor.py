"""The loop: heed what people ask, collect, judge, launch; then drain.

A generator of `Event`s. It decides nothing about money (`budget/rules.py`), nothing about what to
try (`optimizer/`), and prints nothing (`views/`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sweeper.errors import AccountError
from sweeper.errors import ExecutorError
from sweeper.errors import ProposalError
from sweeper.errors import ScriptError
from sweeper.errors import SweeperError
from sweeper.errors import UnavailableError
from sweeper.jobs.executor import JobReport
from sweeper.jobs.executor import Stage
from sweeper.optimizer.space import SpaceExhausted
from sweeper.optimizer.storage import begun
from sweeper.state import studies
from sweeper.state.database import DatabaseAwayError
from sweeper.state.ledger import BudgetRefusedError
from sweeper.state.ledger import JobRow
from sweeper.sweep import closing
from sweeper.sweep import launch
from sweeper.sweep import outcome
from sweeper.sweep.events import Event
from sweeper.sweep.flight import Flight
from sweeper.sweep.flight import read_logs
from sweeper.sweep.judging import Judge
from sweeper.sweep.keeping import remove_losers
from sweeper.sweep.reattach import Leftovers
from sweeper.sweep.reattach import reattach
from sweeper.sweep.session import Session
from sweeper.sweep.steering import Steering

#: How long the service may be away, in a row, before the sweep pauses (LOOP.md, step 10).
AWAY_LIMIT_S = 600.0
#: How often a request to end a job is repeated until the job is terminal.
CANCEL_AGAIN_S = 5.0
#: A job that the platform does not know for so long is taken for vanished.
VANISHED_AFTER_S = 30.0
_HEARTBEAT_S = 15.0


@dataclass(frozen=True, slots=True)
class Options:
    """What `run` was told.

    Attributes:
        max_parallel: Jobs in flight; can only lower the approved number. None: as approved.
        trials: Stop after so many trials have finished since this run began.
    """

    max_parallel: int | None = None
    trials: int | None = None


class Conductor:
    """Runs one study until target, patience or budget ends it.

    Attributes:
        flights: Jobs in flight.
        state: finished, stopped or paused, once it has ended.
        stop_reason: Why it launches no more, or None.
    """

    def __init__(self, session: Session, options: Options) -> None:
        self._session = session
        self._options = options
        self._judge = Judge(session)
        self._steering = Steering(session)
        self.flights: list[Flight] = []
        self._unstarted: list[int] = []
        self._lost: list[int] = []
        self._finished = 0
        self._proven = False
        self._away_since: float | None = None
        self._heartbeat_at = 0.0
        self._open = True
        self.state = "running"
        self.stop_reason: str | None = None

    def run(self) -> Iterator[Event]:
        """Conduct the sweep to its end; every event is recorded before it is handed on."""
        for event in self._events():
            yield self._session.record(event)

    def _events(self) -> Iterator[Event]:
        session = self._session
        studies.set_state(session.transaction, session.opened.uid, "running", None)
        yield Event("sweep_started", None, {"executor": session.executor.name})
        leftovers = Leftovers()
        yield from reattach(session, leftovers)
        self.flights = leftovers.flights
        self._unstarted, self._lost = leftovers.unstarted, leftovers.lost
        self._proven = self._judge.anything_measured()
        yield from self._judge.renew()
        while not self._over():
            yield from self._around()
            session.sleep(session.executor.tick_s)
        yield from self._end()

    def _around(self) -> Iterator[Event]:
        """Go once around the loop; a service or a database that is away is waited for."""
        try:
            self._beat()
            yield from self._steering.heed(self.flights)
            yield from self._collect()
            self._judge_flights()
            yield from self._launch()
            self._away_since = None
        except (UnavailableError, DatabaseAwayError) as error:
            yield from self._wait_out(error)
        except (AccountError, ScriptError, ExecutorError) as error:
            self._refuse(error)

    def _wait_out(self, error: SweeperError) -> Iterator[Event]:
        now = self._session.now()
        if self._away_since is None:
            self._away_since = now
            yield Event("waiting", None, {"reason": error.message})
        if now - self._away_since > AWAY_LIMIT_S:
            self._refuse(error)
            return
        asked_s = getattr(error, "retry_after_s", None) or 1.0
        self._session.sleep(min(30.0, max(1.0, asked_s)))

    def _refuse(self, error: SweeperError) -> None:
        hint = f" {error.hint}" if error.hint else ""
        self._stop("paused", f"refused: {error.message}{hint}")
        self._open = False

    def _stop(self, state: str, reason: str) -> None:
        if self.stop_reason is None:
            self.state, self.stop_reason = state, reason

    def _beat(self) -> None:
        now = self._session.now()
        if now - self._heartbeat_at >= _HEARTBEAT_S:
            self._session.lease.heartbeat()
            self._heartbeat_at = now

    # ---- collect

    def _collect(self) -> Iterator[Event]:
        for flight in [each for each in self.flights if each.job_id is None]:
            yield from self._resolve(flight)
        self._poll()
        moved = read_logs(self._session, self.flights)
        for flight in moved:
            step, value = flight.latest or (0, math.nan)
            if not self._proven:
                self._proven = True
                yield Event("first_metric", flight.number, {"step": step, "value": value})
            yield Event("reading", flight.number, {"step": step, "value": value})
        for flight in list(self.flights):
            if flight.report is not None and flight.report.stage.terminal and flight.complete:
                yield from self._close(flight, flight.report)

    def _resolve(self, flight: Flight) -> Iterator[Event]:
        if self._session.now() < flight.look_again_at:
            return
        became = launch.resolve(self._session, flight)
        if became == "withdrawn":
            self.flights.remove(flight)
            self._put_back(flight.trial_id, flight.row.attempt)
        elif became == "found":
            self.flights += launch.duplicates(self._session, flight)
            yield Event("job_adopted", flight.number, {"job_id": flight.job_id})

    def _put_back(self, trial_id: int, attempt: str) -> None:
        """Let a trial whose request created nothing come next."""
        (self._unstarted if attempt == "1" else self._lost).insert(0, trial_id)

    def _poll(self) -> None:
        by_id = {flight.job_id: flight for flight in self.flights if flight.job_id is not None}
        reports = self._session.executor.poll(list(by_id))
        for job_id, flight in by_id.items():
            report = reports.get(job_id)
            if report is None:
                self._miss(flight)
                continue
            flight.missing_since = None
            self._note(flight, report)

    def _note(self, flight: Flight, report: JobReport) -> None:
        before = flight.report
        flight.report = report
        unknown = flight.row.started_at is None and (before is None or before.started_at is None)
        if report.started_at is not None and unknown:
            self._session.ledger.running(
                self._session.transaction, flight.row.id, report.started_at
            )
        if report.stage.terminal and (before is None or not before.stage.terminal):
            self._session.ledger.terminal(
                self._session.transaction, flight.row.id, report.stage.value, report.finished_at
            )

    def _miss(self, flight: Flight) -> None:
        """A job that the platform no longer knows has vanished, once that lasts."""
        now = self._session.now()
        if flight.missing_since is None:
            flight.missing_since = now
        elif now - flight.missing_since > VANISHED_AFTER_S:
            flight.complete = True
            self._note(flight, JobReport(flight.job_id or "", Stage.DELETED))

    # ---- a job's end

    def _close(self, flight: Flight, report: JobReport) -> Iterator[Event]:
        session = self._session
        self.flights.remove(flight)
        if flight.posts > 1:
            self.flights += launch.duplicates(session, flight)
        row = closing.settle(session, flight, report)
        if row.duplicate_of is not None:
            session.ledger.told(session.transaction, row.id)
            return
        if row.outcome == "lost":
            self._lost.append(flight.trial_id)
            yield Event("attempt_lost", row.trial, {"failure": row.failure, "job_id": row.job_id})
            return
        yield closing.tell(session, row, flight.trial_id)
        self._finished += 1
        yield from self._judge.renew()
        remove_losers(session, self._judge.best, flight.number)
        self._stop_on(row)

    def _stop_on(self, row: JobRow) -> None:
        repeated = self._judge.repeated_failure(row)
        if repeated is not None:
            self._stop("stopped", f"script error: {repeated}")
        reason = self._judge.stop_reason()
        if reason is not None:
            self._stop("finished", reason)
        if self._options.trials is not None and self._finished >= self._options.trials:
            self._stop("stopped", f"trials: {self._finished} finished in this run")

    # ---- judge

    def _judge_flights(self) -> None:
        for flight in self.flights:
            if flight.asked is not None or flight.job_id is None:
                continue
            if flight.row.duplicate_of is not None:
                self._cut(flight, outcome.DUPLICATE)
            elif flight.told_elsewhere:
                self._cut(flight, outcome.TOLD_ELSEWHERE)
            elif flight.unjudged:
                reason = self._judge.verdict_on(flight)
                if reason is not None:
                    self._cut(flight, reason)
        self._cancel_again()

    def _cut(self, flight: Flight, reason: str) -> None:
        if flight.report is not None and flight.report.stage.terminal:
            return
        session = self._session
        session.ledger.cancelling(session.transaction, flight.row.id, reason, session.now())
        flight.asked, flight.ask_again_at = reason, 0.0

    def _cancel_again(self) -> None:
        now = self._session.now()
        for flight in self.flights:
            ended = flight.report is not None and flight.report.stage.terminal
            if flight.asked is None or flight.job_id is None or ended:
                continue
            if now >= flight.ask_again_at:
                flight.ask_again_at = now + CANCEL_AGAIN_S
                self._session.executor.cancel(flight.job_id)

    # ---- launch

    def _launch(self) -> Iterator[Event]:
        while self._room():
            event = self._launch_one()
            if event is None:
                return
            yield event

    def _room(self) -> bool:
        if self.stop_reason is not None or not self._open or self._steering.holds:
            return False
        limit = self._session.program.budget.max_parallel
        if self._options.max_parallel is not None:
            limit = min(limit, self._options.max_parallel)
        if not self._proven:
            # One bug is not to burn a batch: the first job runs alone until it has measured.
            limit = 1
        if self._options.trials is not None:
            limit = min(limit, self._options.trials - self._finished)
        return len(self.flights) < limit

    def _launch_one(self) -> Event | None:
        session = self._session
        refusal = self._steering.refusal()
        if refusal is not None:
            self._refused(refusal.kind, refusal.sentence)
            return None
        trial_id, attempt = self._take()
        try:
            return self._start(trial_id, attempt)
        except BudgetRefusedError as error:
            if attempt == "1":
                session.record(closing.not_started(session, trial_id, error.message))
            else:
                self._put_back(trial_id, attempt)
            self._refused(error.refusal.kind, error.refusal.sentence)
            return None
        except SpaceExhausted as error:
            self._stop("finished", f"space exhausted: {error.message}")
            return closing.not_started(session, trial_id, error.message)
        except ProposalError as error:
            return closing.not_started(session, trial_id, error.message)

    def _take(self) -> tuple[int, str]:
        """Return the trial to run next and the name of its attempt."""
        if self._lost:
            trial_id = self._lost.pop(0)
            number = self._session.storage.get_trial(trial_id).number
            ran = [r for r in self._session.ledger.jobs(trial=number) if r.state != "given_back"]
            return trial_id, str(1 + sum(r.duplicate_of is None for r in ran))
        if self._unstarted:
            return self._unstarted.pop(0), "1"
        return launch.next_trial(self._session)._trial_id, "1"

    def _start(self, trial_id: int, attempt: str) -> Event:
        session = self._session
        trial = begun(session.study, trial_id)
        params = launch.parameters(session, trial)
        reservation = launch.reserve(session, trial, params, attempt, session.flavor)
        launch.begin_attempt(session, trial_id, attempt)
        try:
            flight = launch.send(session, reservation, trial_id)
        except SweeperError:
            self._put_back(trial_id, attempt)
            raise
        self.flights.append(flight)
        frozen = session.storage.get_trial(trial_id)
        return Event(
            "trial_started",
            frozen.number,
            {
                "attempt": attempt,
                "params": dict(frozen.params),
                "origin": frozen.user_attrs.get("origin", "model"),
                "job_id": flight.job_id,
                "flavor": reservation.flavor,
                "timeout_s": reservation.timeout_s,
            },
        )

    def _refused(self, kind: str, sentence: str) -> None:
        """Wait for a settlement after a no of the rules, or end the launching."""
        if self.flights:
            # What is in flight may free something, or end with a lost attempt to repeat.
            return
        if kind in ("flavor", "price"):
            self._stop("paused", f"refused: {sentence}")
        else:
            self._stop("finished", f"{kind}: {sentence}")

    # ---- end

    def _over(self) -> bool:
        asked = self._steering.stopped_by
        if asked is not None:
            self._stop("stopped", asked)
        if self._steering.holds and not self._steering.ends:
            return False
        if self.flights:
            return not self._open and self.state == "paused"
        return self.stop_reason is not None

    def _end(self) -> Iterator[Event]:
        session = self._session
        if self.state == "finished":
            for trial_id in (*self._unstarted, *self._lost):
                yield closing.not_started(session, trial_id, self.stop_reason or "")
        yield from self._judge.renew()
        studies.set_state(session.transaction, session.opened.uid, self.state, self.stop_reason)
        yield Event("sweep_finished", None, {"state": self.state, "reason": self.stop_reason})
