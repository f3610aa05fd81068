"""What people ask of a running conductor: by a request, or by editing program.md."""

from __future__ import annotations

import getpass
import math
from collections.abc import Iterator

from sweeper.budget import rules
from sweeper.errors import ProgramError
from sweeper.program import Program
from sweeper.program import load
from sweeper.state import approval
from sweeper.state import control
from sweeper.state import studies
from sweeper.sweep import outcome
from sweeper.sweep.events import Event
from sweeper.sweep.flight import Flight
from sweeper.sweep.session import Session
from sweeper.sweep.study import covers

#: Seconds between two looks at program.md.
_PROGRAM_EVERY_S = 1.0


class Steering:
    """Heeds requests and edits.

    Attributes:
        holds: Whether nothing is to be submitted until that changes.
        stopped_by: Why a person wants the sweep to end, or None.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._paused = False
        self._uncovered: list[str] = []
        self._looked_at = -math.inf
        self._mtime: int | None = _mtime(session.program)
        self.stopped_by: str | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing is to be submitted until that changes."""
        return self._paused or bool(self._uncovered)

    @property
    def ends(self) -> bool:
        """Whether the sweep ends although it holds."""
        return self.stopped_by is not None

    def heed(self, flights: list[Flight]) -> Iterator[Event]:
        """Answer what was asked since the last look."""
        session = self._session
        for request in control.open_requests(session.opened.database, session.opened.uid):
            answer = self._answer(request, flights)
            control.done(session.transaction, request.id, answer, session.now())
            yield Event(
                "request",
                None,
                {"verb": request.verb, "by": request.asked_by, "answer": answer},
            )
        yield from self._heed_program()

    def _answer(self, request: control.Request, flights: list[Flight]) -> str:
        if request.verb == "cancel":
            return self._cancel(request, flights)
        if request.verb == "pause":
            self._pause(True)
            return "Nothing more is submitted; running trials go on."
        if request.verb == "resume":
            self._pause(False)
            return "Submitting goes on."
        self.stopped_by = f"{outcome.PERSON}: stopped by {request.asked_by}"
        if request.verb == "stop_cancel":
            for flight in flights:
                self._end(flight)
            return f"The sweep ends; {len(flights)} running trials are cancelled."
        return f"The sweep ends when its {len(flights)} running trials have finished."

    def _cancel(self, request: control.Request, flights: list[Flight]) -> str:
        wanted = [f for f in flights if str(f.row.trial) == request.argument]
        if not wanted:
            return f"Trial {request.argument} does not run."
        self._end(wanted[0])
        return f"Trial {request.argument} is being cancelled."

    def _end(self, flight: Flight) -> None:
        session = self._session
        if flight.job_id is None or flight.asked is not None:
            return
        if flight.report is not None and flight.report.stage.terminal:
            return
        session.ledger.cancelling(
            session.transaction, flight.row.id, outcome.PERSON, session.now()
        )
        flight.asked, flight.ask_again_at = outcome.PERSON, 0.0

    def _pause(self, paused: bool) -> None:
        self._paused = paused
        session = self._session
        state = "paused" if paused else "running"
        studies.set_state(session.transaction, session.opened.uid, state, None)

    # ---- program.md

    def _heed_program(self) -> Iterator[Event]:
        now = self._session.now()
        if now - self._looked_at < _PROGRAM_EVERY_S:
            return
        self._looked_at = now
        mtime = _mtime(self._session.program)
        if mtime != self._mtime:
            self._mtime = mtime
            yield from self._reread()
        elif self._uncovered:
            yield from self._weigh()

    def _reread(self) -> Iterator[Event]:
        session = self._session
        try:
            program = load(session.program.path)
        except ProgramError as error:
            where = f" (line {error.line})" if error.line else ""
            yield Event(
                "warning",
                None,
                {"message": f"program.md is wrong{where}: {error.message} The last one stands."},
            )
            return
        if program.sha256 != session.program.sha256:
            session.adopt(program)
            yield from self._weigh()

    def _weigh(self) -> Iterator[Event]:
        """Hold while the program asks for more than was approved; narrow at once."""
        session = self._session
        current = approval.current(session.opened.database, session.opened.uid)
        wanted = covers(session.program, session.executor.name)
        before, self._uncovered = self._uncovered, approval.uncovered(current, wanted)
        if self._uncovered and not before:
            yield Event(
                "waiting",
                None,
                {
                    "reason": "program.md asks for more than was approved: "
                    + "; ".join(self._uncovered),
                    "hint": "Run `sweeper approve`; running trials go on.",
                },
            )
        elif not self._uncovered:
            narrow(session)

    def refusal(self) -> rules.Refusal | None:
        """Return why no further job may start now, or None; asks nothing of the study."""
        session = self._session
        return rules.refusal(
            session.program.envelope(),
            session.ledger.usage(),
            session.flavor,
            session.price(session.flavor),
            session.ledger.completed_durations(),
            session.now(),
        )


def narrow(session: Session) -> None:
    """Put a narrower program.md in force at once: reservations read the approval's row."""
    opened = session.opened
    current = approval.current(opened.database, opened.uid)
    wanted = covers(session.program, current.covers.executor if current else "local")
    if current is None or current.covers == wanted:
        return
    by = f"{getpass.getuser()} (narrowed in program.md)"
    approval.record(opened.database, opened.uid, wanted, by, session.now())
    newest = approval.current(opened.database, opened.uid)
    if newest is not None:
        approval.write_projection(opened.folder.approval, opened.uid, newest)


def _mtime(program: Program) -> int | None:
    try:
        return program.path.stat().st_mtime_ns
    except OSError:
        return None
