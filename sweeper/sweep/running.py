"""Beginning a run: may this program run here, now, and who conducts it."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

from sweeper.budget.prices import UnknownPrice
from sweeper.budget.prices import micro_usd_per_minute
from sweeper.errors import NotApprovedError
from sweeper.errors import StateError
from sweeper.jobs.executor import Executor
from sweeper.program import Program
from sweeper.state import approval
from sweeper.state import lease
from sweeper.state import studies
from sweeper.state.ledger import Ledger
from sweeper.sweep.conductor import Conductor
from sweeper.sweep.conductor import Options
from sweeper.sweep.launch import SETTLE_WINDOW_S
from sweeper.sweep.session import Session
from sweeper.sweep.steering import narrow
from sweeper.sweep.study import OpenStudy
from sweeper.sweep.study import open_study
from sweeper.sweep.study import script_sha256
from sweeper.sweep.study import uncovered

#: How long a heartbeat speaks for its conductor, seconds (LOOP.md, section 8).
LEASE_TTL_S = float(os.environ.get("SWEEPER_LEASE_TTL_S", "60"))


def executor_for(program: Program, asked: str | None, fixed: str | None) -> str:
    """Return the executor's name: as asked, else as fixed at the first run, else the program's."""
    return asked or fixed or program.sweep.executor


@contextmanager
def conducting(
    program: Program, executor: str | None, options: Options, *, join: str | None = None
) -> Iterator[tuple[Session, Conductor]]:
    """Open the study, check the approval, take the lease, and give it back at the end.

    Raises:
        NotApprovedError: No approval covers the program.
        LeaseHeldError: Another conductor holds the study.
    """
    opened = open_study(program, join=join)
    name = executor_for(program, executor, opened.row.executor)
    _require_approval(opened, name)
    held = lease.acquire(
        opened.database, opened.uid, ttl_s=LEASE_TTL_S, settle_window_s=SETTLE_WINDOW_S
    )
    try:
        studies.set_executor(held.transaction, opened.uid, name)
        plug = make_executor(opened, name)
        try:
            session = Session(
                opened, held, Ledger(opened.database, opened.uid), plug, prices(opened, name)
            )
            _project(opened)
            narrow(session)
            _heed_changed_script(session)
            yield session, Conductor(session, options)
        finally:
            plug.close()
    finally:
        held.release()
        opened.database.close()


def _require_approval(opened: OpenStudy, executor: str) -> None:
    missing = uncovered(opened, executor)
    if missing:
        raise NotApprovedError(
            f"program.md asks for more than was approved: {'; '.join(missing)}.",
            hint="Run `sweeper approve` to see and approve it, or narrow program.md.",
        )


def _project(opened: OpenStudy) -> None:
    """Rewrite the guard's projection where it differs from the approval in force."""
    current = approval.current(opened.database, opened.uid)
    if current is None:
        return
    try:
        projected = approval.read_projection(opened.folder.approval)
    except StateError:
        projected = None
    if projected is None or projected.approval != current:
        approval.write_projection(opened.folder.approval, opened.uid, current)


def _heed_changed_script(session: Session) -> None:
    """Begin a new verdict epoch, with a baseline of its own, when the script has changed."""
    opened = session.opened
    now = script_sha256(session.program)
    known = session.study.user_attrs.get("script_sha256")
    if known == now:
        return
    session.study.set_user_attr("script_sha256", now)
    if known is None:
        return
    studies.raise_verdict_epoch(session.transaction, opened.uid)
    row = studies.by_uid(opened.database, opened.uid)
    if row is not None:
        session.opened = OpenStudy(
            opened.program, opened.folder, opened.database, row, opened.study
        )


def prices(opened: OpenStudy, name: str) -> Callable[[str], int | None]:
    """Return what a started minute of a flavor costs: by the live list, else by the snapshot."""
    listed = None
    if name == "hf":
        from sweeper.jobs.hf import hardware

        listed = hardware.catalogue(opened.folder.root)

    def price(flavor: str) -> int | None:
        try:
            return micro_usd_per_minute(flavor, listed)
        except UnknownPrice:
            return None

    return price


def make_executor(opened: OpenStudy, name: str) -> Executor:
    """Return the executor of a name."""
    runs, uid, study = opened.folder.runs, opened.uid, opened.row.name
    if name == "local":
        from sweeper.jobs.local import LocalExecutor

        return LocalExecutor(runs, uid, study)
    if name == "dry":
        from sweeper.jobs.dry import DryExecutor

        return DryExecutor(runs, uid, study)
    if name == "hf":
        from sweeper.jobs.hf.connection import connect
        from sweeper.jobs.hf.executor import HfExecutor

        scope, training = opened.program.scope, opened.program.training
        connection = connect(opened.folder.root, training.namespace)
        return HfExecutor(connection, uid=uid, study=study, output_repos=scope.output_repos)
    raise StateError(
        f"There is no executor {name!r}.",
        key="executor",
        hint="Use local, hf, or dry to rehearse.",
    )
