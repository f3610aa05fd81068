"""A process that raises children which do deeds and may be killed in the middle of one.

The children are forked here, where there is one thread, rather than in pytest, and SQLAlchemy is
imported once for all of them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import event

from sweeper.state.database import Database
from sweeper.state.database import open_database
from sweeper.state.ledger import Ledger
from tests.state import deeds


class Nursery:
    """The parent's end: asks for children and is told how they ended."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.state.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def step(self, url: str, name: str, moment: str) -> int:
        """Take one step and be killed "before" or "after" its commit; return the exit status."""
        return self._ask({"url": url, "step": name, "moment": moment})[0]

    def ask_for_jobs(self, url: str, *, children: int, asks: int) -> list[int]:
        """Let many children ask for jobs at once; return their exit statuses."""
        return self._ask({"url": url, "children": children, "asks": asks})

    def close(self) -> None:
        """End the nursery."""
        self._process.communicate()

    def _ask(self, wish: dict[str, Any]) -> list[int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(wish), file=self._process.stdin, flush=True)
        answer: list[int] = json.loads(self._process.stdout.readline())
        return answer


def _child(deed: Callable[[], object]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        deed()
        status = 0
    finally:
        os._exit(status)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _step(url: str, name: str, moment: str) -> None:
    database = open_database(url)
    if moment == "before":
        event.listen(database.engine, "commit", _die_at_commit_of_a_change(database))
    deeds.STEPS[name](database, Ledger(database, deeds.UID))
    _die()


def _die_at_commit_of_a_change(database: Database) -> Callable[[Any], None]:
    """Tell the commit of the step from those of the reads that lead to it."""
    changed = []

    @event.listens_for(database.engine, "after_cursor_execute")
    def _note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.split(None, 1)[0] in ("INSERT", "UPDATE", "DELETE"):
            changed.append(statement)

    return lambda _connection: _die() if changed else None


def _ask(url: str, asks: int, number: int) -> None:
    deeds.ask_for_jobs(open_database(url), asks, f"child-{number}")


def _fulfil(wish: dict[str, Any]) -> list[int]:
    if "step" in wish:
        pids = [_child(partial(_step, wish["url"], wish["step"], wish["moment"]))]
    else:
        numbers = range(wish["children"])
        pids = [_child(partial(_ask, wish["url"], wish["asks"], number)) for number in numbers]
    endings = [os.waitpid(pid, 0)[1] for pid in pids]
    return [os.waitstatus_to_exitcode(ending) for ending in endings]


def main() -> None:
    """Fulfil one wish a line, from standard input."""
    for line in sys.stdin:
        print(json.dumps(_fulfil(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
