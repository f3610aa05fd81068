"""Files that no tool may change behind sweeper's back: a study's state, Claude's settings, us.

Standard library only and 3.9-clean.
"""

from __future__ import annotations

import os
import re

from sweeper.budget import approved
from sweeper.budget import markers
from sweeper.budget import shell

_STATE = ("approval.json", "sweep.db", "sweep.db-wal", "sweep.db-shm", "sweep.db-journal")
_SWITCHES = re.compile(
    r"disableAllHooks|\bclaude\s+plugins?\s+(?:disable|uninstall|remove|rm)\b"
    r"|\bclaude\b[^;|&\n]*(?:--bare|--dangerously-skip-permissions)"
)
_CODE = re.compile(
    r"approval\.json|sweep\.db|\.claude/settings|settings\.local\.json|disableAllHooks"
)
_ALL = frozenset(
    (
        *("rm", "rmdir", "mv", "tee", "truncate", "shred", "unlink", "touch", "chmod", "chown"),
        *("patch", "mkdir"),
    )
)
_LAST = frozenset(("cp", "ln", "install", "rsync", "scp"))
_INTERPRETERS = ("python", "perl", "ruby", "node", "sqlite3")


def file(path: str, cwd: str, root: str) -> str:
    """Return what a file is, if it is protected, else "".

    Args:
        path: The file, absolute or seen from `cwd`.
        cwd: The current folder.
        root: The plugin's folder.
    """
    whole = os.path.realpath(os.path.join(cwd, os.path.expanduser(path)))
    parts = whole.split(os.sep)
    if ".claude" in parts:
        return "Claude's own settings"
    inside = os.path.realpath(root)
    if whole == inside or any(
        whole.startswith(os.path.join(inside, each) + os.sep)
        or whole == os.path.join(inside, each)
        for each in ("hooks", "bin", "scripts", "sweeper", "skills", "agents", ".claude-plugin")
    ):
        return "a file of the ml-research plugin"
    for position in range(len(parts) - 1, 0, -1):
        above = os.sep.join(parts[:position])
        if parts[position] == "runs" and os.path.isfile(os.path.join(above, approved.PAGE)):
            return "the state of a study, which only sweeper writes"
    beside_runs = parts[-2:-1] == ["runs"] and parts[-1] in _STATE
    return "the state of a study, which only sweeper writes" if beside_runs else ""


def command(text: str, cwd: str, root: str) -> str:
    """Return which protected thing a command line changes, or ""."""
    try:
        line = shell.read(text)
    except ValueError:
        return "a protected file" if _CODE.search(text) else ""
    for nested in line.nested:
        found = command(nested, cwd, root)
        if found:
            return found
    for each in line.commands:
        words = markers.peeled([word.text for word in each.words])
        found = _changed(words, each, cwd, root)
        if found:
            return found
        cwd = _moved(words, cwd)
    return ""


def _moved(words: list[str], cwd: str) -> str:
    if words[:1] == ["cd"] and len(words) == 2:
        return os.path.join(cwd, os.path.expanduser(words[1]))
    return cwd


def _changed(words: list[str], each: shell.Command, cwd: str, root: str) -> str:
    name = words[0].rsplit("/", 1)[-1] if words else ""
    fed = " ".join(each.fed)
    if name in markers.SHELLS or name == "eval":
        inner = " ".join(words[1:]) if name == "eval" else " ".join(words[2:])
        return command(inner, cwd, root) or command(fed, cwd, root)
    for target in (*each.writes, *_targets(name, words)):
        found = file(target, cwd, root)
        if found:
            return found
    said = " ".join(words)
    if words and not markers.reads_only(name, words) and name != "git":
        if _SWITCHES.search(said):
            return "the switch that turns hooks off"
        if name.startswith(_INTERPRETERS) and _CODE.search(f"{said} {fed}"):
            return "" if "-readonly" in words else "the state of a study or Claude's own settings"
    return ""


def _targets(name: str, words: list[str]) -> list[str]:
    plain = [word for word in words[1:] if not word.startswith("-")]
    if name in _ALL:
        return plain
    if name in _LAST:
        return plain[-1:]
    if name == "git":
        return _git_targets(words[1:], plain)
    if name == "dd":
        return [word[3:] for word in words if word.startswith("of=")]
    in_place = any(word.startswith(("-i", "--in-place")) for word in words[1:])
    if name in ("sed", "perl") and in_place:
        return plain
    if name == "find" and ("-delete" in words or "rm" in words):
        return plain[:1]
    return []


def _git_targets(words: list[str], plain: list[str]) -> list[str]:
    if plain[:1] == ["clean"]:
        ignored_too = any(word[:1] == "-" and "x" in word.lower() for word in words)
        return [*plain[1:], "runs"] if ignored_too else plain[1:]
    return plain[1:] if plain[:1] in (["checkout"], ["restore"], ["rm"], ["mv"]) else []
