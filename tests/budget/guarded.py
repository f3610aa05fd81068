"""Folders for the guard's tests: with an approval, without one, and without a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ENVELOPE = {
    "max_jobs": 2,
    "max_walltime_s": 14400.0,
    "max_cost": None,
    "max_elapsed_s": None,
    "allowed_flavors": ["t4-small"],
    "max_timeout_s": 7200.0,
    "max_parallel": 1,
    "allow_deletes": False,
}


def study(folder: Path, **covers: Any) -> Path:
    """Make a folder whose program a person approved; `covers` changes what was approved."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "program.md").write_text("# A study\n", encoding="utf-8")
    runs = folder / "runs"
    runs.mkdir()
    scope = {"models": [], "datasets": [], "output_repos": ["me/sweep-*"]}
    whole = {"envelope": ENVELOPE, "scope": scope, "executor": "hf", "namespace": None}
    document = {"uid": "9f3a01bc", "version": 1, "approved_at": 0.0, "approved_by": "me"}
    document["covers"] = whole | covers
    (runs / "approval.json").write_text(json.dumps(document), encoding="utf-8")
    return folder
