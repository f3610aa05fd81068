"""`sweeper propose`: configurations from Claude or a person, checked and queued one by one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweeper.errors import ProposalError
from sweeper.program import Program
from sweeper.sweep.study import open_study


def propose(
    program: Program,
    *,
    params: str | None,
    why: str,
    source: Sequence[str],
    confidence: float | None,
    file: Path | None,
    now: bool,
) -> list[dict[str, Any]]:
    """Queue proposals from the command line or a file.

    Returns:
        One answer each: `accepted`, `id` or None, and `text` for people.

    Raises:
        ProposalError: Neither or both of params and file are given, or either cannot be read.
    """
    from sweeper.optimizer.proposals import propose as queue
    from sweeper.optimizer.waiting import propose_now

    wanted = _wanted(params, why, source, confidence, file)
    opened = open_study(program)
    try:
        act = propose_now if now else queue
        return [_one(act, opened.study, number, each) for number, each in enumerate(wanted, 1)]
    finally:
        opened.database.close()


def _one(act: Any, study: Any, number: int, wanted: dict[str, Any]) -> dict[str, Any]:
    if not wanted["params"]:
        said = f"{number}: skipped: it names no parameter of the search space"
        return {"accepted": False, "id": None, "text": said}
    try:
        made = act(study, wanted.pop("params"), **wanted)
    except ProposalError as error:
        hint = f" {error.hint}" if error.hint else ""
        return {"accepted": False, "id": None, "text": f"{number}: refused: {error}{hint}"}
    shown = ", ".join(f"{name}={value}" for name, value in made.params.items())
    return {"accepted": True, "id": made.id, "text": f"{number}: accepted ({shown})"}


def _wanted(
    params: str | None,
    why: str,
    source: Sequence[str],
    confidence: float | None,
    file: Path | None,
) -> list[dict[str, Any]]:
    if (params is None) == (file is None):
        raise ProposalError(
            "Give either --params or --file.",
            hint="""For example --params '{"lr": 0.001}' --why "the paper's value".""",
        )
    if file is not None:
        from sweeper.optimizer.proposal_file import load_file

        return load_file(file)
    try:
        values = json.loads(params or "")
    except ValueError as error:
        raise ProposalError(
            f"--params is not JSON: {error}.", hint="""Write '{"lr": 0.001}'."""
        ) from error
    if not isinstance(values, dict):
        raise ProposalError("--params is no JSON object.", hint="""Write '{"lr": 0.001}'.""")
    return [{"params": values, "why": why, "source": list(source), "confidence": confidence}]
