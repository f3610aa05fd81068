"""The ledger against a model of itself, over whatever order of steps hypothesis thinks of."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import multiple
from hypothesis.stateful import rule

from sweeper.errors import StateError
from sweeper.state.booking import reservation
from sweeper.state.database import open_database
from sweeper.state.database import sqlite_url
from sweeper.state.ledger import BudgetRefusedError
from sweeper.state.ledger import Ledger
from tests.state import facts
from tests.state.facts import NOW
from tests.state.facts import PRICE
from tests.state.facts import UID

RANK = {
    "reserved": 0,
    "submitting": 1,
    "submitted": 2,
    "cancelling": 3,
    "terminal": 4,
    "settled": 5,
    "given_back": 5,
}
MAX_MICRO_USD = 60 * PRICE


class LedgerMachine(RuleBasedStateMachine):
    """Random steps on a ledger; the invariants hold after each."""

    rows = Bundle("rows")

    @initialize()
    def begin(self) -> None:
        """Open a new database with an approved study."""
        self.folder = tempfile.TemporaryDirectory()
        self.url = sqlite_url(Path(self.folder.name) / "sweep.db")
        self.database = open_database(self.url)
        facts.study(self.database)
        self.limits: dict[str, Any] = {"max_jobs": 6, "max_walltime_s": 2400.0}
        self.limits |= {"max_micro_usd": MAX_MICRO_USD, "max_parallel": 3}
        facts.approve(self.database, **self.limits)
        self.ledger = Ledger(self.database, UID)
        self.attempts = 0
        self.last: dict[int, str] = {}
        self.overdrawn = False

    def teardown(self) -> None:
        """Remove the database."""
        if hasattr(self, "database"):
            self.database.close()
            self.folder.cleanup()

    @rule(target=rows)
    def reserve(self) -> Any:
        """Ask for one more job; what is granted fits."""
        self.attempts += 1
        try:
            paid = facts.reserve(
                self.ledger, self.database, self.attempts, micro_usd_per_minute=PRICE
            )
        except BudgetRefusedError:
            return multiple()
        self._fits()
        return paid.id

    @rule(row_id=rows)
    def advance(self, row_id: int) -> None:
        """Take the step that comes next for a row."""
        row = self.ledger.job(row_id)
        paid = reservation(row)
        step = {
            "reserved": lambda tx: self.ledger.submitting(tx, paid, NOW),
            "submitting": lambda tx: self.ledger.submitted(tx, paid, f"job-{row_id}", NOW),
            "submitted": lambda tx: self.ledger.terminal(tx, row_id, "COMPLETED", NOW),
            "cancelling": lambda tx: self.ledger.terminal(tx, row_id, "CANCELED", NOW),
            "terminal": lambda _: facts.settle(self.ledger, self.database, row_id),
        }.get(row.state)
        if step is not None:
            step(self.database.transaction)
            assert self.ledger.job(row_id).state != row.state

    @rule(row_id=rows)
    def submitting(self, row_id: int) -> None:
        """Announce the request, whatever the row's state."""
        paid = reservation(self.ledger.job(row_id))
        self._step(lambda tx: self.ledger.submitting(tx, paid, NOW))

    @rule(row_id=rows)
    def give_back(self, row_id: int) -> None:
        """Learn that nothing was created."""
        self._step(lambda tx: self.ledger.give_back(tx, row_id, NOW))

    @rule(row_id=rows)
    def cancelling(self, row_id: int) -> None:
        """Want the job's end."""
        self._step(lambda tx: self.ledger.cancelling(tx, row_id, "person", NOW))

    @rule(row_id=rows)
    def terminal(self, row_id: int) -> None:
        """See the job's end."""
        self._step(lambda tx: self.ledger.terminal(tx, row_id, "CANCELED", NOW))

    @rule(row_id=rows, part=st.floats(0, 1), outcome=st.sampled_from(["complete", "lost"]))
    def settle(self, row_id: int, part: float, outcome: str) -> None:
        """Book what the job used, which is at most what was reserved."""
        row = self.ledger.job(row_id)
        self._settle(row_id, outcome, part * row.timeout_s, int(part * row.reserved_micro_usd))

    @rule(row_id=rows)
    def settle_unknown(self, row_id: int) -> None:
        """Book a job that vanished."""
        self._settle(row_id, "lost", None, None)

    @rule(target=rows, row_id=rows, number=st.integers(1, 2))
    def duplicate(self, row_id: int, number: int) -> int:
        """Find that a request created a further job; it is booked even without room."""
        self.overdrawn = True
        return self.ledger.duplicate(self.database.transaction, row_id, f"late-{number}", NOW)

    @rule(jobs=st.integers(1, 9), walltime_s=st.sampled_from([600.0, 1300.0, 2400.0]))
    def approve(self, jobs: int, walltime_s: float) -> None:
        """Let a person change the envelope."""
        narrower = walltime_s < self.limits["max_walltime_s"]
        if jobs < self.limits["max_jobs"] or narrower:
            self.overdrawn = True
        self.limits |= {"max_jobs": jobs, "max_walltime_s": walltime_s}
        facts.approve(self.database, **self.limits)

    @rule()
    def reopen(self) -> None:
        """Let the conductor die and another one look at the same file."""
        self.database.close()
        self.database = open_database(self.url, create=False)
        self.ledger = Ledger(self.database, UID)

    @invariant()
    def never_more_than_the_envelope(self) -> None:
        """Unless a duplicate came late or a person narrowed it afterwards."""
        if hasattr(self, "ledger") and not self.overdrawn:
            self._fits()

    @invariant()
    def no_row_is_lost_and_states_move_forward(self) -> None:
        """Every row that was ever seen is there, and as far as it was or further."""
        if not hasattr(self, "ledger"):
            return
        now = {row.id: row.state for row in self.ledger.jobs()}
        for row_id, state in self.last.items():
            assert now[row_id] == state or RANK[now[row_id]] > RANK[state]
        self.last = now

    @invariant()
    def usage_is_the_sum_of_the_rows(self) -> None:
        """Whatever SQL makes of them, the rows add up to it."""
        if not hasattr(self, "ledger"):
            return
        rows = [row for row in self.ledger.jobs() if row.state != "given_back"]
        done = [row for row in rows if row.state == "settled"]
        held = [row for row in rows if row.state != "settled"]
        usage = self.ledger.usage()
        assert (usage.jobs_used, usage.jobs_reserved) == (len(done), len(held))
        assert usage.micro_usd_used == sum(row.cost_micro_usd or 0 for row in done)
        assert usage.micro_usd_reserved == sum(row.reserved_micro_usd for row in held)
        assert abs(usage.walltime_s_used - sum(row.billed_s or 0 for row in done)) < 1e-6
        assert usage.walltime_s_reserved == sum(row.timeout_s for row in held)

    def _settle(
        self, row_id: int, outcome: str, billed_s: float | None, cost_micro_usd: int | None
    ) -> None:
        changes = {"outcome": outcome, "billed_s": billed_s, "cost_micro_usd": cost_micro_usd}
        self._step(lambda _tx: facts.settle(self.ledger, self.database, row_id, **changes))

    def _step(self, step: Any) -> None:
        """Take a step; one that does not fit the row's state is refused and changes nothing."""
        before = self.ledger.jobs()
        try:
            step(self.database.transaction)
        except StateError:
            assert self.ledger.jobs() == before

    def _fits(self) -> None:
        usage = self.ledger.usage()
        assert usage.jobs_used + usage.jobs_reserved <= self.limits["max_jobs"]
        walltime_s = usage.walltime_s_used + usage.walltime_s_reserved
        assert walltime_s <= self.limits["max_walltime_s"] + 1e-6
        assert usage.micro_usd_used + usage.micro_usd_reserved <= MAX_MICRO_USD


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=20,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
