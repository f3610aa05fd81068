"""What `claude plugin validate` does not look at, each fault as one sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

EVENTS = {"PreToolUse", "PostToolUse", "PostToolUseFailure", "SessionStart", "Stop"}
EVENTS |= {"SubagentStop", "PreCompact", "UserPromptSubmit", "SessionEnd"}
TOOLS = {"Bash", "PowerShell", "Monitor", "Read", "Write", "Edit", "MultiEdit", "NotebookEdit"}
TOOLS |= {"Grep", "Glob", "WebFetch", "WebSearch", "Task", "Skill", "TodoWrite"}
MOST_LINES = 500
MOST_CHARACTERS = 1024


def faults(root: Path) -> list[str]:
    """Return everything that is wrong with a plugin's folder."""
    return [*hook_faults(root), *skill_faults(root), *agent_faults(root), *link_faults(root)]


def hook_faults(root: Path) -> list[str]:
    """Check events, matchers and the scripts that hooks start."""
    document = json.loads((root / "hooks" / "hooks.json").read_text(encoding="utf-8"))
    found = []
    for event, groups in document["hooks"].items():
        if event not in EVENTS:
            found.append(f"hooks.json: {event} is unknown to older versions, which drop all hooks")
        for group in groups:
            found += [f"hooks.json: {fault}" for fault in _matcher(group.get("matcher", ""))]
            for hook in group["hooks"]:
                found += [f"hooks.json: {fault}" for fault in _handler(hook, root)]
    return found


def _matcher(matcher: str) -> list[str]:
    if re.fullmatch(r"[A-Za-z0-9_|]*", matcher):
        names = [name for name in matcher.split("|") if name]
        unknown = [f"no tool is called {name}" for name in names if name not in TOOLS]
        return [fault for fault in unknown if "mcp__" not in fault] + [
            f"{name} matches nothing: an MCP matcher needs a pattern"
            for name in names
            if name.startswith("mcp__")
        ]
    try:
        re.compile(matcher)
    except re.error as error:
        return [f"the matcher {matcher!r} is no pattern ({error})"]
    return []


def _handler(hook: dict[str, Any], root: Path) -> list[str]:
    line = hook["command"]
    found = [
        f"{name} does not exist"
        for name in re.findall(r"\$\{CLAUDE_PLUGIN_ROOT\}/([\w./-]+)", line)
        if not (root / name).is_file()
    ]
    if re.search(r'(?<!")\$\{CLAUDE_PLUGIN_ROOT\}', line):
        found.append("${CLAUDE_PLUGIN_ROOT} stands without quotes")
    if not isinstance(hook.get("timeout"), int) or not 0 < hook["timeout"] <= 60:
        found.append("a hook needs a timeout of at most a minute")
    return found


def front(path: Path) -> tuple[dict[str, Any], str]:
    """Return a file's frontmatter and body."""
    _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


def _described(path: Path, expected: str) -> list[str]:
    head, body = front(path)
    found = []
    if head.get("name") != expected:
        found.append(f"name is {head.get('name')!r}, not {expected!r}")
    description = head.get("description", "")
    if not 0 < len(description) <= MOST_CHARACTERS:
        found.append(f"the description has {len(description)} characters")
    if len(body.splitlines()) > MOST_LINES:
        found.append(f"the body has {len(body.splitlines())} lines")
    return [f"{path.name} of {expected}: {fault}" for fault in found]


def skill_faults(root: Path) -> list[str]:
    """Check names, lengths, and that references are one level deep and used."""
    found = []
    for folder in sorted(path for path in (root / "skills").iterdir() if path.is_dir()):
        skill = folder / "SKILL.md"
        if not skill.is_file():
            found.append(f"{folder.name}: no SKILL.md")
            continue
        found += _described(skill, folder.name)
        text = skill.read_text(encoding="utf-8")
        for file in sorted(path for path in folder.rglob("*.md") if path != skill):
            if file.parent != folder / "references":
                found.append(f"{folder.name}: {file.name} is not one level deep")
            elif f"references/{file.name}" not in text:
                found.append(f"{folder.name}: SKILL.md does not mention {file.name}")
    return found


def agent_faults(root: Path) -> list[str]:
    """Check names, lengths and tools."""
    found = []
    for path in sorted((root / "agents").glob("*.md")):
        found += _described(path, path.stem)
        head, _ = front(path)
        tools = [tool.strip() for tool in str(head.get("tools", "")).split(",")]
        found += [
            f"{path.stem}: no tool is called {name!r}" for name in tools if name not in TOOLS
        ]
        found += [
            f"{path.stem}: {key} is ignored in a plugin's agent"
            for key in ("hooks", "mcpServers", "permissionMode")
            if key in head
        ]
    return found


def link_faults(root: Path) -> list[str]:
    """Check that relative links of skills and agents lead somewhere."""
    found = []
    for top in ("skills", "agents"):
        for path in sorted((root / top).rglob("*.md")):
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
                if "://" not in target and not (path.parent / target).exists():
                    found.append(f"{path.name}: {target} does not exist")
    return found
