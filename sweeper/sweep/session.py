"""What one run of a conductor works with."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import TYPE_CHECKING

from sweeper.jobs.executor import Executor
from sweeper.program import Program
from sweeper.state import events
from sweeper.state.database import DatabaseAwayError
from sweeper.state.database import Transactions
from sweeper.state.lease import Lease
from sweeper.state.ledger import Ledger
from sweeper.sweep.events import KEPT
from sweeper.sweep.events import Event
from sweeper.sweep.study import OpenStudy

if TYPE_CHECKING:
    import optuna


@dataclass
class Session:
    """One conductor's hold on one study.

    Attributes:
        opened: The program and its study.
        lease: The right to conduct it.
        ledger: Its jobs.
        executor: What runs them.
        price: Flavor -> micro-dollars a minute; None where nobody knows, which refuses.
        now: The clock, UTC seconds.
        sleep: Waits so many seconds.
    """

    opened: OpenStudy
    lease: Lease
    ledger: Ledger
    executor: Executor
    price: Callable[[str], int | None]
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = field(default=time.sleep)

    @property
    def program(self) -> Program:
        """What program.md says now."""
        return self.opened.program

    @property
    def study(self) -> optuna.Study:
        """Optuna's study."""
        return self.opened.study

    @property
    def storage(self) -> optuna.storages.BaseStorage:
        """Optuna's storage of the study."""
        return self.opened.study._storage

    @property
    def transaction(self) -> Transactions:
        """Transactions that check that the lease still stands."""
        return self.lease.transaction

    @property
    def flavor(self) -> str:
        """The hardware that the program prefers."""
        if self.executor.name != "hf":
            return "local"
        return self.program.budget.allowed_flavors[0]

    def adopt(self, program: Program) -> None:
        """Go on under a program.md that was edited meanwhile."""
        self.opened = replace(self.opened, program=program)

    def record(self, event: Event) -> Event:
        """Keep an event that is worth keeping, and hand it on.

        While the database is away nothing can be kept, and what is said is only shown.
        """
        if event.kind not in KEPT:
            return event
        with suppress(DatabaseAwayError):
            events.record(
                self.transaction,
                self.opened.uid,
                event.kind,
                event.trial,
                event.detail,
                self.now(),
            )
        return event
