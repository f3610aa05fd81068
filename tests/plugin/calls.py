"""Tool calls put to the guard as Claude Code puts them: through hooks.json's own shell line."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HOOKS = json.loads((ROOT / "hooks" / "hooks.json").read_text(encoding="utf-8"))["hooks"]


@dataclass(frozen=True)
class Told:
    """What a hook answered: allow, ask, deny or silent, and why."""

    decision: str
    reason: str


def shell_line(root: Path = ROOT) -> str:
    """Return the guard's command as Claude Code hands it to a shell."""
    line: str = HOOKS["PreToolUse"][0]["hooks"][0]["command"]
    return line.replace("${CLAUDE_PLUGIN_ROOT}", str(root))


def put(
    tool: str, given: dict[str, Any], cwd: Path, *, root: Path = ROOT, raw: str | None = None
) -> Told:
    """Put one call to the guard and return its answer as Claude Code reads it."""
    call = {"hook_event_name": "PreToolUse", "tool_name": tool, "tool_input": given}
    call |= {"cwd": str(cwd), "session_id": "s", "permission_mode": "default"}
    done = subprocess.run(
        ["sh", "-c", shell_line(root)],
        input=raw if raw is not None else json.dumps(call),
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": os.environ["PATH"], "CLAUDE_PROJECT_DIR": str(cwd)},
        check=False,
    )
    if done.returncode == 2:
        return Told("deny", done.stderr)
    assert done.returncode == 0, done.stderr
    if not done.stdout:
        return Told("silent", "")
    said = json.loads(done.stdout)["hookSpecificOutput"]
    return Told(said["permissionDecision"], said["permissionDecisionReason"])
