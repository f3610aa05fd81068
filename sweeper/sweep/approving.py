"""A person's yes: what is asked, what it can cost, what changed since the last one."""

from __future__ import annotations

import getpass
import sys
import time

from sweeper.budget import prices
from sweeper.budget import rules
from sweeper.errors import NotApprovedError
from sweeper.errors import StateError
from sweeper.program import Program
from sweeper.state import approval
from sweeper.state import studies
from sweeper.state.database import open_database
from sweeper.sweep.folder import Folder
from sweeper.sweep.folder import storage_url
from sweeper.sweep.study import covers
from sweeper.sweep.study import create
from sweeper.sweep.study import locate
from sweeper.sweep.study import refuse_other_study


def price_of(program: Program, executor: str) -> int | None:
    """Return what a started minute on the first flavor costs, or None where nobody knows.

    By the live list, or where that cannot be had by its dated snapshot.
    """
    if executor != "hf":
        return 0
    from sweeper.jobs.hf.hardware import catalogue

    try:
        listed = catalogue(program.folder)
        return prices.micro_usd_per_minute(program.budget.allowed_flavors[0], listed)
    except prices.UnknownPrice:
        return None


class Asked:
    """The question that `approve` puts to a person.

    Args:
        program: The program to approve.
        executor: Where it is to run; default as fixed at the first run, else the program's.
    """

    def __init__(self, program: Program, executor: str | None) -> None:
        self._program = program
        self._row, self._current = self._look()
        fixed = None if self._row is None else self._row.executor
        self._executor = executor or fixed or program.sweep.executor
        self._price = price_of(program, self._executor)
        self._refuse_unpayable()

    def _look(self) -> tuple[studies.Study | None, approval.Approval | None]:
        url = storage_url(self._program)
        folder = Folder(self._program.folder)
        if url.startswith("sqlite") and not folder.database.exists():
            # Nothing was approved here; a projection without its database refuses below.
            approval.refuse_reset(approval.read_projection(folder.approval), None)
            return None, None
        database = open_database(url)
        try:
            row = locate(self._program, database)
            return row, None if row is None else approval.current(database, row.uid)
        finally:
            database.close()

    def _refuse_unpayable(self) -> None:
        """Refuse an envelope that cannot pay for one job of max_timeout."""
        program = self._program
        flavor = program.budget.allowed_flavors[0] if self._executor == "hf" else "local"
        no = rules.refusal(
            program.envelope(),
            rules.Usage(),
            flavor,
            self._price,
            [],
            time.time(),
        )
        if no is not None:
            raise NotApprovedError(
                f"This envelope cannot pay for one job: {no.sentence}", hint=no.hint
            )

    def text(self) -> str:
        """Return the question as people read it."""
        program = self._program
        lines = [f"Sweep {program.name}: {program.goal.direction} {program.goal.metric}."]
        for key, value in covers(program, self._executor).envelope.items():
            lines.append(f"  {_key(key)}: {_shown(key, value)}")
        scope = program.scope
        for key in ("models", "datasets", "output_repos"):
            names = getattr(scope, key)
            if names:
                lines.append(f"  {key}: {', '.join(names)}")
        if program.training.secrets:
            lines.append(f"  secrets given to jobs: {', '.join(program.training.secrets)}")
        lines.append(self.worst_case())
        lines += [*self._forecast(), *self._changes()]
        return "\n".join(lines)

    def worst_case(self) -> str:
        """Say in one sentence the most that the envelope can cost."""
        jobs, seconds, micro_usd = rules.worst_case(self._program.envelope(), self._price)
        time_text = prices.format_duration(seconds)
        if self._executor != "hf":
            return f"Worst case: {jobs} jobs on this machine, {time_text} in all, no money."
        money = "an unknown sum" if micro_usd is None else prices.format_usd(micro_usd)
        return f"Worst case: {jobs} jobs, {time_text} in all, {money}."

    def _forecast(self) -> list[str]:
        """Say how far the budget goes, once trials have shown how long one takes."""
        if self._row is None:
            return []
        from sweeper.summary import snapshot
        from sweeper.summary.forecast import forecast

        look = snapshot.read(self._program.path, curves=False)
        expected = forecast(look)
        return [] if expected is None else [f"Forecast: {expected.sentence(look.taken_at)}."]

    def _changes(self) -> list[str]:
        if self._current is None:
            return ["Nothing was approved before."]
        changed = approval.uncovered(self._current, covers(self._program, self._executor))
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self._current.approved_at))
        if not changed:
            return [f"The approval of {when} covers this already."]
        return [f"New since the approval of {when}:", *(f"  {each}" for each in changed)]

    def approve(self) -> tuple[int, str]:
        """Record the yes.

        Returns:
            The approval's version and the study's uid.
        """
        program = self._program
        folder = Folder(program.folder)
        database = open_database(storage_url(program))
        try:
            row = locate(program, database) or create(program, database)
            refuse_other_study(program, row)
            wanted = covers(program, self._executor)
            version = approval.record(database, row.uid, wanted, getpass.getuser(), time.time())
            current = approval.current(database, row.uid)
            if current is None:
                raise StateError("The approval was not recorded; approve again.")
            approval.write_projection(folder.approval, row.uid, current)
            return version, row.uid
        finally:
            database.close()


def require_terminal() -> None:
    """Refuse to take silence for a yes.

    Raises:
        NotApprovedError: Nobody sits at a terminal.
    """
    if not sys.stdin.isatty():
        raise NotApprovedError(
            "An approval needs a person at a terminal.",
            hint="Run `sweeper approve` in a terminal, or pass --yes if you are that person.",
        )


def _key(key: str) -> str:
    return key.removesuffix("_s")


def _shown(key: str, value: object) -> str:
    if value is None:
        return "no limit"
    if key.endswith("_s") and isinstance(value, (int, float)):
        return prices.format_duration(value)
    if key == "max_cost" and isinstance(value, (int, float)):
        return prices.format_usd(round(value * 1_000_000))
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "this machine"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
