"""Jobs in flight: what is known of each, and how its readings reach the study."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from sweeper.jobs.executor import JobReport
from sweeper.jobs.metrics import MetricReader
from sweeper.optimizer.storage import set_intermediate_values
from sweeper.state import cursors
from sweeper.state.ledger import JobRow
from sweeper.sweep.session import Session

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

#: Lines of a log that are kept for classifying a failure.
_TAIL_LINES = 200


@dataclass
class Flight:
    """One attempt whose job may be running.

    Attributes:
        row: Its row of the ledger, as of its start.
        trial_id: Optuna's id of the trial.
        job_id: The executor's name of the job; None while an answer is missing.
        reader: Reads its lines.
        cursor: How far its log was read.
        curve: Step -> value, of this attempt.
        highest: The highest step of the curve, or None.
        tail: The last lines of its log.
        asked: Our reason for ending it, or None.
        ask_again_at: When the request to end it is repeated.
        unjudged: Whether readings came that the pruner has not seen.
        report: What was last heard of it.
        complete: Whether its log was read to the end.
        look_again_at: When a missing answer is looked into again.
        missing_since: Since when the platform has not known it, or None.
        posts: How often its request was sent by this conductor.
        told_elsewhere: Whether somebody else has told its trial meanwhile.
        trial: Its trial as it was when it was first judged.
    """

    row: JobRow
    trial_id: int
    job_id: str | None
    reader: MetricReader
    cursor: str = ""
    curve: dict[int, float] = field(default_factory=dict)
    highest: int | None = None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))
    asked: str | None = None
    ask_again_at: float = 0.0
    unjudged: bool = False
    report: JobReport | None = None
    complete: bool = False
    look_again_at: float = 0.0
    missing_since: float | None = None
    posts: int = 0
    told_elsewhere: bool = False
    trial: FrozenTrial | None = None

    @property
    def number(self) -> int:
        """Number of the trial."""
        if self.row.trial is None:
            raise ValueError("a job outside a sweep has no trial")
        return self.row.trial

    @property
    def latest(self) -> tuple[int, float] | None:
        """The reading at the highest step, as (step, value)."""
        return None if self.highest is None else (self.highest, self.curve[self.highest])


def of_row(session: Session, row: JobRow, trial_id: int) -> Flight:
    """Return the flight of a ledger row, with what was read of it before."""
    program = session.program
    resource = program.training.resource
    known = cursors.load(session.opened.database, row.uid, row.id)
    reader = MetricReader(
        program.goal.metric,
        None if resource is None else resource.name,
        None if known is None else known.reader,
    )
    flight = Flight(row, trial_id, row.job_id, reader, asked=row.cancel_reason)
    if known is not None and row.duplicate_of is not None:
        flight.cursor = known.cursor
    elif known is not None:
        values = session.storage.get_trial(trial_id).intermediate_values
        flight.cursor = known.cursor
        flight.curve = {s: v for s, v in values.items() if not math.isnan(v)}
        if known.last_step is not None and known.last_value is None:
            # The last reading was a divergence; other NaNs are readings that were voided.
            flight.curve[known.last_step] = values.get(known.last_step, math.nan)
        flight.highest = max(flight.curve, default=None)
        flight.unjudged = bool(flight.curve)
    return flight


def read_logs(session: Session, flights: Iterable[Flight]) -> list[Flight]:
    """Read what the jobs have printed; readings are stored first, then the cursors.

    Returns:
        The flights that have a new reading.
    """
    readings: dict[int, dict[int, float]] = {}
    moved: list[Flight] = []
    for flight in flights:
        if flight.job_id is None or flight.complete:
            continue
        new, advanced = _read_log(session, flight)
        if new:
            readings[flight.trial_id] = new
            flight.unjudged = True
        if advanced:
            moved.append(flight)
    if readings:
        finished = set_intermediate_values(session.storage, readings)
        for flight in moved:
            flight.told_elsewhere |= flight.trial_id in finished
    if moved:
        cursors.store_many(
            session.transaction, session.opened.uid, [_cursor(session, f) for f in moved]
        )
    return [flight for flight in moved if flight.trial_id in readings]


def _read_log(session: Session, flight: Flight) -> tuple[dict[int, float], bool]:
    tail = session.executor.tail(flight.job_id or "", flight.cursor)
    new: dict[int, float] = {}
    for line in tail.lines:
        flight.tail.append(line)
        for reading in flight.reader.feed(line):
            if reading.restart:
                # The attempt's earlier readings came in a weaker form and are void.
                new = dict.fromkeys(flight.curve, math.nan)
                flight.curve.clear()
                flight.highest = None
            new[reading.step] = reading.value
            flight.curve[reading.step] = reading.value
            flight.highest = max(reading.step, flight.highest or 0)
    advanced = tail.cursor != flight.cursor
    flight.cursor, flight.complete = tail.cursor, tail.complete
    # The readings of a duplicate are nobody's: its trial has those of the job that was kept.
    return {} if flight.row.duplicate_of is not None else new, advanced


def _cursor(session: Session, flight: Flight) -> cursors.Cursor:
    step, value = flight.latest or (None, None)
    finite = value is not None and math.isfinite(value)
    return cursors.Cursor(
        flight.row.id,
        flight.cursor,
        flight.reader.state(),
        value if finite else None,
        step,
        session.now(),
    )
