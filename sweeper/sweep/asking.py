"""A request of a person to the conductor, through the database, from any shell or machine."""

from __future__ import annotations

import getpass
import time
from pathlib import Path

from sweeper.errors import RefusedError
from sweeper.program import load
from sweeper.state import control
from sweeper.state import lease
from sweeper.state.database import Database
from sweeper.state.database import open_database
from sweeper.sweep.folder import storage_url
from sweeper.sweep.study import locate
from sweeper.sweep.study import not_approved

#: Seconds to wait for the conductor's answer; it looks several times a second.
_ANSWER_WITHIN_S = 10.0


def ask(path: Path, verb: str, argument: str | None) -> str:
    """Ask the conductor for something and return its answer.

    Raises:
        RefusedError: No conductor runs, or it cannot do what is asked.
    """
    program = load(path)
    database = open_database(storage_url(program), create=False)
    try:
        row = locate(program, database)
        if row is None:
            raise not_approved()
        holder = lease.holder(database, row.uid)
        if holder is None or holder.alive is False:
            raise RefusedError(
                "No conductor runs this sweep, so there is nobody to ask.",
                hint="`sweeper run` goes on with it; `sweeper status` shows how it stands.",
            )
        request = control.ask(database, row.uid, verb, argument, getpass.getuser(), time.time())
        answer = _await(database, request)
    finally:
        database.close()
    if verb == "cancel" and answer.endswith("does not run."):
        raise RefusedError(answer, hint="`sweeper status` lists the running trials.")
    return answer


def _await(database: Database, request: int) -> str:
    deadline = time.monotonic() + _ANSWER_WITHIN_S
    while time.monotonic() < deadline:
        found = control.by_id(database, request)
        if found is not None and found.answer is not None:
            return found.answer
        time.sleep(0.05)
    return "Asked; the conductor has not answered yet."
