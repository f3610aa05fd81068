"""What stays of a trial on this machine: its log and spec always, its output while it may win."""

from __future__ import annotations

import shutil

from sweeper.jobs.command import OUTPUT
from sweeper.sweep.session import Session


def remove_losers(session: Session, best: int | None, ended: int) -> None:
    """Remove the output of the trial that lost, where the program allows deletes.

    Args:
        session: The conductor's hold on the study.
        best: Number of the best trial so far.
        ended: Number of the trial that has just ended.
    """
    if not session.program.budget.allow_deletes or session.executor.name != "local":
        return
    known = session.study.user_attrs.get("output_of")
    losers = {ended, known} - {best, None}
    for number in losers:
        trial = session.opened.folder.runs / "trials" / str(number)
        for output in trial.glob(f"attempt-*/{OUTPUT}"):
            shutil.rmtree(output, ignore_errors=True)
    if best is not None and best != known:
        session.study.set_user_attr("output_of", best)
