"""Reads a tool call of Claude's: does it spend, and may it?

A rail against accidents and silent widening, not a sandbox: the ledger holds the budget. Three
answers: one simple command on a known road is decided; a sign of spending anywhere else is refused
with the road to take (asked, where no program governs); everything else is none of its business.

Standard library only and 3.9-clean. This runs before every shell command, so what an ordinary one
does not need is imported where it is needed.
"""

from __future__ import annotations

_SHELLS = ("Bash", "PowerShell", "Monitor")
_FILES = ("Write", "Edit", "MultiEdit", "NotebookEdit")

#: Without one of these a command cannot be about spending; quotes and backslashes taken out.
_HINTS = (
    "hf",
    "hugging",
    "jobs",
    "push",
    "git clean",
    "sweep",
    "runs",
    "approval",
    ".claude",
    "claude ",
    "disableallhooks",
    "base64",
    "base32",
    "xxd",
    "openssl",
    "_to_hub",
    "run_job",
    "run_uv",
    "upload_",
    "ml-research",
    "plugin",
    "program.md",
    "hub",
)
_HUB_LOOKS = ("search", "details", "whoami", "docs", "doc_", "fetch", "list", "paper", "info")
_JOB_LOOKS = ("ps", "ls", "list", "inspect", "logs", "hardware", "stats", "cancel", "wait")
_ROAD = (
    "Spending takes one road: one simple command of its own, such as `sweeper run FOLDER "
    "--detach`, or {scripts}/hf_jobs.py run …; no pipe, loop, variable, substitution or file "
    "around it. The approved envelope then decides without a prompt."
)


def judge(call: dict[str, object], root: str, project: str) -> tuple[str, str] | None:
    """Judge a tool call.

    Args:
        call: What Claude Code hands to a PreToolUse hook.
        root: The plugin's folder.
        project: The session's project folder, or "".

    Returns:
        ("allow" | "ask" | "deny", reason), or None for no opinion.
    """
    tool, given = str(call.get("tool_name", "")), call.get("tool_input")
    if not isinstance(given, dict):
        raise ValueError("the call has no input")
    cwd = str(call.get("cwd") or project or ".")
    if tool in _SHELLS:
        return _shell(str(given.get("command", "")), cwd, root, project)
    if tool in _FILES:
        return _file(given, cwd, root, project)
    if tool.startswith("mcp__"):
        return _hub_tool(tool, given, cwd, project)
    return None


def _shell(command: str, cwd: str, root: str, project: str) -> tuple[str, str] | None:
    if not _may_matter(command, root):
        return None
    from sweeper.budget import markers
    from sweeper.budget import protected

    answer = _on_a_road(command, cwd, root, project)
    if answer is not None:
        return answer
    changed = protected.command(command, cwd, root)
    if changed:
        return _refuse(f"This would change {changed}.", _why(changed), cwd, project)
    found = markers.spending(command, lambda words: _pushes_to_hub(words, cwd))
    if not found:
        return None
    return _refuse(f"This looks like spending: {found}.", _road(root), cwd, project, command)


def _may_matter(command: str, root: str) -> bool:
    plain = command.lower().replace("\\\n", "").replace("\\", "").replace("'", "")
    plain = plain.replace('"', "")
    if any(hint in plain for hint in _HINTS) or root.lower() in plain:
        return True
    return ("$" in plain and ("=" in plain or "$(" in plain)) or "$'" in command


def _on_a_road(command: str, cwd: str, root: str, project: str) -> tuple[str, str] | None:
    """Decide one simple command of a known form; None where it is none, or needs no word."""
    from sweeper.budget import roads
    from sweeper.budget import shell

    try:
        line = shell.read(command)
    except ValueError:
        return None
    words = line.commands[0].words if line.alone else []
    if not words or not all(word.literal for word in words):
        return None
    road, rest = roads.named([word.text for word in words], root)
    if not road:
        return None
    around = _program(cwd, project)
    answer = roads.decide(road, rest, cwd, around)
    return None if answer is None else (answer.decision, answer.reason)


def _program(cwd: str, project: str) -> str:
    from sweeper.budget import approved

    return approved.program_around(cwd, project)


def _refuse(fault: str, road: str, cwd: str, project: str, command: str = "") -> tuple[str, str]:
    """Refuse where a program governs; ask the person where none does."""
    if _program(cwd, project):
        return "deny", f"{fault} {road}"
    return "ask", f"{fault} {_cost(command)}".rstrip()


def _cost(command: str) -> str:
    """Say what a command names: hardware, timeout, and the cost of both."""
    if not command:
        return ""
    from sweeper.budget import prices
    from sweeper.budget import roads

    words = command.replace("=", " ").split()
    flavor = next((word for word in words if word.strip("'\"") in prices.SNAPSHOT), "")
    timeout = ""
    for position, word in enumerate(words[:-1]):
        if word.endswith("--timeout"):
            timeout = words[position + 1].strip("'\"")
    try:
        seconds = prices.parse_duration(timeout or "30m")
    except ValueError:
        return f"Hardware {flavor or 'not named'}, timeout {timeout}, cost unknown."
    if not flavor:
        return f"Hardware not named, timeout {timeout or 'not named'}, cost unknown."
    return roads.cost_question("as written", flavor.strip("'\""), seconds, None)


def _road(root: str) -> str:
    return _ROAD.format(scripts=f"{root}/scripts")


def _why(changed: str) -> str:
    if changed.startswith("the state"):
        return "Use sweeper's commands; program.md may be edited freely."
    return "A person can change it outside of this session."


def _file(given: dict[str, object], cwd: str, root: str, project: str) -> tuple[str, str] | None:
    path = str(given.get("file_path") or given.get("notebook_path") or "")
    inside = "runs" in path or ".claude" in path or root in path
    if not inside and not _program(cwd, project) and "runs" not in cwd:
        return None
    from sweeper.budget import protected

    changed = protected.file(path, cwd, root)
    if not changed:
        return None
    switched = "disableAllHooks" in "".join(map(str, given.values()))
    if changed.startswith("Claude") and not switched and not _program(cwd, project):
        return None  # outside of a study the person's own settings are their own business
    return _refuse(f"{path} is {changed}.", _why(changed), cwd, project)


def _hub_tool(
    tool: str, given: dict[str, object], cwd: str, project: str
) -> tuple[str, str] | None:
    server, _, name = tool[len("mcp__") :].lower().rpartition("__")
    if "hf" not in server and "hugging" not in server:
        return None
    operation = str(given.get("operation") or given.get("command") or "").lower()
    if "job" in name:
        if operation.split(" ")[0] in _JOB_LOOKS or name.endswith(_JOB_LOOKS):
            return None
    elif any(word in name for word in _HUB_LOOKS):
        return None
    road = "Submit through `sweeper` or hf_jobs.py; write through hf_repo.py."
    return _refuse(f"{tool} acts on the Hub past the ledger.", road, cwd, project)


def _pushes_to_hub(words: list[str], cwd: str) -> bool:
    """Tell whether a `git push` of this repository may reach the Hub."""
    import os

    folder = cwd
    if "-C" in words:
        folder = os.path.join(cwd, (words[words.index("-C") + 1 :] or [""])[0])
    while True:
        config = os.path.join(folder, ".git", "config")
        if os.path.isfile(config):
            with open(config, encoding="utf-8", errors="replace") as file:
                text = file.read().lower()
            return "huggingface.co" in text or "hf.co" in text
        above = os.path.dirname(folder)
        if above == folder:
            return False
        folder = above
