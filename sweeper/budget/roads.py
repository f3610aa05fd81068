"""The roads on which money is spent: `sweeper …`, `hf_jobs.py …`, `hf_repo.py …`, one at a time.

Standard library only and 3.9-clean. Options are read more strictly than their programs read them:
abbreviated, repeated or unknown ones are refused, so that both always mean the same.
"""

from __future__ import annotations

import os

from sweeper.budget import approved
from sweeper.budget import prices

ALLOW, ASK, DENY = "allow", "ask", "deny"

#: `sweeper` commands that start nothing and write nothing but the study's own records.
_LOOKS = frozenset(
    (
        *("check", "status", "summary", "logs", "audit", "brief", "wait", "suggest"),
        *("reproduce", "stop", "pause", "cancel", "propose"),
    )
)
_RUN_OPTIONS = {
    "--executor": 1,
    "--detach": 0,
    "--max-parallel": 1,
    "--trials": 1,
    "--join": 1,
    "--json": 0,
}
_JOB_ONCE = {
    "--namespace": 1,
    "--json": 0,
    "--script": 1,
    "--script-url": 1,
    "--script-inline": 1,
    "--hardware-flavor": 1,
    "--flavor": 1,
    "--timeout": 1,
    "--python": 1,
    "--image": 1,
    "--resource-group": 1,
    "--no-wait": 0,
    "--program": 1,
}
_JOB_MANY = {"--dep": 1, "--script-arg": 1, "--env": 1, "--secret": 1, "--volume": 1, "-v": 1}
_REPO_READS = frozenset(("list", "read", "get", "refs"))
_REPO_OPTIONS = {
    "--program": 1,
    "--type": 1,
    "--path": 1,
    "--revision": 1,
    "--message": 1,
    "--create-pr": 0,
    "--public": 0,
    "--private": 0,
    "--space-sdk": 1,
    "--exist-ok": 0,
    "--json": 0,
    "--page": 1,
    "--max-tokens": 1,
    "--fresh": 0,
    "--timeout": 1,
    "--quiet": 0,
    "--yes": 0,  # counts only where no program stands, and there the person is asked
}

#: What `hf_jobs.py` takes where an option is not given.
_FLAVOR, _TIMEOUT = "cpu-basic", "30m"


class Answer:
    """What the guard says to a call.

    Attributes:
        decision: "allow", "ask" or "deny".
        reason: Why, for the person or for Claude.
    """

    __slots__ = ("decision", "reason")

    def __init__(self, decision: str, reason: str) -> None:
        self.decision = decision
        self.reason = reason


class Unclear(Exception):
    """Options that the guard will not interpret; the message says which and why."""


def named(words: list[str], root: str) -> tuple[str, list[str]]:
    """Return which road a command takes and the words behind it, or "" and nothing.

    Args:
        words: The command's words.
        root: The plugin's folder; a file of the same name elsewhere is not the road.
    """
    if words[0] == "sweeper" or _is(words[0], root, "bin/sweeper"):
        return "sweeper", words[1:]
    rest = words
    if rest[0] in ("python", "python3"):
        rest = rest[1:]
    elif rest[:2] == ["uv", "run"]:
        rest = rest[3:] if rest[2:3] == ["--script"] else rest[2:]
    for name in ("hf_jobs", "hf_repo"):
        if rest and _is(rest[0], root, f"scripts/{name}.py"):
            return name, rest[1:]
    return "", []


def _is(word: str, root: str, inside: str) -> bool:
    if not os.path.isabs(word):
        return False
    return os.path.realpath(word) == os.path.realpath(os.path.join(root, inside))


def decide(road: str, words: list[str], cwd: str, around: str) -> Answer | None:
    """Judge one simple command on a known road.

    Args:
        road: "sweeper", "hf_jobs" or "hf_repo".
        words: The words behind it.
        cwd: Where it runs.
        around: Folder of the program that governs the session, or "".

    Returns:
        The answer, or None for no opinion.
    """
    judges = {"sweeper": _sweeper, "hf_jobs": _jobs, "hf_repo": _repo}
    try:
        return judges[road](words, cwd, around)
    except (Unclear, ValueError) as error:
        return Answer(DENY, f"{error}.")


def options(
    words: list[str], once: dict[str, int], many: dict[str, int]
) -> tuple[dict[str, str], list[str]]:
    """Read options and return them with the words that are none; `--` ends them.

    Raises:
        Unclear: One is unknown, abbreviated, repeated or lacks its value.
    """
    given: dict[str, str] = {}
    rest: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            return given, rest + words[at:]
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        name, equals, value = word.partition("=")
        takes = once.get(name, many.get(name))
        if takes is None:
            raise Unclear(f"{name} is no option known here; write each option in full")
        if name in given and name not in many:
            raise Unclear(f"{name} is given twice; give it once")
        if takes and not equals:
            if at >= len(words):
                raise Unclear(f"{name} lacks its value")
            value = words[at]
            at += 1
        given[name] = value
    return given, rest


def _sweeper(words: list[str], cwd: str, around: str) -> Answer | None:
    verb = words[0] if words else "--help"
    if verb in ("approve", "grant", "import"):
        return Answer(ASK, f"`sweeper {verb}` needs a person: it decides what may be spent.")
    if verb in _LOOKS:
        return Answer(ALLOW, "sweeper's own bookkeeping; nothing is spent")
    if verb not in ("run", "resume", "extend"):
        return None
    if "--help" in words:
        return None
    if verb == "run":
        given, rest = options(words[1:], _RUN_OPTIONS, {})
    else:
        given, rest = options(words[1:], {"--to": 1, "--json": 0}, {})
    where = rest[1:] if verb == "extend" else rest
    if len(where) > 1:
        raise Unclear(f"`sweeper {verb}` takes one program, not {' and '.join(where)}")
    folder = approved.program_at(where[0] if where else ".", cwd)
    if not folder:
        place = where[0] if where else "this folder"
        return Answer(DENY, f"There is no program.md at {place}; `sweeper init` drafts one.")
    return _run(folder, given.get("--executor"))


def _run(folder: str, executor: str | None) -> Answer:
    covered = approved.read(folder)
    page = os.path.join(folder, approved.PAGE)
    if covered is None:
        return Answer(
            DENY,
            f"Nobody has approved {page} yet. Show it to the person, then `sweeper approve "
            f"{folder}`, which asks them.",
        )
    if executor not in (None, "dry", covered.executor):
        return Answer(
            DENY,
            f"The approval covers the executor {covered.executor}, not {executor}. Change "
            f"`executor` in {page}, then `sweeper approve {folder}`.",
        )
    return Answer(ALLOW, "within the approved envelope; the ledger has the last word")


def _jobs(words: list[str], cwd: str, around: str) -> Answer | None:
    verb = words[0] if words else ""
    if verb == "scheduled":
        listed = words[1:2] and words[1] in ("list", "ls", "ps", "inspect", "delete", "suspend")
        reason = "A scheduled job starts again and again, without an end: a person decides it."
        return None if listed or "--help" in words else Answer(ASK, reason)
    if verb != "run" or words[1:] in (["--help"], ["-h"]):
        return None
    given, rest = options(words[1:], _JOB_ONCE, _JOB_MANY)
    if "--flavor" in given and "--hardware-flavor" in given:
        raise Unclear("--flavor and --hardware-flavor are one option; give it once")
    flavor = given.get("--flavor", given.get("--hardware-flavor", _FLAVOR))
    timeout_s = prices.parse_duration(given.get("--timeout", _TIMEOUT))
    folder = approved.program_at(given["--program"], cwd) if "--program" in given else around
    what = given.get("--script") or given.get("--script-url") or " ".join(rest) or "inline code"
    if not folder:
        return Answer(ASK, cost_question(what, flavor, timeout_s, given.get("--namespace")))
    return _job_within(folder, flavor, timeout_s, given.get("--namespace"))


def cost_question(what: str, flavor: str, timeout_s: float, namespace: str | None) -> str:
    """Return what a person must know before one job starts without an envelope."""
    try:
        usd = prices.micro_usd_per_minute(flavor) * prices.started_minutes(timeout_s)
        cost = f"at most about {prices.format_usd(usd)}"
    except prices.UnknownPrice:
        cost = "at an unknown price"
    payer = f", billed to {namespace}" if namespace else ""
    span = prices.format_duration(timeout_s)
    return f"Start one job ({what}) on {flavor} for up to {span}, {cost}{payer}?"


def _job_within(folder: str, flavor: str, timeout_s: float, namespace: str | None) -> Answer:
    covered = approved.read(folder)
    if covered is None:
        return Answer(DENY, f"Nobody has approved {folder} yet: `sweeper approve {folder}` first.")
    limits = covered.envelope
    road = f"Change {folder}/program.md, then `sweeper approve {folder}`."
    if covered.executor != "hf":
        return Answer(DENY, f"The approval covers jobs on this machine only. {road}")
    if flavor not in limits.allowed_flavors:
        allowed = ", ".join(limits.allowed_flavors) or "none"
        return Answer(DENY, f"{flavor} is not among the approved flavors ({allowed}). {road}")
    if timeout_s > limits.max_timeout_s:
        most = prices.format_duration(limits.max_timeout_s)
        return Answer(DENY, f"max_timeout is {most}; ask for no more, with --timeout. {road}")
    if namespace not in (None, covered.namespace):
        payer = covered.namespace or "the user's own account"
        return Answer(DENY, f"The approval lets {payer} pay, not {namespace}. {road}")
    return Answer(ALLOW, "within the approved envelope; the ledger has the last word")


def _repo(words: list[str], cwd: str, around: str) -> Answer | None:
    if not words or "--help" in words or words[0] in ("refs", "-h", "--schema"):
        return None
    verb = words[1] if len(words) > 1 else ""
    if verb in _REPO_READS or (words[0], verb) == ("pr", "list"):
        return None
    given, rest = options(words[2:], _REPO_OPTIONS, {})
    folder = approved.program_at(given["--program"], cwd) if "--program" in given else around
    if not folder:
        return Answer(ASK, f"Change a repository on the Hub: hf_repo.py {' '.join(words)}?")
    covered = approved.read(folder)
    repo = rest[0] if rest else ""
    if covered is None or not any(_within(repo, each) for each in covered.output_repos):
        return Answer(
            DENY,
            f"{repo or 'This repository'} is not among the approved output_repos. Add it in "
            f"{folder}/program.md, then `sweeper approve {folder}`.",
        )
    if verb == "delete" and not covered.envelope.allow_deletes:
        return Answer(DENY, "allow_deletes is off in the approved envelope; a person may delete.")
    return Answer(ALLOW, "within the approved output_repos")


def _within(name: str, pattern: str) -> bool:
    parts = pattern.split("*")
    if len(parts) == 1:
        return name == pattern
    rest = name[len(parts[0]) :]
    if not name.startswith(parts[0]):
        return False
    for part in parts[1:-1]:
        found = rest.find(part)
        if found < 0 or "/" in rest[:found]:
            return False
        rest = rest[found + len(part) :]
    middle = rest[: len(rest) - len(parts[-1])] if parts[-1] else rest
    return rest.endswith(parts[-1]) and len(rest) >= len(parts[-1]) and "/" not in middle
